/*
 * B17  pv qspinlock: the head of the queue is hashed twice
 *
 * source: cba77f03f2c7 (locking/pvqspinlock: fix kernel panic in locking-selftest), provenance W
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#include "xmlock.h"

enum { RUNNING, HALTED, HASHED };
#define SLOW 3
static volatile unsigned int state, locked = 1, hashed; /* insertions less removals of this lock */

static void insert(void)
{
	xm_lock_inc(&hashed);
	XM_ASSERT(hashed == 1);
}

/* pv_kick_node() of the holder: the next waiter becomes the head of the queue. */
static void holder(void)
{
	if (xm_cmpxchg(&state, HALTED, HASHED) == HALTED) {
		locked = SLOW;
		insert();
	}
}

/* pv_wait_head_or_lock(). */
static void head(void)
{
	if (state != HASHED) {
		insert();
		xm_xchg(&locked, SLOW);
#ifdef FIXED
		state = HASHED;
#else
		state = HALTED;
#endif
	}
}

/* The next unlock looks the head up, and finds it. */
static void found(void) { XM_ASSERT(locked == SLOW && hashed == 1); }

XM_VCPU(holder);
XM_VCPU(head);
XM_FINAL(found);

/*
 * survivor LOCK removed, holder, `__asm__ __volatile__("lock cmpxchgl...`: nobody is HALTED any more, and RUNNING, which it may write back over HASHED, is as good
 * survivor store removed, head, `state = HASHED;`: what it must not become is HALTED; RUNNING, which it is, is as good
 */
