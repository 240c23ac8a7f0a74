/*
 * B06  Lock-waiter preemption: the FIFO convoy of ticket locks
 *
 * source: T. Friebel, Xen Summit 2008; J. Fitzhardinge, 2008; provenance G
 *
 * variant ticket: -DTICKET -DCPUS=4 measure pcpus=4,2,1 quantum=20000
 * variant byte: -DCPUS=4 measure pcpus=4,2,1 quantum=20000
 */
#include "xmlock.h"

#define SECTIONS 40
#ifdef TICKET
static struct xm_ticket_lock lock;
#define acquire() xm_ticket_lock(&lock)
#define release() xm_ticket_unlock(&lock)
#else
static volatile unsigned char lock;
#define acquire() xm_byte_lock(&lock)
#define release() xm_byte_unlock(&lock)
#endif
static volatile unsigned int data;

static void cpu(void)
{
	for (int n = 0; n < SECTIONS; n++) {
		XM_BEGIN("wait");
		acquire();
		XM_END("wait");
		for (int k = 0; k < 100; k++)
			data++;
		release();
		for (int k = 0; k < 300; k++)
			xm_barrier();
		XM_PROGRESS();
	}
}

XM_VCPUS(cpu, CPUS);
