/*
 * A17  stop_machine does not stop NMIs
 *
 * source: 17666f02b118, provenance G
 *
 * variant buggy: --fetch coherent
 * variant fixed: -DFIXED --fetch coherent
 */
#include "xmpatch.h"

static volatile unsigned int arrived, released;

static void old_function(void) { xm_barrier(); }
XM_GAP(0x201);
static void new_function(void) { xm_barrier(); }
__attribute__((noinline)) static void call_it(void) { XM_CALL_SITE(site, old_function); }
XM_FORM_CALL(call_old, site, old_function);
XM_FORM_CALL(call_new, site, new_function);
XM_FORMS(site, 5, call_old, call_new);

#ifdef FIXED
static volatile unsigned int in_nmi, helping;
#endif

static void nmi(struct xm_frame *frame)
{
	(void)frame;
#ifdef FIXED
	xm_lock_inc(&in_nmi);
	if (helping)
		xm_copy((void *)site, call_new, 5); /* the same bytes, all of them, before the site is executed */
#endif
	call_it();
#ifdef FIXED
	xm_lock_dec(&in_nmi);
#endif
}
XM_NMI(1, nmi, 1);

static void patcher(void)
{
	while (!arrived)
		xm_pause();
#ifdef FIXED
	helping = 1;
	xm_lock_fence();
	while (in_nmi)
		xm_pause();
#endif
	xm_copy((void *)site, call_new, 5);
#ifdef FIXED
	xm_lock_fence();
	helping = 0;
	xm_lock_fence();
	while (in_nmi)
		xm_pause();
#endif
	released = 1;
}

static void stopped(void)
{
	arrived = 1;
	while (!released)
		xm_pause();
}

XM_VCPU(patcher);
XM_VCPU(stopped);
