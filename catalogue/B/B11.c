/*
 * B11  The hypervisor's side of poll: a wakeup between the check and the sleep
 *
 * source: Xen 48ef10cc3d2f, 56e2eb8cf4d6 (SCHEDOP_poll races), provenance W
 *
 * What the hypervisor does for the polling vCPU is code here: set the flags, look again, deschedule.
 *
 * variant buggy/no-recheck: -DNO_RECHECK
 * variant buggy/no-barrier: -DNO_BARRIER
 * variant fixed:
 */
#include "xmlock.h"

static volatile unsigned int blocked, polled, upcall;

/* The hypercall. Blocking ends by a kick; an interrupt that could be delivered must end it too. */
static void sched_poll(void)
{
	blocked = 1;
#ifndef NO_BARRIER
	xm_lock_fence();
#endif
	if (polled)
		goto out;
#ifndef NO_RECHECK
	if (upcall) /* local_events_need_delivery() */
		goto out;
#endif
	XM_BLOCK();
out:
	blocked = 0;
}

static void guest(void)
{
	while (!polled && !upcall)
		sched_poll();
}

/* Another event than the polled one, with interrupts on: its handler would release the lock. */
static void sender(void)
{
	upcall = 1;
	xm_lock_fence();
	if (blocked)
		XM_KICK(0);
}

/* It came out because of the event, and is not taken for asleep. */
static void awake(void) { XM_ASSERT(upcall && !blocked); }

XM_VCPU(guest);
XM_VCPU(sender);
XM_FINAL(awake);
