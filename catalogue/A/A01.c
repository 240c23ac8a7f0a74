/*
 * A01  A multi-byte call is rewritten in place with a plain copy while another vCPU runs it
 *
 * source: 8a4d0a687a59 (ftrace: use the breakpoint method to update the ftrace caller), provenance W
 *
 * variant buggy: --fetch coherent
 * variant fixed: -DBREAKPOINT
 */
#include "xmpatch.h"

static void old_tracer(void) { xm_barrier(); }
XM_GAP(0x201);
static void new_tracer(void) { xm_barrier(); }
__attribute__((noinline)) static void traced(void) { XM_CALL_SITE(ftrace_call, old_tracer); }
XM_FORM_CALL(call_old, ftrace_call, old_tracer);
XM_FORM_CALL(call_new, ftrace_call, new_tracer);
#ifdef BREAKPOINT
XM_FORMS_INT3(ftrace_call, 5, call_old, call_new);
XM_SYNC_GROUP(2)
XM_POKE_HANDLER();
#else
XM_FORMS(ftrace_call, 5, call_old, call_new);
#endif

static void patcher(void)
{
#ifdef BREAKPOINT
	xm_text_poke(ftrace_call, call_new, 5, XM_SYNC1 | XM_SYNC2 | XM_SYNC3);
#else
	xm_copy((void *)ftrace_call, call_new, 5);
#endif
}

static void caller(void)
{
#ifdef BREAKPOINT
	xm_sti();
#endif
	traced();
	traced();
	xm_offline();
}

XM_VCPU(patcher);
XM_VCPU(caller);

/*
 * survivor store removed, patcher, `xm_poked_site = 0;`: nobody can meet the breakpoint any more, and nothing else is poked
 */
