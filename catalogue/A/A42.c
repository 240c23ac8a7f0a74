/*
 * A42  A synchronising IPI to a descheduled vCPU: correct, but late
 *
 * source: Z. Amsden, VMI discussion, 2006, applied to text_poke; provenance G
 *
 * The patcher waits for as long as the other vCPU is off its pCPU: three times a timeslice for one patch.
 *
 * variant measure: measure pcpus=2,1 quantum=20000,40000,80000
 */
#include "xmpatch.h"

#define PATCHES 4

static void old_function(void) { xm_barrier(); }
static void new_function(void) { xm_barrier(); }
__attribute__((noinline)) static void call_it(void) { XM_CALL_SITE(site, old_function); }
XM_FORM_CALL(call_old, site, old_function);
XM_FORM_CALL(call_new, site, new_function);
XM_FORMS_INT3(site, 5, call_old, call_new);
XM_SYNC_GROUP(2)
XM_POKE_HANDLER();

static volatile unsigned int done;

static void patcher(void)
{
	xm_sti();
	for (int n = 0; n < PATCHES; n++) {
		XM_BEGIN("text_poke");
		xm_text_poke(site, n & 1 ? call_old : call_new, 5, XM_SYNC1 | XM_SYNC2 | XM_SYNC3);
		XM_END("text_poke");
	}
	done = 1;
	xm_offline();
}

static void executor(void)
{
	xm_sti();
	while (!done)
		call_it();
	xm_offline();
}

XM_VCPU(patcher);
XM_VCPU(executor);
