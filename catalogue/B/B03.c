/*
 * B03  Is a plain store enough to unlock?
 *
 * source: LKML, November 1999; "PPro errata 66, 92" in asm-i386/spinlock.h; provenance G
 *
 * variant tso/plain:
 * variant tso/locked-where-stores-overtake: -DLOCKED --set storeOrder=any
 * variant erratum-switch: --set storeOrder=any
 */
#include "xmlock.h"

static volatile unsigned int lock;
static volatile unsigned int account[2]; /* equal, but while the lock is held */

static void acquire(void)
{
	unsigned char taken;
	do {
		__asm__ __volatile__("lock btsl $0, %1\n\tsetc %0" : "=qm"(taken), "+m"(lock) : : "memory", "cc");
	} while (taken);
}

static void release(void)
{
#ifdef LOCKED
	__asm__ __volatile__("lock andb $0, %0" : "+m"(lock) : : "memory", "cc");
#else
	__asm__ __volatile__("movb $0, %0" : "=m"(lock) : : "memory");
#endif
}

static void cpu(void)
{
	acquire();
	XM_ENTER(&lock);
	const unsigned int sum = account[0];
	XM_ASSERT(account[1] == sum);
	account[0] = sum + 1;
	account[1] = sum + 1;
	XM_ASSERT(account[0] == sum + 1);
	XM_LEAVE(&lock);
	release();
}

static void both_counted(void) { XM_ASSERT(account[0] == 2 && account[1] == 2); }

XM_VCPUS(cpu, 2);
XM_FINAL(both_counted);
XM_OBJECT(lock);
XM_OBJECT(account);
