/*
 * A plain copy of code that an NMI handler runs while its vCPU is stopped.
 *
 * object:
 */
#include "xmnmi.h"

static void old_function(void) { xm_barrier(); }
XM_GAP(0x201);
static void new_function(void) { xm_barrier(); }
__attribute__((noinline)) static void call_it(void) { XM_CALL_SITE(site, old_function); }
XM_FORM_CALL(call_old, site, old_function);
XM_FORM_CALL(call_new, site, new_function);
XM_FORMS(site, 5, call_old, call_new);

static volatile unsigned int arrived, done;

static void nmi(struct xm_frame *frame)
{
	(void)frame;
	xm_nmi_enter();
	call_it();
	xm_nmi_exit();
}
XM_NMI(1, nmi, 1);

void write(void)
{
	while (!arrived)
		xm_pause();
	xm_nmi_write(site, call_new, 5);
	XM_PATCHED(site, call_new);
	done = 1;
}
void stopped(void)
{
	arrived = 1;
	while (!done)
		xm_pause();
	xm_sync_core();
	call_it();
}
XM_VCPU(write);
XM_VCPU(stopped);
