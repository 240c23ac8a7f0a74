/*
 * B08  Interrupts are enabled when the lock has just been picked up
 *
 * source: 4d576b57b50a (xen: fix handling of interrupt state in spinlocks), provenance G
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#include "xmlock.h"

static volatile unsigned char lock = 1, pending;

static void interrupt(struct xm_frame *frame)
{
	(void)frame;
	while (xm_xchg8(&lock, 1))
		xm_pause();
	lock = 0;
	XM_PROGRESS();
}
XM_IRQ(0, 0x40, interrupt, 1);

/* spin_lock_irqsave() of somebody who had interrupts on. */
static void waiter(void)
{
	for (;;) {
#ifndef FIXED
		xm_sti();
#endif
		pending = 0;
		if (!xm_xchg8(&lock, 1))
			break;
#ifdef FIXED
		xm_sti();
#endif
		XM_POLL(&pending);
#ifdef FIXED
		xm_cli();
#endif
	}
	xm_cli();
	lock = 0;
	XM_PROGRESS();
}

static void unlocker(void)
{
	lock = 0;
	xm_lock_fence();
	xm_notify(&pending);
	XM_PROGRESS();
}

static void released(void) { XM_ASSERT(lock == 0); }

XM_VCPU(waiter);
XM_VCPU(unlocker);
XM_FINAL(released);
