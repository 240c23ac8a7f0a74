/*
 * P08  The life of a batch: slots, arguments, continuation after preemption
 *
 * source: "Paravirt cpu batching", December 2006 (one multicall for a context switch), VMI review, March 2006 (multicalls); Xen 430203d65f9e (state of a
 *         continuation belongs to the vCPU), 63ffe9b07eed; provenance G
 *
 * Entries add to counters, so that one carried out twice, or not at all, shows; slots say when they are filled, and arguments until when they are
 * needed (unfilled-slot, argument-changed). The hypervisor may stop behind any entry, and carries on later.
 *
 * variant slot-protected:
 * variant slot-filled-then-counted: -DINTERRUPTIBLE
 * variant slot-counted-then-filled: -DINTERRUPTIBLE -DCOUNTED_FIRST
 * variant argument-copied: -DARGUMENTS
 * variant argument-on-the-stack: -DARGUMENTS -DSTACK
 * variant continued-behind-the-last: -DPREEMPTED
 * variant started-again: -DPREEMPTED -DFROM_THE_START
 * variant progress-kept-for-each-vcpu: -DPREEMPTED -DTWO
 * variant progress-kept-for-all: -DPREEMPTED -DTWO -DSHARED
 */
#include "xmcheck.h"

#define ENTRIES 2
struct add {
	volatile unsigned int *volatile to;
	volatile unsigned int value;
};

#if defined(PREEMPTED)
static volatile unsigned int sums[2];
/* How far each vCPU's batch, or the pCPU's, was. */
static volatile unsigned int progress[2];
#ifdef SHARED
#define PROGRESS(vcpu) progress[0]
#else
#define PROGRESS(vcpu) progress[vcpu]
#endif

/* 1: it was preempted, and wants to be called again. */
static int multicall(int vcpu, const struct add *entries)
{
	(void)vcpu;
	for (unsigned int n = PROGRESS(vcpu); n < ENTRIES; n++) {
		*entries[n].to += entries[n].value;
		if (n + 1 < ENTRIES && XM_CHOOSE(2)) {
#ifndef FROM_THE_START
			PROGRESS(vcpu) = n + 1;
#endif
			return 1;
		}
	}
	PROGRESS(vcpu) = 0;
	return 0;
}
static void guest(int vcpu)
{
	const struct add entries[ENTRIES] = { { &sums[vcpu], 1 }, { &sums[vcpu], 2 } };
	for (unsigned int tries = 0; tries < ENTRIES && multicall(vcpu, entries); tries++)
		;
	XM_ASSERT(sums[vcpu] == 3 && PROGRESS(vcpu) == 0);
}
#else
static volatile struct add queue[ENTRIES + 1];
static volatile unsigned int count, sum;

static void unfilled(void) { XM_UNFILLED(queue, sizeof queue); }
static void flush(void)
{
	for (unsigned int n = 0; n < count; n++) {
		volatile unsigned int *const argument = (volatile unsigned int *)queue[n].value;
		XM_SETTLED(argument, sizeof *argument);
		*queue[n].to += *argument;
	}
	count = 0;
	unfilled();
}
static unsigned int one = 1, two = 2;
static void fill(unsigned int slot, const unsigned int *argument)
{
	queue[slot].to = &sum;
	queue[slot].value = (unsigned int)argument;
	XM_SETTLED(&queue[slot], sizeof queue[slot]);
	XM_LENT(argument, sizeof *argument);
}
#ifdef ARGUMENTS
/* What the entry points to has to be there until the flush. */
static unsigned int copies[ENTRIES];
__attribute__((noinline)) static void add(unsigned int value)
{
	unsigned int local = value;
#ifdef STACK
	fill(count, &local); /* which is gone when the function returns */
	xm_barrier();
#else
	copies[count] = local;
	fill(count, &copies[count]);
#endif
	count++;
}
static void guest(void)
{
	unfilled();
	add(one);
	add(two);
	flush();
	XM_ASSERT(sum == 3 && count == 0);
}
#else
static void interrupt(struct xm_frame *frame)
{
	(void)frame;
	flush();
}
XM_IRQ(0, 0x40, interrupt, 1);
static void add(const unsigned int *argument)
{
#ifndef INTERRUPTIBLE
	xm_cli();
#endif
	const unsigned int slot = count;
#ifdef COUNTED_FIRST
	count = slot + 1;
	fill(slot, argument);
#else
	fill(slot, argument);
	count = slot + 1;
#endif
#ifndef INTERRUPTIBLE
	xm_sti();
#endif
}
static void guest(void)
{
	unfilled();
	xm_sti();
	add(&one);
	add(&two);
	xm_cli();
	flush();
	XM_ASSERT(sum == 3 && count == 0);
}
#endif
#endif

XM_VCPU(guest);
#ifdef TWO
XM_VCPU(guest);
#endif
