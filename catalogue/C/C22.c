/*
 * C22  PAE: a 64-bit entry read by two loads while it is being populated
 *
 * source: 26c191788f18 (pmd_read_atomic), provenance H
 *
 * variant naive:
 * variant fixed: -DFIXED
 */
#include "xmcheck.h"

#define LOW 0x00200067u
#define HIGH 0x00000001u

static union {
	unsigned int half[2];
	unsigned long long both;
} entry __attribute__((aligned(8)));

/* set_64bit */
static void populate(void)
{
	unsigned int low = 0, high = 0;
	__asm__ __volatile__("lock cmpxchg8b %2"
			     : "+a"(low), "+d"(high), "+m"(entry.both)
			     : "b"(LOW), "c"(HIGH)
			     : "memory", "cc");
}

static void walker(void)
{
	const unsigned int low = xm_load(&entry.half[0]);
#ifdef FIXED
	/* A low half of 0 is no entry, whatever the other one is by now. */
	const unsigned int high = low ? xm_load(&entry.half[1]) : 0;
#else
	const unsigned int high = xm_load(&entry.half[1]);
#endif
	XM_ASSERT((low == 0 && high == 0) || (low == LOW && high == HIGH));
}
XM_VCPU(populate);
XM_VCPU(walker);
