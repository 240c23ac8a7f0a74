/*
 * B13  pv ticket lock: the slow-path flag is in the tail, so unlocking must be a full barrier
 *
 * source: 96f853eaa889 (x86, ticketlock: add slowpath logic), provenance M
 *
 * variant unlocked-add: -DPLAIN
 * variant locked:
 */
#include "xmlock.h"

#define SLOW 1
static struct {
	volatile unsigned char head, tail; /* tickets count by 2 */
} lock = { 0, 2 }; /* taken by vCPU 0 */
static volatile unsigned char pending;

static void unlocker(void)
{
	XM_ENTER(&lock);
	XM_LEAVE(&lock);
#ifdef PLAIN
	lock.head += 2;
#else
	__asm__ __volatile__("lock addb $2, %0" : "+m"(lock.head) : : "memory", "cc");
#endif
	if (lock.tail & SLOW)
		xm_notify(&pending);
}

static void waiter(void)
{
	unsigned char mine = 2;
	__asm__ __volatile__("lock xaddb %0, %1" : "+q"(mine), "+m"(lock.tail) : : "memory", "cc");
	mine &= ~SLOW;
	while (lock.head != mine) {
		pending = 0;
		__asm__ __volatile__("lock orb $1, %0" : "+m"(lock.tail) : : "memory", "cc");
		if (lock.head == mine)
			break;
		XM_POLL(&pending);
	}
	XM_ENTER(&lock);
}

XM_VCPU(unlocker);
XM_VCPU(waiter);

/*
 * survivor branch never taken, unlocker, `if (lock.tail & SLOW)`: a kick that nobody needs does no harm
 * survivor branch always taken, waiter, `while (lock.head != mine) {`: the slow path looks again before it sleeps
 */
