/*
 * A33  A self-loop guards the head of the call while its tail is patched (HotSpot)
 *
 * source: HotSpot NativeCall::replace_mt_safe, JDK-8294947; provenance W
 *
 * variant aligned: -DBEFORE=0
 * variant misaligned: -DBEFORE=62
 * variant p-descheduled: -DBEFORE=0 -DREPEAT=2000 measure pcpus=2,1 quantum=1000,4000
 */
#include "xmpatch.h"

#define TEXT_(n) #n
#define TEXT(n) TEXT_(n)
void call_it(void);
void old_method(void);
void new_method(void);
__asm__(".text\n.balign 64\n.fill " TEXT(BEFORE) ", 1, 0x90\n.globl site\ncall_it:\nsite: call old_method\n\tret\n"
	"old_method: ret\n.skip 0x10300, 0x90\nnew_method: ret\n");
XM_FORM_CALL(call_old, site, old_method);
XM_FORM_CALL(call_new, site, new_method);
XM_FORM_BYTES(guard, "0xeb, 0xfe, 0xeb, 0xfe, 0x90"); /* two jumps to themselves; the fifth byte is never executed */
XM_FORMS(site, 5, call_old, guard, call_new);

#ifndef REPEAT
#define REPEAT 1
#endif
static volatile unsigned int done;

static void patcher(void)
{
	for (int n = 0; n < REPEAT; n++) {
		const unsigned char *const bytes = n & 1 ? call_old : call_new;
		xm_poke_guarded(site, bytes, 5);
	}
	done = 1;
}

static void java_thread(void)
{
#if REPEAT > 1
	while (!done) {
		XM_BEGIN("call");
		call_it();
		XM_END("call");
	}
#else
	call_it();
	call_it();
#endif
}

XM_VCPU(patcher);
XM_VCPU(java_thread);
