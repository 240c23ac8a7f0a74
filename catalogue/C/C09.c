/*
 * C09  A synchronous shootdown waits for a vCPU that is not running
 *
 * source: Z. Amsden, March 2006, provenance G
 *
 * The shooter flushes a page of an address space that two other vCPUs use, and waits until both have acknowledged: as long as the
 * hypervisor keeps them off the CPU. Each turn is measured; the others compute, with interrupts on.
 *
 * variant measure: measure pcpus=3,2,1 quantum=20000,80000
 */
#include "xmmm.h"

XM_ONE_PAGE(3)
#define TURNS 20


static volatile unsigned int users, over;

static void shooter(void)
{
	xm_use_mm(&mm);
	while (xm_load(&users) != 6)
		xm_pause();
	for (int n = 0; n < TURNS; n++) {
		for (int k = 0; k < 1000; k++)
			xm_barrier();
		xm_store(&table[0], n & 1 ? (unsigned int)page | 3 : 0);
		XM_BEGIN("shootdown");
		xm_flush_page(&mm, XM_USER);
		XM_END("shootdown");
		XM_PROGRESS();
	}
	xm_store(&over, 1);
	xm_leave();
}

static void user(void)
{
	xm_use_mm(&mm);
	xm_sti();
	xm_set_mask(&users, 1u << xm_vcpu());
	while (!xm_load(&over))
		xm_barrier();
	xm_leave();
}
XM_VCPU(shooter);
XM_VCPUS(user, 2);
