/*
 * B21  The slow path is used before the vCPU can be kicked
 *
 * source: 6efa20e49b9c, provenance W
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#include "xmlock.h"

static volatile unsigned char lock = 1, pending;
static volatile unsigned int online, kicker_ready, sleeping;

static void coming_up(void)
{
#ifndef FIXED
	kicker_ready = 1; /* the interrupt for kicks is set up first */
#endif
	for (;;) {
		pending = 0;
		xm_lock_fence();
		if (!xm_xchg8(&lock, 1))
			break;
		if (kicker_ready)
			XM_POLL(&pending);
		else
			xm_pause(); /* spin until then */
	}
	XM_ENTER(&lock);
	online = 1;
#ifdef FIXED
	kicker_ready = 1;
#endif
}

static void unlocker(void)
{
	XM_ENTER(&lock);
	XM_LEAVE(&lock);
	lock = 0;
	xm_lock_fence();
	if (online) /* IPIs to CPUs that are not online are dropped */
		xm_notify(&pending);
}

static void is_up(void) { XM_ASSERT(lock == 1 && online && kicker_ready); }

XM_VCPU(coming_up);
XM_VCPU(unlocker);
XM_FINAL(is_up);

/*
 * survivor branch always taken, unlocker, `if (online) /*...`: who comes up spins, as long as it cannot be kicked
 * survivor XCHG: only its load, unlocker, `__asm__ __volatile__("xchgb...`: who comes up spins, as long as it cannot be kicked
 */
