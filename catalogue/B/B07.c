/*
 * B07  Xen pv spinlock: a wakeup is lost because nothing orders the unlocking store before the load of the spinners
 *
 * source: 2496afbf1e50 (xen: add barrier to unlock), provenance G
 *
 * variant buggy-tso:
 * variant buggy-sc: --memory sc
 * variant fixed: -DFIXED
 */
#include "xmlock.h"

/* Lock byte and count of spinners: different bytes of one dword. */
static struct {
	volatile unsigned char lock;
	volatile unsigned short spinners;
} xl = { 1, 0 };
static volatile unsigned char pending; /* the event channel of the waiter */

static void unlocker(void)
{
	XM_ENTER(&xl);
	XM_LEAVE(&xl);
	xl.lock = 0;
#ifdef FIXED
	xm_lock_fence();
#else
	xm_barrier(); /* the compiler's only */
#endif
	if (xl.spinners)
		xm_notify(&pending);
}

static void waiter(void)
{
	__asm__ __volatile__("lock incw %0" : "+m"(xl.spinners) : : "memory", "cc");
	do {
		pending = 0;
		if (!xm_xchg8(&xl.lock, 1)) /* one more try, now that kicks will come */
			break;
		XM_POLL(&pending);
	} while (xm_xchg8(&xl.lock, 1));
	XM_ENTER(&xl);
	__asm__ __volatile__("lock decw %0" : "+m"(xl.spinners) : : "memory", "cc");
}

/* Who waited holds it, and nobody spins any more. */
static void held(void) { XM_ASSERT(xl.lock == 1 && xl.spinners == 0); }

XM_VCPU(unlocker);
XM_VCPU(waiter);
XM_FINAL(held);
XM_OBJECT(xl);
