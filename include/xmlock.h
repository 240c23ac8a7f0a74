/*
 * xmlock.h - spinlocks of the i386 as guest code, for programs that xmcheck explores.
 *
 *  struct xm_ticket_lock     16-bit XADD, 8-bit tickets (Linux 2.6.25): xm_ticket_lock, _unlock, _trylock, _draw      FIFO
 *  struct xm_ticket16_lock   32-bit XADD, 16-bit tickets                                                             FIFO
 *  struct xm_dec_lock        byte lock of Linux up to 2.6.24: LOCK DECB, spin, again (XM_DEC_LOCK_INIT)
 *  volatile unsigned char    byte lock: xm_byte_lock, _unlock, _trylock (XCHG, then spin on a load: test and test-and-set)
 *  struct xm_mcs_lock        queue of nodes (Mellor-Crummey and Scott, 1991)                                         FIFO
 *  struct xm_rwlock          readers count, writer takes 0x01000000 of them (Linux RW_LOCK_BIAS)
 *  struct xm_xen_lock        Xen's paravirtualised byte lock: spins, then polls an event byte; fixed form (2496afbf1e50)
 *  struct xm_pv_ticket_lock  ticket lock with a slow-path flag: waiters polled and kicked one by one, xm_pv_ticket_...    FIFO
 *                            or halted and kicked, xm_kvm_ticket_...
 *  struct xm_queued_lock     include/xmqueued.h
 *
 * xm_notify(&byte)  a hypercall that sets an event byte, for whoever polls it: a full barrier
 *
 * All hold mutual exclusion and are free of deadlock with interrupts off; a handler that takes one of them wants them off wherever
 * it is held. While waiting they may be on for byte locks, and for xm_xen_lock_flags and xm_kvm_ticket_lock, which turn them on
 * themselves where they block.
 *
 * XM_LOCK_MARKS, defined before the include: the locks themselves say XM_ARRIVE, XM_QUEUED (those that are FIFO), XM_ENTER and
 * XM_RELEASE (XM_LEAVE: xm_xen_unlock, which looks at the lock once more).
 */
#ifndef XMLOCK_H
#define XMLOCK_H

#include "xmcheck.h"

#ifdef XM_LOCK_MARKS
#define XM_MARK_(mark) mark
#else
#define XM_MARK_(mark) ((void)0)
#endif

XM_INLINE_ unsigned char xm_xchg8(volatile unsigned char *p, unsigned char value)
{
	__asm__ __volatile__("xchgb %0, %1" : "+q"(value), "+m"(*p) : : "memory");
	return value;
}
XM_INLINE_ void xm_notify(volatile unsigned char *event) { XM_HYPERCALL_("kick", 1); xm_xchg8(event, 1); }

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
	XM_MARK_(XM_ARRIVE(lock));
	__asm__ __volatile__("lock xaddw %w0, %1" : "+r"(both), "+m"(*(volatile unsigned short *)lock) : : "memory", "cc");
	XM_MARK_(XM_QUEUED(lock));
	while ((unsigned char)both != (unsigned char)(both >> 8)) {
		xm_pause();
		both = (unsigned short)((both & 0xff00) | lock->head);
	}
	XM_MARK_(XM_ENTER(lock));
}
XM_INLINE_ void xm_ticket_unlock(struct xm_ticket_lock *lock)
{
	XM_MARK_(XM_RELEASE(lock));
	__asm__ __volatile__("incb %0" : "+m"(lock->head) : : "memory", "cc");
}
XM_INLINE_ int xm_ticket_trylock(struct xm_ticket_lock *lock)
{
	XM_MARK_(XM_ARRIVE(lock));
	unsigned short seen = *(volatile unsigned short *)lock, found = seen;
	if ((unsigned char)seen != (unsigned char)(seen >> 8))
		return 0;
	__asm__ __volatile__("lock cmpxchgw %2, %1"
			     : "+a"(found), "+m"(*(volatile unsigned short *)lock)
			     : "r"((unsigned short)(seen + 0x0100))
			     : "memory", "cc");
	if (found != seen)
		return 0;
	XM_MARK_(XM_ENTER(lock));
	return 1;
}

/* ---- Ticket lock, 16-bit tickets in 32 bits ---- */

struct xm_ticket16_lock {
	volatile unsigned short head, tail;
} __attribute__((aligned(4)));

XM_INLINE_ void xm_ticket16_lock(struct xm_ticket16_lock *lock)
{
	XM_MARK_(XM_ARRIVE(lock));
	const unsigned int both = xm_xadd(lock, 0x10000);
	XM_MARK_(XM_QUEUED(lock));
	/* The head as it was drawn with; a later one only where it was another's turn. */
	for (unsigned short head = (unsigned short)both; head != (unsigned short)(both >> 16); head = lock->head)
		xm_pause();
	XM_MARK_(XM_ENTER(lock));
}
XM_INLINE_ void xm_ticket16_unlock(struct xm_ticket16_lock *lock)
{
	XM_MARK_(XM_RELEASE(lock));
	__asm__ __volatile__("incw %0" : "+m"(lock->head) : : "memory", "cc");
}

/* ---- Byte lock: LOCK DECB ---- */

struct xm_dec_lock {
	volatile signed char free; /* 1; 0 or less: taken */
};
#define XM_DEC_LOCK_INIT { 1 }

XM_INLINE_ void xm_dec_lock(struct xm_dec_lock *lock)
{
	unsigned char negative;
	XM_MARK_(XM_ARRIVE(lock));
	for (;;) {
		__asm__ __volatile__("lock decb %0\n\tsets %1" : "+m"(lock->free), "=qm"(negative) : : "memory", "cc");
		if (!negative)
			break;
		while (lock->free <= 0)
			xm_pause();
	}
	XM_MARK_(XM_ENTER(lock));
}
XM_INLINE_ void xm_dec_unlock(struct xm_dec_lock *lock)
{
	XM_MARK_(XM_RELEASE(lock));
	xm_barrier();
	lock->free = 1;
}

/* ---- Byte lock: test and test-and-set ---- */

XM_INLINE_ int xm_byte_trylock_(volatile unsigned char *lock) { return xm_xchg8(lock, 1) == 0; }
XM_INLINE_ int xm_byte_trylock(volatile unsigned char *lock)
{
	XM_MARK_(XM_ARRIVE(lock));
	if (!xm_byte_trylock_(lock))
		return 0;
	XM_MARK_(XM_ENTER(lock));
	return 1;
}
XM_INLINE_ void xm_byte_lock(volatile unsigned char *lock)
{
	XM_MARK_(XM_ARRIVE(lock));
	while (!xm_byte_trylock_(lock))
		while (*lock)
			xm_pause();
	XM_MARK_(XM_ENTER(lock));
}
XM_INLINE_ void xm_byte_unlock(volatile unsigned char *lock)
{
	XM_MARK_(XM_RELEASE(lock));
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
	XM_MARK_(XM_ARRIVE(lock));
	node->next = 0;
	node->waits = 1;
	struct xm_mcs_node *const before = (struct xm_mcs_node *)xm_xchg(&lock->tail, (unsigned int)node);
	XM_MARK_(XM_QUEUED(lock));
	if (before) {
		before->next = node;
		while (node->waits)
			xm_pause();
	}
	XM_MARK_(XM_ENTER(lock));
}
XM_INLINE_ void xm_mcs_unlock(struct xm_mcs_lock *lock, struct xm_mcs_node *node)
{
	XM_MARK_(XM_RELEASE(lock));
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
	XM_MARK_(XM_ARRIVE(lock));
	while (xm_cmpxchg(&lock->free, XM_RW_BIAS, 0) != XM_RW_BIAS)
		while (lock->free != XM_RW_BIAS)
			xm_pause();
	XM_MARK_(XM_ENTER(lock));
}
XM_INLINE_ void xm_write_unlock(struct xm_rwlock *lock)
{
	XM_MARK_(XM_RELEASE(lock));
	xm_xadd(&lock->free, XM_RW_BIAS);
}

/* ---- Paravirtualised locks ---- */

#ifndef XM_SPINS
#define XM_SPINS 2 /* before the slow path */
#endif

struct xm_xen_lock {
	volatile unsigned char lock;
	volatile unsigned short spinners;
};
/* Who waits for what, and the event byte that it polls; one a vCPU, in an array of XM_PV_VCPUS. */
#ifndef XM_PV_VCPUS
#define XM_PV_VCPUS 4
#endif
struct xm_pv_waiter {
	volatile unsigned char event;
	void *volatile lock;
	volatile unsigned int want;
};
#define XM_FLAGS_IF 0x200u

/* `flags`: EFLAGS of the caller, whose interrupts are off now; where they were on, they are on while it blocks. */
XM_INLINE_ void xm_xen_lock_flags(struct xm_xen_lock *xl, struct xm_pv_waiter *self, unsigned int flags)
{
	XM_MARK_(XM_ARRIVE(xl));
	for (;;) {
		for (int n = 0; n < XM_SPINS; n++) {
			if (xm_xchg8(&xl->lock, 1) == 0) {
				XM_MARK_(XM_ENTER(xl));
				return;
			}
			xm_pause();
		}
		/* It may have interrupted one that waits. */
		void *const interrupted = self->lock;
		self->lock = xl;
		__asm__ __volatile__("lock incw %0" : "+m"(xl->spinners) : : "memory", "cc");
		self->event = 0;
		const int got = xm_xchg8(&xl->lock, 1) == 0;
		if (!got) {
			if (flags & XM_FLAGS_IF) {
				XM_STI_POLL(&self->event);
				xm_cli();
			} else
				XM_POLL(&self->event);
		}
		__asm__ __volatile__("lock decw %0" : "+m"(xl->spinners) : : "memory", "cc");
		self->lock = interrupted;
		if (interrupted)
			self->event = 1; /* it looks again before it blocks again */
		if (got) {
			XM_MARK_(XM_ENTER(xl));
			return;
		}
	}
}
XM_INLINE_ void xm_xen_lock(struct xm_xen_lock *xl, struct xm_pv_waiter *self) { xm_xen_lock_flags(xl, self, 0); }
XM_INLINE_ void xm_xen_unlock(struct xm_xen_lock *xl, struct xm_pv_waiter *all)
{
	XM_MARK_(XM_LEAVE(xl));
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

XM_INLINE_ unsigned char xm_pv_ticket_draw_(struct xm_pv_ticket_lock *lock)
{
	unsigned char mine = 2;
	XM_MARK_(XM_ARRIVE(lock));
	__asm__ __volatile__("lock xaddb %0, %1" : "+q"(mine), "+m"(lock->tail) : : "memory", "cc");
	XM_MARK_(XM_QUEUED(lock));
	return mine;
}
XM_INLINE_ int xm_pv_ticket_is_(struct xm_pv_ticket_lock *lock, unsigned char mine) { return (lock->head & ~XM_SLOW) == mine; }
/* Says that the caller waits; 1: and its turn has not come. The pair is never half written. */
XM_INLINE_ int xm_pv_ticket_waits_(struct xm_pv_ticket_lock *lock, struct xm_pv_waiter *self, unsigned char mine)
{
	self->lock = 0;
	self->want = mine;
	self->lock = lock;
	__asm__ __volatile__("lock orb $1, %0" : "+m"(lock->head) : : "memory", "cc");
	return !xm_pv_ticket_is_(lock, mine);
}
/* Releases; 1 where somebody may sleep, and then `next` is whose turn it is. */
XM_INLINE_ int xm_pv_ticket_pass_(struct xm_pv_ticket_lock *lock, unsigned char *next)
{
	unsigned char old = 2;
	XM_MARK_(XM_RELEASE(lock));
	/* The releasing instruction is the last access: it carries the flag out. */
	__asm__ __volatile__("lock xaddb %0, %1" : "+q"(old), "+m"(lock->head) : : "memory", "cc");
	*next = (unsigned char)((old & ~XM_SLOW) + 2);
	return old & XM_SLOW;
}

XM_INLINE_ void xm_pv_ticket_lock(struct xm_pv_ticket_lock *lock, struct xm_pv_waiter *self)
{
	const unsigned char mine = xm_pv_ticket_draw_(lock);
	for (;;) {
		for (int n = 0; n < XM_SPINS; n++) {
			if (xm_pv_ticket_is_(lock, mine)) {
				XM_MARK_(XM_ENTER(lock));
				return;
			}
			xm_pause();
		}
		self->event = 0;
		if (xm_pv_ticket_waits_(lock, self, mine))
			XM_POLL(&self->event);
		self->lock = 0;
	}
}
XM_INLINE_ void xm_pv_ticket_unlock(struct xm_pv_ticket_lock *lock, struct xm_pv_waiter *all)
{
	unsigned char next;
	if (xm_pv_ticket_pass_(lock, &next))
		for (unsigned int v = 0; v < XM_PV_VCPUS; v++)
			if (all[v].lock == lock && all[v].want == next)
				xm_notify(&all[v].event);
}

/* KVM: halts, with interrupts on where they were, and is kicked out of it. A kick counts that comes before the halt. */
XM_INLINE_ void xm_kvm_ticket_lock(struct xm_pv_ticket_lock *lock, struct xm_pv_waiter *self)
{
	const unsigned char mine = xm_pv_ticket_draw_(lock);
	for (;;) {
		for (int n = 0; n < XM_SPINS; n++) {
			if (xm_pv_ticket_is_(lock, mine)) {
				XM_MARK_(XM_ENTER(lock));
				return;
			}
			xm_pause();
		}
		const unsigned int flags = xm_irq_save();
		if (xm_pv_ticket_waits_(lock, self, mine)) {
			if (flags & XM_FLAGS_IF) {
				XM_STI_HALT();
				xm_cli();
			} else
				XM_HALT();
		}
		self->lock = 0;
		xm_irq_restore(flags);
	}
}
/* The caller is vCPU v where it waits in all[v]. */
XM_INLINE_ void xm_kvm_ticket_unlock(struct xm_pv_ticket_lock *lock, struct xm_pv_waiter *all)
{
	unsigned char next;
	if (xm_pv_ticket_pass_(lock, &next))
		for (unsigned int v = 0; v < XM_PV_VCPUS; v++)
			if (all[v].lock == lock && all[v].want == next)
				XM_KICK(v);
}

#endif /* XMLOCK_H */
