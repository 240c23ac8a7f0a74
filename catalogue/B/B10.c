/*
 * B10  The order of "clear pending" and "try the lock once more"
 *
 * source: 168d2f464ab9 and its followers, provenance G
 *
 * variant wrong: -DWRONG
 * variant right:
 */
#include "xmlock.h"

static volatile unsigned char lock = 1, pending;

static void waiter(void)
{
	for (;;) {
#ifdef WRONG
		if (!xm_xchg8(&lock, 1))
			break;
		pending = 0; /* erases a kick that came since */
#else
		pending = 0;
		xm_lock_fence();
		if (!xm_xchg8(&lock, 1))
			break;
#endif
		XM_POLL(&pending);
	}
	XM_ENTER(&lock);
}

static void unlocker(void)
{
	XM_ENTER(&lock);
	XM_LEAVE(&lock);
	lock = 0;
	xm_lock_fence();
	xm_notify(&pending);
}

static void held(void) { XM_ASSERT(lock == 1); }

XM_VCPU(waiter);
XM_VCPU(unlocker);
XM_FINAL(held);
