/*
 * The building blocks of include/ as functions of a library, for programs that are not compiled C: cdecl, arguments on the stack,
 * EAX, ECX, EDX and the flags change. include/xmpatch.inc and xmpatch.S.inc say which there are. Each L_name is compiled to an object.
 *
 * It declares nothing, as what a program declares has to be reached: handlers are declared by the macros of those files.
 */
#include "xmcheck.h"
#undef XM_INLINE_
#undef XM_STATIC_
#undef XM_FIXED_
#define XM_INLINE_
#define XM_STATIC_
#define XM_FIXED_ __attribute__((weak)) /* the program says how many, if it says so */
#undef XM_HANDLER_RAW
#define XM_HANDLER_RAW(vector, fn)
#undef XM_ASSERT
#define XM_ASSERT(cond)                                                                                                \
	do {                                                                                                           \
		if (!(cond))                                                                                           \
			__builtin_trap();                                                                              \
	} while (0)

#ifdef L_patching
#include "xmalias.h"
#include "xmnmi.h"
#include "xmprobe.h"
#include "xmpv.h"
#include "xmstatic.h"

XM_SYNC_HANDLER_
XM_STEP_HANDLER_

#undef xm_static_call_update
void xm_static_call_update(struct xm_static_call *call, void (*fn)(void), unsigned int steps) { xm_static_call_update_(call, fn, steps); }
#endif

#ifdef L_tasks
#include "xmtask.h"

XM_TASKS(4);
#endif
