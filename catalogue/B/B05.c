/*
 * B05  Lock-holder preemption
 *
 * source: T. Friebel, Xen Summit 2008, provenance G
 *
 * variant measure: -DCPUS=3 measure pcpus=3,2 quantum=20000,80000
 */
#include "xmlock.h"

#define SECTIONS 60
static struct xm_ticket_lock lock;
static volatile unsigned int data;

static void cpu(void)
{
	for (int n = 0; n < SECTIONS; n++) {
		XM_BEGIN("wait");
		xm_ticket_lock(&lock);
		XM_END("wait");
		for (int k = 0; k < 100; k++)
			data++;
		xm_ticket_unlock(&lock);
		for (int k = 0; k < 300; k++)
			xm_barrier();
		XM_PROGRESS();
	}
}

XM_VCPUS(cpu, CPUS);
