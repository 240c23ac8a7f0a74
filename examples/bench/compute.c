/*
 * A compute-bound guest for `xmcheck bench cpu`: sieve, hash-like mixing, list walk, byte copy, recursion; some
 * 200 M instructions at ROUNDS 30, gcc -O2 -m32 -march=i386. It ends in an assertion, so a wrong CPU is not just fast.
 */
#include "xmcheck.h"

/* A test runs a small one. */
#ifndef SMALL
#define ROUNDS 30
#define LIMIT 65536
#define PRIMES 6542
#define MIXES 100000
#define NODES 4096
#define LAPS 50
#define BYTES 16384
#define FIB 22
#else
#define ROUNDS 1
#define LIMIT 4096
#define PRIMES 564
#define MIXES 1000
#define NODES 64
#define LAPS 10
#define BYTES 1024
#define FIB 10
#endif

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
		XM_ASSERT(sieve() == PRIMES);
		h = mix(h, MIXES);
		h += walk(LAPS) + copy() + fib(FIB);
	}
	XM_ASSERT(h != 0);
}

XM_VCPU(compute);
