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
	online = 1;
#ifdef FIXED
	kicker_ready = 1;
#endif
}

static void unlocker(void)
{
	lock = 0;
	xm_lock_fence();
	if (online) /* IPIs to CPUs that are not online are dropped */
		xm_notify(&pending);
}

XM_VCPU(coming_up);
XM_VCPU(unlocker);
