/*
 * B15  The pair (lock, want) is torn by an interrupt: the kicker wakes the wrong vCPU or nobody
 *
 * source: 80bd58fef495 (xen: pv ticketlocks), provenance W
 *
 * vCPU 0 waits for lock A; an interrupt on it waits for lock B with the same pair of variables.
 *
 * variant mutants/pending-not-left: -DNOT_LEFT
 * variant mutants/no-recheck: -DNO_RECHECK
 * variant protocol:
 */
#include "xmlock.h"

struct lock {
	volatile unsigned int head;
};
static struct lock a, b;
static struct {
	struct lock *volatile lock;
	volatile unsigned int want;
} waiting;
static volatile unsigned char pending;

static void wait_for(struct lock *lock, unsigned int ticket, int nested)
{
	while (lock->head != ticket) {
		pending = 0;
		waiting.lock = 0; /* no half-written pair */
		waiting.want = ticket;
		waiting.lock = lock;
		xm_lock_fence();
#ifndef NO_RECHECK
		if (lock->head == ticket)
			break;
#endif
		if (!nested)
			xm_sti();
		XM_POLL(&pending);
		xm_cli();
	}
	waiting.lock = 0;
#ifndef NOT_LEFT
	if (nested)
		pending = 1; /* who was interrupted looks again */
#endif
}

static void interrupt(struct xm_frame *frame)
{
	(void)frame;
	wait_for(&b, 1, 1);
}
XM_IRQ(0, 0x40, interrupt, 1);

static void release(struct lock *lock)
{
	lock->head = 1;
	xm_lock_fence();
	if (waiting.lock == lock && waiting.want == 1)
		xm_notify(&pending);
}

static void waiter(void)
{
	wait_for(&a, 1, 0);
}
static void unlocker(void)
{
	release(&b);
	release(&a);
}

static void nobody_waits(void) { XM_ASSERT(a.head == 1 && b.head == 1 && !waiting.lock); }

XM_VCPU(waiter);
XM_VCPU(unlocker);
XM_FINAL(nobody_waits);

/*
 * survivor branch never taken, waiter, `while (lock->head != ticket) {`: the slow path looks again before it sleeps
 * survivor branch always taken, waiter, `while (lock->head != ticket) {`: the slow path looks again before it sleeps
 */
