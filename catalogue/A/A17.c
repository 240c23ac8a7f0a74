/*
 * A17  stop_machine does not stop NMIs
 *
 * source: 17666f02b118, provenance G
 *
 * variant buggy: --fetch coherent
 * variant fixed: -DFIXED --fetch coherent
 */
#include "xmnmi.h"

static volatile unsigned int arrived, released;

static void old_function(void) { xm_barrier(); }
XM_GAP(0x201);
static void new_function(void) { xm_barrier(); }
__attribute__((noinline)) static void call_it(void) { XM_CALL_SITE(site, old_function); }
XM_FORM_CALL(call_old, site, old_function);
XM_FORM_CALL(call_new, site, new_function);
XM_FORMS(site, 5, call_old, call_new);

static void nmi(struct xm_frame *frame)
{
	(void)frame;
#ifdef FIXED
	xm_nmi_enter();
#endif
	call_it();
#ifdef FIXED
	xm_nmi_exit();
#endif
}
XM_NMI(1, nmi, 1);

static void patcher(void)
{
	while (!arrived)
		xm_pause();
#ifdef FIXED
	xm_nmi_write(site, call_new, 5);
#else
	xm_copy((void *)site, call_new, 5);
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

/*
 * survivor store removed, patcher, `xm_nmi_site = 0;`: an NMI that comes later writes the same bytes once more
 */
