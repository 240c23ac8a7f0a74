/*
 * xmlock.h - spinlocks of the i386 as guest code, for programs that xmcheck explores.
 *
 *  struct xm_ticket_lock     16-bit XADD, 8-bit tickets (Linux 2.6.25): xm_ticket_lock, _unlock, _trylock, _draw
 *  struct xm_ticket16_lock   32-bit XADD, 16-bit tickets
 *  volatile unsigned char    byte lock: xm_byte_lock, _unlock, _trylock (XCHG, then spin on a load: test and test-and-set)
 *  struct xm_mcs_lock        queue of nodes (Mellor-Crummey and Scott, 1991)
 *  struct xm_rwlock          readers count, writer takes 0x01000000 of them (Linux RW_LOCK_BIAS)
 *  struct xm_xen_lock        Xen's paravirtualised byte lock: spins, then polls an event byte; fixed form (2496afbf1e50)
 *  struct xm_pv_ticket_lock  ticket lock with a slow-path flag, waiters polled and kicked one by one
 *
 * xm_notify(&byte)  a hypercall that sets an event byte, for whoever polls it: a full barrier
 *
 * Ticket locks and MCS are FIFO; byte, rw and Xen locks are not. All hold mutual exclusion and are free of deadlock with
 * interrupts off; a handler that takes one of them wants them off wherever it is held.
 */
#ifndef XMLOCK_H
#define XMLOCK_H

#include "xmcheck.h"

XM_INLINE_ unsigned char xm_xchg8(volatile unsigned char *p, unsigned char value)
{
	__asm__ __volatile__("xchgb %0, %1" : "+q"(value), "+m"(*p) : : "memory");
	return value;
}
XM_INLINE_ void xm_notify(volatile unsigned char *event) { xm_xchg8(event, 1); }

/* ---- Ticket lock, 8-bit tickets in 16 bits ---- */

struct xm_ticket_lock {
	volatile unsigned char head, tail;
};

XM_INLINE_ unsigned char xm_ticket_draw(struct xm_ticket_lock *lock)
{
	unsigned short both = 0x0100;
	__asm__ __volatile__("lock xaddw %w0, %1" : "+r"(both), "+m"(*(volatile unsigned short *)lock) : : "memory", "cc");
	return (unsigned char)(both >> 8);
}
XM_INLINE_ void xm_ticket_lock(struct xm_ticket_lock *lock)
{
	unsigned short both = 0x0100;
	__asm__ __volatile__("lock xaddw %w0, %1" : "+r"(both), "+m"(*(volatile unsigned short *)lock) : : "memory", "cc");
	while ((unsigned char)both != (unsigned char)(both >> 8)) {
		xm_pause();
		both = (unsigned short)((both & 0xff00) | lock->head);
	}
}
XM_INLINE_ void xm_ticket_unlock(struct xm_ticket_lock *lock)
{
	__asm__ __volatile__("incb %0" : "+m"(lock->head) : : "memory", "cc");
}
XM_INLINE_ int xm_ticket_trylock(struct xm_ticket_lock *lock)
{
	unsigned short seen = *(volatile unsigned short *)lock, found = seen;
	if ((unsigned char)seen != (unsigned char)(seen >> 8))
		return 0;
	__asm__ __volatile__("lock cmpxchgw %2, %1"
			     : "+a"(found), "+m"(*(volatile unsigned short *)lock)
			     : "r"((unsigned short)(seen + 0x0100))
			     : "memory", "cc");
	return found == seen;
}

/* ---- Ticket lock, 16-bit tickets in 32 bits ---- */

struct xm_ticket16_lock {
	volatile unsigned short head, tail;
} __attribute__((aligned(4)));

XM_INLINE_ void xm_ticket16_lock(struct xm_ticket16_lock *lock)
{
	const unsigned int both = xm_xadd(lock, 0x10000);
	while (lock->head != (unsigned short)(both >> 16))
		xm_pause();
}
XM_INLINE_ void xm_ticket16_unlock(struct xm_ticket16_lock *lock)
{
	__asm__ __volatile__("incw %0" : "+m"(lock->head) : : "memory", "cc");
}

/* ---- Byte lock: test and test-and-set ---- */

XM_INLINE_ int xm_byte_trylock(volatile unsigned char *lock) { return xm_xchg8(lock, 1) == 0; }
XM_INLINE_ void xm_byte_lock(volatile unsigned char *lock)
{
	while (!xm_byte_trylock(lock))
		while (*lock)
			xm_pause();
}
XM_INLINE_ void xm_byte_unlock(volatile unsigned char *lock)
{
	xm_barrier();
	*lock = 0;
}

/* ---- MCS ---- */

struct xm_mcs_node {
	struct xm_mcs_node *volatile next;
	volatile unsigned int waits;
};
struct xm_mcs_lock {
	struct xm_mcs_node *volatile tail;
};

XM_INLINE_ void xm_mcs_lock(struct xm_mcs_lock *lock, struct xm_mcs_node *node)
{
	node->next = 0;
	node->waits = 1;
	struct xm_mcs_node *const before = (struct xm_mcs_node *)xm_xchg(&lock->tail, (unsigned int)node);
	if (!before)
		return;
	before->next = node;
	while (node->waits)
		xm_pause();
}
XM_INLINE_ void xm_mcs_unlock(struct xm_mcs_lock *lock, struct xm_mcs_node *node)
{
	if (!node->next) {
		if (xm_cmpxchg(&lock->tail, (unsigned int)node, 0) == (unsigned int)node)
			return;
		while (!node->next)
			xm_pause();
	}
	node->next->waits = 0;
}

/* ---- Readers and writers ---- */

#define XM_RW_BIAS 0x01000000
struct xm_rwlock {
	volatile int free; /* XM_RW_BIAS less the readers; 0: a writer */
};
#define XM_RWLOCK_INIT { XM_RW_BIAS }

XM_INLINE_ void xm_read_lock(struct xm_rwlock *lock)
{
	while ((int)xm_xadd(&lock->free, (unsigned int)-1) <= 0) {
		xm_lock_inc(&lock->free);
		while (lock->free <= 0)
			xm_pause();
	}
}
XM_INLINE_ void xm_read_unlock(struct xm_rwlock *lock) { xm_lock_inc(&lock->free); }
XM_INLINE_ void xm_write_lock(struct xm_rwlock *lock)
{
	while (xm_cmpxchg(&lock->free, XM_RW_BIAS, 0) != XM_RW_BIAS)
		while (lock->free != XM_RW_BIAS)
			xm_pause();
}
XM_INLINE_ void xm_write_unlock(struct xm_rwlock *lock) { xm_xadd(&lock->free, XM_RW_BIAS); }

/* ---- Paravirtualised locks: `event` is the calling vCPU's event byte ---- */

#ifndef XM_SPINS
#define XM_SPINS 2 /* before the slow path */
#endif

struct xm_xen_lock {
	volatile unsigned char lock;
	volatile unsigned short spinners;
};
/* Who waits for what; one a vCPU, in an array of XM_PV_VCPUS. */
#ifndef XM_PV_VCPUS
#define XM_PV_VCPUS 4
#endif
struct xm_pv_waiter {
	volatile unsigned char event;
	void *volatile lock;
	volatile unsigned int want;
};

XM_INLINE_ void xm_xen_lock(struct xm_xen_lock *xl, struct xm_pv_waiter *self)
{
	for (;;) {
		for (int n = 0; n < XM_SPINS; n++) {
			if (xm_xchg8(&xl->lock, 1) == 0)
				return;
			xm_pause();
		}
		self->lock = xl;
		__asm__ __volatile__("lock incw %0" : "+m"(xl->spinners) : : "memory", "cc");
		self->event = 0;
		const int got = xm_xchg8(&xl->lock, 1) == 0;
		if (!got)
			XM_POLL(&self->event);
		__asm__ __volatile__("lock decw %0" : "+m"(xl->spinners) : : "memory", "cc");
		self->lock = 0;
		if (got)
			return;
	}
}
XM_INLINE_ void xm_xen_unlock(struct xm_xen_lock *xl, struct xm_pv_waiter *all)
{
	xl->lock = 0;
	xm_lock_fence();
	if (xl->spinners)
		for (unsigned int v = 0; v < XM_PV_VCPUS; v++)
			if (all[v].lock == xl) {
				xm_notify(&all[v].event);
				break;
			}
}

#define XM_SLOW 1
struct xm_pv_ticket_lock {
	volatile unsigned char head, tail; /* count by 2; XM_SLOW in the head: somebody sleeps */
};

XM_INLINE_ void xm_pv_ticket_lock(struct xm_pv_ticket_lock *lock, struct xm_pv_waiter *self)
{
	unsigned char mine = 2;
	__asm__ __volatile__("lock xaddb %0, %1" : "+q"(mine), "+m"(lock->tail) : : "memory", "cc");
	for (;;) {
		for (int n = 0; n < XM_SPINS; n++) {
			if ((lock->head & ~XM_SLOW) == mine)
				return;
			xm_pause();
		}
		self->event = 0;
		self->lock = 0;
		self->want = mine;
		self->lock = lock;
		__asm__ __volatile__("lock orb $1, %0" : "+m"(lock->head) : : "memory", "cc");
		if ((lock->head & ~XM_SLOW) != mine)
			XM_POLL(&self->event);
		self->lock = 0;
	}
}
XM_INLINE_ void xm_pv_ticket_unlock(struct xm_pv_ticket_lock *lock, struct xm_pv_waiter *all)
{
	unsigned char old = 2;
	/* The releasing instruction is the last access: it carries the flag out. */
	__asm__ __volatile__("lock xaddb %0, %1" : "+q"(old), "+m"(lock->head) : : "memory", "cc");
	if (old & XM_SLOW)
		for (unsigned int v = 0; v < XM_PV_VCPUS; v++)
			if (all[v].lock == lock && all[v].want == (unsigned char)((old & ~XM_SLOW) + 2))
				xm_notify(&all[v].event);
}

#endif /* XMLOCK_H */
