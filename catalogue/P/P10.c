/*
 * P10  A lock that is taken by trying again and again, as contention metering does it
 *
 * source: xen-devel, May 2009 (lock statistics never take a lock, they spin with trylocks, so there is nothing to optimise); provenance G
 *
 * variant trylock-excludes:
 * variant trylock-keeps-the-order: -DORDER
 * variant ticket-keeps-the-order: -DORDER -DTICKET
 */
#define XM_PV_VCPUS 4
#include "xmlock.h"

#if defined(PV)
static struct xm_pv_ticket_lock lock;
static struct xm_pv_waiter waiters[XM_PV_VCPUS];
#define UNLOCK() xm_pv_ticket_unlock(&lock, waiters)
#else
static struct xm_ticket_lock lock;
#define UNLOCK() xm_ticket_unlock(&lock)
#endif
static volatile unsigned int data;

static void take(int self)
{
	(void)self;
#if defined(PV)
	xm_pv_ticket_lock(&lock, &waiters[self]);
#elif defined(TICKET)
	XM_ARRIVE(&lock);
	const unsigned char mine = xm_ticket_draw(&lock);
	XM_QUEUED(&lock);
	while (lock.head != mine)
		xm_pause();
	XM_ENTER(&lock);
#else
	XM_ARRIVE(&lock);
	int taken = xm_ticket_trylock(&lock);
#ifdef ORDER
	XM_QUEUED(&lock); /* who comes from here on should be served later */
#endif
	while (!taken) {
		xm_pause();
		taken = xm_ticket_trylock(&lock);
	}
	XM_ENTER(&lock);
#endif
}

#ifdef MEASURE
#define CPUS 4
#define SECTIONS 40
#define WORK 100
#else
#define CPUS 2
#define SECTIONS 2
#define WORK 1
#endif

static void cpu(int self)
{
	for (int n = 0; n < SECTIONS; n++) {
#ifdef MEASURE
		XM_BEGIN("wait");
#endif
		take(self);
#ifdef MEASURE
		XM_END("wait");
#endif
		for (int k = 0; k < WORK; k++)
			data++;
#ifndef PV
		XM_LEAVE(&lock);
#endif
		UNLOCK();
#ifdef MEASURE
		for (int k = 0; k < 3 * WORK; k++)
			xm_barrier();
#endif
	}
}

XM_VCPUS(cpu, CPUS);
#ifndef MEASURE
static void done(void) { XM_ASSERT(data == CPUS * SECTIONS); }
XM_FINAL(done);
#endif
