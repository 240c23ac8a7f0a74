/*
 * C14  A vCPU is reported preempted in the middle of an emulated access
 *
 * source: 6cd88243c7e0, provenance W
 *
 * The emulator has translated, and not yet accessed. Who is told "preempted" leaves a request to flush at the next entry
 * to the guest, and goes on.
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#include "xmmm.h"

#define PREEMPTED 1u
#define FLUSH 2u

static unsigned int table[1024] XM_PAGE, page[1024] XM_PAGE;
static volatile unsigned int steal, request;

static void setup(void) { table[0] = xm_pte(page, XM_PTE_KERNEL); }
XM_INIT(setup);

/* The host's scheduler takes the vCPU away, and gives it back: a flush is due before the guest runs on. */
static void schedule_out(void)
{
	xm_xchg(&steal, PREEMPTED);
	xm_xchg(&steal, 0);
}

/* Entry to the guest: the boundary at which an IPI is answered. */
static void enter_guest(void)
{
	if (request)
		request = 0;
}

static void emulator(void)
{
	for (unsigned int k = 0; k < 2; k++) {
		const unsigned int entry = xm_load(&table[0]);
#ifndef FIXED
		if (XM_CHOOSE(2))
			schedule_out();
#endif
		if (entry & XM_PTE_P)
			xm_load((unsigned int *)(entry & ~0xfffu));
#ifdef FIXED
		if (XM_CHOOSE(2))
			schedule_out();
#endif
		enter_guest();
	}
	xm_xchg(&steal, PREEMPTED); /* for good */
	enter_guest();
}

static void shooter(void)
{
	xm_xchg(&table[0], 0);
	if (xm_cmpxchg(&steal, PREEMPTED, PREEMPTED | FLUSH) != PREEMPTED) {
		request = 1;
		while (request && !(steal & PREEMPTED))
			xm_pause();
	}
	XM_FREE(page, 4);
}
XM_VCPU(shooter);
XM_VCPU(emulator);

/*
 * survivor branch never taken, shooter, `if (xm_cmpxchg(&steal, PREEMPTED, PREEMPTED | FLUSH) != PREEMPTED) {`: it asks too where the flush on entry would do
 */
