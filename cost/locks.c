/*
 * The locks of xmlock.h, four vCPUs: take, work, release, do something else; SECTIONS times each. With CHECK also the program
 * that judges them: one section each, ownership marked.
 *
 * object: -DTICKET
 * object: -DBYTE
 * object: -DMCS
 * object: -DXEN
 * object: -DPV_TICKET
 * object: -DTICKET -DCHECK
 * object: -DTICKET16 -DCHECK
 * object: -DBYTE -DCHECK
 * object: -DMCS -DCHECK
 * object: -DXEN -DCHECK
 * object: -DPV_TICKET -DCHECK
 * object: -DWRITE -DCHECK
 */
#ifdef CHECK
#define CPUS 2
#define SECTIONS 1
#define XM_SPINS 1
#define XM_PV_VCPUS 2
#else
#define CPUS 4
#define SECTIONS 40
#define XM_SPINS 64
#endif
#include "xmlock.h"

#if defined(TICKET)
static struct xm_ticket_lock lock;
#define ACQUIRE() xm_ticket_lock(&lock)
#define RELEASE() xm_ticket_unlock(&lock)
#elif defined(TICKET16)
static struct xm_ticket16_lock lock;
#define ACQUIRE() xm_ticket16_lock(&lock)
#define RELEASE() xm_ticket16_unlock(&lock)
#elif defined(BYTE)
static volatile unsigned char lock;
#define ACQUIRE() xm_byte_lock(&lock)
#define RELEASE() xm_byte_unlock(&lock)
#elif defined(MCS)
static struct xm_mcs_lock lock;
static struct xm_mcs_node nodes[CPUS] __attribute__((aligned(64)));
#define ACQUIRE() xm_mcs_lock(&lock, &nodes[self])
#define RELEASE() xm_mcs_unlock(&lock, &nodes[self])
#elif defined(XEN)
static struct xm_xen_lock lock;
static struct xm_pv_waiter waiters[XM_PV_VCPUS];
#define ACQUIRE() xm_xen_lock(&lock, &waiters[self])
#define RELEASE() xm_xen_unlock(&lock, waiters)
#elif defined(PV_TICKET)
static struct xm_pv_ticket_lock lock;
static struct xm_pv_waiter waiters[XM_PV_VCPUS];
#define ACQUIRE() xm_pv_ticket_lock(&lock, &waiters[self])
#define RELEASE() xm_pv_ticket_unlock(&lock, waiters)
#elif defined(WRITE)
static struct xm_rwlock lock = XM_RWLOCK_INIT;
#define ACQUIRE() xm_write_lock(&lock)
#define RELEASE() xm_write_unlock(&lock)
#endif

static volatile unsigned int data __attribute__((aligned(64)));

static void cpu(int self)
{
	(void)self;
	for (int n = 0; n < SECTIONS; n++) {
		XM_BEGIN("wait");
		ACQUIRE();
		XM_END("wait");
#ifdef CHECK
		XM_ENTER(&lock);
		data++;
		XM_LEAVE(&lock);
#else
		for (int k = 0; k < 100; k++)
			data++;
#endif
		RELEASE();
#ifndef CHECK
		for (int k = 0; k < 300; k++)
			xm_barrier();
		XM_PROGRESS();
#endif
	}
}

XM_VCPUS(cpu, CPUS);
#ifdef CHECK
static void check(void) { XM_ASSERT(data == CPUS); }
XM_FINAL(check);
XM_OBJECT(lock);
#endif
