/*
 * B20  spin_lock(A); spin_is_locked(B)? - Dekker by the state of locks
 *
 * source: c6f5d02b6a0f, 54cf809b9512, provenance M
 *
 * variant whole-word/ticket: -DTICKET
 * variant whole-word/queued: -DWHOLE
 * variant byte-only-plus-plain-store:
 */
#include "xmlock.h"

#ifdef TICKET
static struct xm_ticket_lock a, b;
#define acquire(lock) xm_ticket_lock(lock)
#define is_locked(lock) ((lock)->head != (lock)->tail)
#else
/* The slow path of a queued lock: waiting is marked by a locked operation, the lock byte is a plain store. */
static struct queued {
	volatile unsigned char locked, waiting;
} a, b;
static void acquire(struct queued *lock)
{
	__asm__ __volatile__("lock orb $1, %0" : "+m"(lock->waiting) : : "memory", "cc");
	lock->locked = 1;
}
#ifdef WHOLE
#define is_locked(lock) (*(volatile unsigned short *)(lock) != 0)
#else
#define is_locked(lock) ((lock)->locked != 0)
#endif
#endif

static unsigned int section;

static void first(void)
{
	acquire(&a);
	if (!is_locked(&b)) {
		XM_ENTER(&section);
		XM_LEAVE(&section);
	}
}
static void second(void)
{
	acquire(&b);
	if (!is_locked(&a)) {
		XM_ENTER(&section);
		XM_LEAVE(&section);
	}
}

XM_VCPU(first);
XM_VCPU(second);

/*
 * survivor store removed, `lock->locked = 1;`: who looks at the whole word sees the waiting byte beside it; with the byte alone it is the entry's bug
 */
