/*
 * D02  ... and must precede the FPU state's restore: CR0.TS
 *
 * source: 9226d125d94c; 7a5c0b2b1a8e (2009 preload); provenance G
 *
 * variant wrong-n/direct-clts: -DWRONG=1
 * variant wrong-n/restore-before-flush: -DWRONG=2
 * variant right/flush-then-clts: -DRIGHT=1
 * variant right/clts-queued: -DRIGHT=2
 */
#include "xmlazy.h"

static unsigned char fpu_state[108] __attribute__((aligned(16)));

static unsigned int task_switched(void)
{
	unsigned int cr0;
	__asm__ __volatile__("movl %%cr0, %0" : "=r"(cr0));
	return cr0 >> 3 & 1;
}
static void clts(void) { __asm__ __volatile__("clts" : : : "memory"); }
static void frstor(void) { __asm__ __volatile__("frstor %0" : : "m"(fpu_state) : "memory"); }
static void not_available(struct xm_frame *frame)
{
	(void)frame;
	XM_FAIL(); /* #NM in the middle of __switch_to */
}
XM_HANDLER(7, not_available);

static void context_switch(void)
{
	clts();
	__asm__ __volatile__("fninit\n\tfnsave %0" : "=m"(fpu_state) : : "memory"); /* the previous task used it: saved */
#if WRONG == 2
	xm_set_ts(1); /* lazily switched tasks before: hardware TS is set */
#endif
	xm_lazy_enter(XM_LAZY_CPU);
#if WRONG == 1
	xm_set_ts(1); /* stts of unlazy_fpu(), queued */
	clts();
	frstor();
	xm_lazy_leave(XM_LAZY_CPU);
#elif WRONG == 2
	xm_set_ts(0);
	frstor();
	xm_lazy_leave(XM_LAZY_CPU);
#elif RIGHT == 1
	xm_set_ts(1);
	xm_lazy_leave(XM_LAZY_CPU);
	XM_ASSERT(task_switched());
	clts();
	frstor();
#else
	xm_set_ts(1);
	xm_set_ts(0);
	xm_lazy_leave(XM_LAZY_CPU);
	frstor();
#endif
	XM_ASSERT(!task_switched() && "the state is loaded");
}

XM_VCPU(context_switch);
XM_LAZY_ENDS();

/*
 * survivor store removed, context_switch, `__asm__ __volatile__("fninit\n\tfnsave...`: the state that is saved is that of a fresh unit
 * survivor call removed, xm_lazy_flush, `XM_ISSUE(XM_LAZY_SELF.calls, count);`: what the first call of this batch does the second undoes
 * survivor call removed, context_switch, `xm_set_ts(1);`: the next call undoes it
 */
