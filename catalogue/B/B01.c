/*
 * B01  The i386 ticket lock: 16-bit XADD, byte-sized owner
 *
 * source: 314cdbefd1fd (x86: FIFO ticket spinlocks), provenance G
 *
 * variant 2..3-cpus/2: -DCPUS=2
 * variant 2..3-cpus/3: -DCPUS=3
 */
#include "xmlock.h"

static struct xm_ticket_lock lock;
static unsigned int data;

static void cpu(void)
{
	xm_ticket_lock(&lock);
	XM_ENTER(&lock);
	data++;
	XM_LEAVE(&lock);
	xm_ticket_unlock(&lock);
}
static void check(void) { XM_ASSERT(data == CPUS); }

XM_VCPUS(cpu, CPUS);
XM_FINAL(check);
XM_OBJECT(lock);
