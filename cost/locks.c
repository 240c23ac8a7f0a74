/*
 * The locks of xmlock.h and xmqueued.h, four vCPUs: take, work, release, do something else; SECTIONS times each.
 *
 * objects: TICKET BYTE MCS XEN PV_TICKET KVM_TICKET QUEUED PV_QUEUED
 * object:
 */
#define XM_LOCK_VCPUS 4
#define SECTIONS 40
#define XM_SPINS 256
#define XM_COUNT_HYPERCALLS
#include "xmanylock.h"

XM_ANY_LOCK(lock);
static volatile unsigned int data __attribute__((aligned(64)));

static void cpu(int self)
{
	(void)self;
	for (int n = 0; n < SECTIONS; n++) {
		XM_BEGIN("wait");
		XM_TAKE(lock, self);
		XM_END("wait");
		XM_BEGIN("hold");
		for (int k = 0; k < 100; k++)
			data++;
		XM_END("hold");
		XM_GIVE(lock, self);
		for (int k = 0; k < 300; k++)
			xm_barrier();
		XM_PROGRESS();
	}
}

XM_VCPUS(cpu, XM_LOCK_VCPUS);
