/*
 * B18  xen_qlock_wait(): a wakeup lost among three vCPUs
 *
 * source: 2ac2a7d4d9ff (xen: fix race in xen_qlock_wait), provenance W
 *
 * The value of the lock byte cannot tell this wait from a later one: with the kick erased, the waiter sleeps on what was set
 * on behalf of somebody else, and the next unlock kicks that one.
 *
 * variant old:
 * variant fixed: -DFIXED
 */
#include "xmlock.h"

#define SLOW 3
/* Lock byte, and (the hash) who is to be kicked: changed together. */
#define SLOW_FOR(vcpu) ((unsigned short)(SLOW | (vcpu) << 8))
static union {
	volatile unsigned char lock;
	volatile unsigned short both;
} q = { .both = SLOW_FOR(1) }; /* vCPU 0 holds it, vCPU 1 is about to wait */
static volatile unsigned char pending; /* event of vCPU 1 */

static unsigned short exchange(unsigned short value)
{
	__asm__ __volatile__("xchgw %0, %1" : "+r"(value), "+m"(q.both) : : "memory");
	return value;
}

static void unlock(void)
{
	if (exchange(0) == SLOW_FOR(1))
		xm_notify(&pending);
}

static void qlock_wait(unsigned char value)
{
#ifdef FIXED
	if (pending) {
		pending = 0;
		return;
	}
#else
	pending = 0;
	xm_barrier();
#endif
	if (q.lock != value)
		return;
	XM_POLL(&pending);
}

static void holder(void)
{
	XM_ENTER(&q);
	XM_LEAVE(&q);
	unlock();
}

static void waiter(void)
{
	do
		qlock_wait(SLOW);
	while (exchange(SLOW_FOR(1)) != 0);
	XM_ENTER(&q);
}

/* Takes the lock in between; somebody else waits for it by now. */
static void third(void)
{
	unsigned short found = 0;
	__asm__ __volatile__("lock cmpxchgw %2, %1" : "+a"(found), "+m"(q.both) : "r"(SLOW_FOR(2)) : "memory", "cc");
	if (found == 0) {
		XM_ENTER(&q);
		XM_LEAVE(&q);
		unlock();
	}
}

XM_VCPU(holder);
XM_VCPU(waiter);
XM_VCPU(third);

/*
 * survivor branch always taken, waiter, `if (pending) {`: with the kick left where it is, the waiter goes round instead of sleeping until the lock is free
 * survivor store removed, waiter, `pending = 0;`: with the kick left where it is, the waiter goes round instead of sleeping until the lock is free
 */
