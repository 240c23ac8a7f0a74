/*
 * B02  Ticket width overflow: more contenders than tickets, and a carry into the neighbour field
 *
 * source: 314cdbefd1fd and the limit of 256 CPUs that it states, provenance G
 *
 * Scaled: tickets of BITS bits, in the same algebra as 8 bits and 257 contenders.
 *
 * variant n-le-2-k/1-bit: -DBITS=1 -DCPUS=2
 * variant n-le-2-k/2-bit: -DBITS=2 -DCPUS=3
 * variant n-gt-2-k: -DBITS=1 -DCPUS=3
 * variant wide-unlock: -DBITS=8 -DCPUS=2 -DWIDE -DSTART=0xff
 */
#include "xmlock.h"

#ifndef START
#define START 0
#endif
#define MASK ((1u << BITS) - 1)

static union {
	struct {
		volatile unsigned char head, tail;
	};
	volatile unsigned short whole;
} lock = { { START, START } };

static unsigned char draw(void)
{
	unsigned short seen = lock.whole;
	for (;;) {
		const unsigned short next = (unsigned short)((((seen >> 8) + 1) & MASK) << 8 | (seen & 0xff));
		unsigned short found = seen;
		__asm__ __volatile__("lock cmpxchgw %2, %1" : "+a"(found), "+m"(lock.whole) : "r"(next) : "memory", "cc");
		if (found == seen)
			return (unsigned char)(seen >> 8);
		seen = found;
	}
}

static void cpu(void)
{
	const unsigned char mine = draw();
	while (lock.head != mine)
		xm_pause();
	XM_ENTER(&lock);
	XM_LEAVE(&lock);
#ifdef WIDE
	lock.whole++; /* 0xff + 1 carries into the tail */
#else
	lock.head = (lock.head + 1) & MASK;
#endif
	XM_PROGRESS();
}

XM_VCPUS(cpu, CPUS);
XM_OBJECT(lock);
