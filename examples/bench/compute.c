/*
 * A compute-bound guest for `xmcheck bench cpu`: sieve, hash-like mixing, list walk, byte copy, recursion; some
 * 200 M instructions at ROUNDS 40, gcc -O2 -m32 -march=i386. It ends in an assertion, so a wrong CPU is not just fast.
 */
#include "xmcheck.h"

#ifndef ROUNDS
#define ROUNDS 40
#endif
#define LIMIT 65536
#define NODES 4096
#define BYTES 16384

static unsigned char composite[LIMIT];
static struct node { struct node *next; unsigned value; } nodes[NODES];
static unsigned char from[BYTES], to[BYTES];

static unsigned sieve(void)
{
	unsigned count = 0;
	for (unsigned i = 0; i < LIMIT; i++)
		composite[i] = 0;
	for (unsigned i = 2; i < LIMIT; i++) {
		if (composite[i])
			continue;
		count++;
		for (unsigned k = i * 2; k < LIMIT; k += i)
			composite[k] = 1;
	}
	return count;
}

static unsigned mix(unsigned h, unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		h ^= h << 13;
		h ^= h >> 17;
		h ^= h << 5;
		h = h * 0x85ebca6bu + (h >> 3) + i;
		h = (h << 7) | (h >> 25);
	}
	return h;
}

static unsigned walk(unsigned laps)
{
	unsigned sum = 0;
	for (unsigned i = 0; i < NODES; i++) {
		nodes[i].next = &nodes[(i * 1597 + 1) & (NODES - 1)];
		nodes[i].value = i * 3;
	}
	struct node *n = nodes;
	for (unsigned i = 0; i < laps * NODES; i++, n = n->next)
		sum += n->value;
	return sum;
}

static unsigned copy(void)
{
	unsigned sum = 0;
	for (unsigned i = 0; i < BYTES; i++)
		from[i] = i * 7;
	for (unsigned i = 0; i < BYTES; i++)
		to[i] = from[i];
	for (unsigned i = 0; i < BYTES; i++)
		sum += to[i];
	return sum;
}

static __attribute__((noinline)) unsigned fib(unsigned n)
{
	return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static void compute(void)
{
	unsigned h = 1;
	for (unsigned round = 0; round < ROUNDS; round++) {
		XM_ASSERT(sieve() == 6542);
		h = mix(h, 100000);
		h += walk(50) + copy() + fib(22);
	}
	XM_ASSERT(h != 0);
}

XM_VCPU(compute);
