/*
 * B14  The pv ticket unlock touches the lock after it released it
 *
 * source: d6abfdb20223 (x86/spinlocks/paravirt: fix memory corruption on unlock), provenance W
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#include "xmlock.h"

#define SLOW 1
/* The flag is in the tail (buggy), or in the head (fixed): then the releasing XADD carries it out. */
static struct object {
	volatile unsigned char head, tail;
	unsigned int payload;
} object = { 0, 2, 1 };

static void owner(void)
{
#ifdef FIXED
	unsigned char old = 2;
	__asm__ __volatile__("lock xaddb %0, %1" : "+q"(old), "+m"(object.head) : : "memory", "cc");
	if (old & SLOW)
		XM_KICK(1);
#else
	__asm__ __volatile__("lock addb $2, %0" : "+m"(object.head) : : "memory", "cc");
	if (object.tail & SLOW)
		XM_KICK(1);
#endif
}

/* Next owner: frees the object once it has the lock and gave it up. */
static void next(void)
{
	unsigned char mine = 2;
	__asm__ __volatile__("lock xaddb %0, %1" : "+q"(mine), "+m"(object.tail) : : "memory", "cc");
	while ((object.head & ~SLOW) != mine)
		xm_pause();
	XM_FREE(&object, sizeof object);
}

XM_VCPU(owner);
XM_VCPU(next);
