/*
 * A16  stop_machine patching without a core synchronisation on every vCPU
 *
 * source: 0e00f7aed6af, provenance W
 *
 * The stopped vCPU leaves without an IRET; the first thing that runs may be an interrupt handler with the site in it.
 *
 * variant buggy:
 * variant fixed: -DFIXED
 * variant interrupt-entry-modelled-as-sync: --set interruptSync=yes
 */
#include "xmpatch.h"

static volatile unsigned int arrived, patched, released;

static void old_function(void) { XM_ASSERT(!released); }
XM_GAP(0x201);
static void new_function(void) { XM_ASSERT(patched); }
__attribute__((noinline)) static void call_it(void) { XM_CALL_SITE(site, old_function); }
XM_FORM_CALL(call_new, site, new_function);
XM_SITE(site, 5, old_function, new_function);

static void interrupt(struct xm_frame *frame)
{
	(void)frame;
	call_it();
}
XM_IRQ(1, 0x40, interrupt, 1);

static void patcher(void)
{
	while (!arrived)
		xm_pause();
	xm_copy((void *)site, call_new, 5);
	patched = 1;
}

static void stopped(void)
{
	call_it(); /* as the code was all along */
	arrived = 1;
	while (!patched)
		xm_pause();
#ifdef FIXED
	xm_sync_core();
#endif
	released = 1;
	xm_sti();
	call_it();
	xm_cli();
}

XM_VCPU(patcher);
XM_VCPU(stopped);

/*
 * survivor store removed, stopped, `released = 1;`: it marks what the property looks at
 */
