/*
 * xmqueued.h - the queued spinlock (Linux 4.2) as guest code, for programs that xmcheck explores: native, and paravirtualised
 * with waiting, kicking and stealing.
 *
 *  31       18 17   16 15      8 7       0
 * [ CPU + 1   | index  ][ pending ][ locked ]     the tail names an MCS node of a CPU: one for each level of nesting
 *
 *  xm_queued_lock(&lock, vcpu)       xm_queued_unlock(&lock)          FIFO
 *  xm_pv_queued_lock(&lock, vcpu)    xm_pv_queued_unlock(&lock)       not: who comes may take it from those who queue
 *
 * XM_PV_WAIT(&byte, value), XM_PV_KICK(vcpu): sleeps, where the byte has the value, until kicked; spurious returns are allowed. By
 * default a halt that kicks end (KVM). Defined before the include: XM_QUEUED_VCPUS (4), XM_QUEUED_NESTING (1: in no interrupt
 * handler), XM_SPINS.
 */
#ifndef XMQUEUED_H
#define XMQUEUED_H

#include "xmlock.h"

#ifndef XM_QUEUED_VCPUS
#define XM_QUEUED_VCPUS 4
#endif
#ifndef XM_QUEUED_NESTING
#define XM_QUEUED_NESTING 1
#endif
#ifndef XM_PV_WAIT
#define XM_PV_WAIT(byte, value)                                                                                        \
	do {                                                                                                           \
		if (*(byte) == (value))                                                                                \
			XM_HALT();                                                                                     \
	} while (0)
#define XM_PV_KICK(vcpu) XM_KICK(vcpu)
#endif

#define XM_Q_LOCKED 0x01u
#define XM_Q_SLOW 0x03u /* locked, and its head of the queue sleeps: it is in xm_q_hash */
#define XM_Q_PENDING 0x100u
#define XM_Q_LOCKED_PENDING 0xffffu
#define XM_Q_TAIL 0xffff0000u

struct xm_queued_lock {
	union {
		volatile unsigned int value;
		volatile unsigned short locked_pending;
		struct {
			volatile unsigned char locked, pending;
			volatile unsigned short tail;
		};
	};
};

enum { XM_Q_RUNNING, XM_Q_HALTED, XM_Q_HASHED };
struct xm_q_node {
	struct xm_q_node *volatile next;
	volatile unsigned char locked; /* the CPU in front is done */
	volatile unsigned char state;
	unsigned char vcpu;
	volatile unsigned char count; /* of the first node of a CPU: nodes in use */
};
static struct xm_q_node xm_q_nodes[XM_QUEUED_VCPUS][XM_QUEUED_NESTING] __attribute__((unused));
/* Which CPU sleeps at the head of a lock's queue. */
static struct {
	struct xm_queued_lock *volatile lock;
	volatile unsigned int vcpu;
} xm_q_hash[XM_QUEUED_VCPUS * XM_QUEUED_NESTING] __attribute__((unused));

XM_INLINE_ unsigned short xm_q_tail_of_(unsigned int vcpu, unsigned int index) { return (unsigned short)((vcpu + 1) << 2 | index); }
XM_INLINE_ struct xm_q_node *xm_q_node_of_(unsigned short tail) { return &xm_q_nodes[(tail >> 2) - 1][tail & 3]; }
XM_INLINE_ unsigned short xm_xchg16(volatile unsigned short *p, unsigned short value)
{
	__asm__ __volatile__("xchgw %0, %1" : "+r"(value), "+m"(*p) : : "memory");
	return value;
}
XM_INLINE_ unsigned short xm_cmpxchg16(volatile unsigned short *p, unsigned short expected, unsigned short value)
{
	__asm__ __volatile__("lock cmpxchgw %2, %1" : "+a"(expected), "+m"(*p) : "r"(value) : "memory", "cc");
	return expected;
}
XM_INLINE_ unsigned char xm_cmpxchg8(volatile unsigned char *p, unsigned char expected, unsigned char value)
{
	__asm__ __volatile__("lock cmpxchgb %2, %1" : "+a"(expected), "+m"(*p) : "q"(value) : "memory", "cc");
	return expected;
}

/* A node of the caller, at the end of the queue; the one in front of it, or 0. */
XM_INLINE_ struct xm_q_node *xm_q_take_node_(unsigned int vcpu, unsigned short *tail)
{
	const unsigned int index = xm_q_nodes[vcpu][0].count++;
	struct xm_q_node *const node = &xm_q_nodes[vcpu][index];
	node->next = 0;
	node->locked = 0;
	node->state = XM_Q_RUNNING;
	node->vcpu = (unsigned char)vcpu;
	*tail = xm_q_tail_of_(vcpu, index);
	return node;
}
XM_INLINE_ struct xm_q_node *xm_q_enqueue_(struct xm_queued_lock *lock, struct xm_q_node *node, unsigned short tail)
{
	const unsigned short old = xm_xchg16(&lock->tail, tail);
	if (old == 0)
		return 0;
	struct xm_q_node *const before = xm_q_node_of_(old);
	before->next = node;
	return before;
}
/* The caller, at the head, owns the lock: who comes behind it is the head now. */
XM_INLINE_ struct xm_q_node *xm_q_leave_queue_(struct xm_q_node *node)
{
	while (!node->next)
		xm_pause();
	node->next->locked = 1;
	return node->next;
}

/* ---- Native ---- */

XM_INLINE_ void xm_queued_lock(struct xm_queued_lock *lock, unsigned int vcpu)
{
	XM_MARK_(XM_ARRIVE(lock));
	unsigned int value = xm_cmpxchg(&lock->value, 0, XM_Q_LOCKED);
	if (value == 0)
		goto owned;
	/* In the middle of a hand-over: it will end. */
	for (int n = 0; n < XM_SPINS && value == XM_Q_PENDING; n++)
		value = lock->value;
	if ((value & ~0xffu) == 0) {
		unsigned char pending;
		__asm__ __volatile__("lock btsl $8, %0\n\tsetc %1" : "+m"(lock->value), "=qm"(pending) : : "memory", "cc");
		value = (lock->value & ~XM_Q_PENDING) | (pending ? XM_Q_PENDING : 0);
		if ((value & ~0xffu) == 0) {
			XM_MARK_(XM_QUEUED(lock));
			while (lock->locked)
				xm_pause();
			lock->locked_pending = XM_Q_LOCKED;
			goto owned;
		}
		if (!pending)
			lock->pending = 0;
	}
	unsigned short tail;
	struct xm_q_node *const node = xm_q_take_node_(vcpu, &tail);
	if (xm_cmpxchg(&lock->value, 0, XM_Q_LOCKED) != 0) {
		struct xm_q_node *const before = xm_q_enqueue_(lock, node, tail);
		XM_MARK_(XM_QUEUED(lock));
		if (before)
			while (!node->locked)
				xm_pause();
		while (((value = lock->value) & XM_Q_LOCKED_PENDING) != 0)
			xm_pause();
		/* Alone in the queue: the queue goes with it. */
		if (value >> 16 != tail || xm_cmpxchg(&lock->value, value, XM_Q_LOCKED) != value) {
			lock->locked = 1;
			xm_q_leave_queue_(node);
		}
	}
	xm_q_nodes[vcpu][0].count--;
owned:
	XM_MARK_(XM_ENTER(lock));
}
XM_INLINE_ void xm_queued_unlock(struct xm_queued_lock *lock)
{
	XM_MARK_(XM_RELEASE(lock));
	xm_barrier();
	lock->locked = 0;
}

/* ---- Paravirtualised ---- */

XM_INLINE_ void xm_q_hash_(struct xm_queued_lock *lock, unsigned int vcpu)
{
	/* As many places as CPUs can sleep at the head of a queue. */
	for (unsigned int k = 0;; k = k + 1 == XM_QUEUED_VCPUS * XM_QUEUED_NESTING ? 0 : k + 1)
		if (xm_cmpxchg(&xm_q_hash[k].lock, 0, (unsigned int)lock) == 0) {
			xm_q_hash[k].vcpu = vcpu;
			return;
		}
}
XM_INLINE_ unsigned int xm_q_unhash_(struct xm_queued_lock *lock)
{
	for (unsigned int k = 0;; k = k + 1 == XM_QUEUED_VCPUS * XM_QUEUED_NESTING ? 0 : k + 1)
		if (xm_q_hash[k].lock == lock) {
			const unsigned int vcpu = xm_q_hash[k].vcpu;
			xm_q_hash[k].lock = 0;
			return vcpu;
		}
}
/* Takes it from those who queue, unless their head has asked that this end. */
XM_INLINE_ int xm_pv_steal_(struct xm_queued_lock *lock)
{
	for (;;) {
		const unsigned int value = lock->value;
		if ((value & XM_Q_LOCKED_PENDING) == 0 && xm_cmpxchg16(&lock->locked_pending, 0, XM_Q_LOCKED) == 0)
			return 1;
		if ((value & XM_Q_TAIL) == 0 || (value & XM_Q_PENDING) != 0)
			return 0;
		xm_pause();
	}
}
XM_INLINE_ void xm_pv_wait_in_queue_(struct xm_q_node *node)
{
	for (;;) {
		for (int n = 0; n < XM_SPINS; n++) {
			if (node->locked)
				return;
			xm_pause();
		}
		xm_xchg8(&node->state, XM_Q_HALTED); /* before the look */
		if (!node->locked)
			XM_PV_WAIT(&node->state, XM_Q_HALTED);
		/* Hashed by who was in front: then it stays so. */
		xm_cmpxchg8(&node->state, XM_Q_HALTED, XM_Q_RUNNING);
		if (node->locked)
			return;
	}
}
XM_INLINE_ void xm_pv_wait_for_lock_(struct xm_queued_lock *lock, struct xm_q_node *node)
{
	int hashed = node->state == XM_Q_HASHED;
	for (;;) {
		node->state = XM_Q_RUNNING;
		lock->pending = 1; /* no more stealing */
		for (int n = 0; n < XM_SPINS; n++) {
			if (lock->locked == 0 && xm_cmpxchg16(&lock->locked_pending, XM_Q_PENDING, XM_Q_LOCKED) == XM_Q_PENDING)
				return;
			xm_pause();
		}
		lock->pending = 0;
		/*
		 * Once: that the lock is not slow does not say that it is not hashed, as who was in front stores that after it has
		 * let the caller go. Where the lock was stolen since, the wait returns at once.
		 */
		if (!hashed) {
			xm_q_hash_(lock, node->vcpu);
			hashed = 1;
			if (xm_xchg8(&lock->locked, XM_Q_SLOW) == 0) {
				/* It was free: there is nobody who would unhash. */
				lock->locked = XM_Q_LOCKED;
				xm_q_unhash_(lock);
				return;
			}
		}
		node->state = XM_Q_HASHED;
		XM_PV_WAIT(&lock->locked, XM_Q_SLOW);
	}
}
XM_INLINE_ void xm_pv_queued_lock(struct xm_queued_lock *lock, unsigned int vcpu)
{
	XM_MARK_(XM_ARRIVE(lock));
	if (xm_cmpxchg(&lock->value, 0, XM_Q_LOCKED) != 0) {
		unsigned short tail;
		struct xm_q_node *const node = xm_q_take_node_(vcpu, &tail);
		if (!xm_pv_steal_(lock)) {
			if (xm_q_enqueue_(lock, node, tail))
				xm_pv_wait_in_queue_(node);
			xm_pv_wait_for_lock_(lock, node);
			const unsigned int value = lock->value;
			if (value >> 16 != tail || xm_cmpxchg(&lock->value, value, value & XM_Q_LOCKED_PENDING) != value) {
				struct xm_q_node *const next = xm_q_leave_queue_(node);
				/* It sleeps: whoever unlocks wakes it, so that it is not woken in vain. */
				if (xm_cmpxchg8(&next->state, XM_Q_HALTED, XM_Q_HASHED) == XM_Q_HALTED) {
					lock->locked = XM_Q_SLOW;
					xm_q_hash_(lock, next->vcpu);
				}
			}
		}
		xm_q_nodes[vcpu][0].count--;
	}
	XM_MARK_(XM_ENTER(lock));
}
XM_INLINE_ void xm_pv_queued_unlock(struct xm_queued_lock *lock)
{
	XM_MARK_(XM_RELEASE(lock));
	if (xm_cmpxchg8(&lock->locked, XM_Q_LOCKED, 0) == XM_Q_LOCKED)
		return;
	/* Unhashed before the lock is free: another may be hashed for it at once. */
	const unsigned int vcpu = xm_q_unhash_(lock);
	lock->locked = 0;
	XM_PV_KICK(vcpu);
}

#endif /* XMQUEUED_H */

/*
 * survivor store removed, `const unsigned int index = xm_q_nodes[vcpu][0].count++;`: who takes one lock at a time needs one node
 * survivor store removed, `xm_q_nodes[vcpu][0].count--;`: who takes one lock once needs one node
 * survivor branch always taken, `if ((value & XM_Q_TAIL) == 0 || (value & XM_Q_PENDING) != 0)`: it queues where it might have stolen
 * survivor store removed, `node->state = XM_Q_RUNNING;`: of who is at the head of the queue nobody asks the state
 * survivor store removed, `xm_q_hash[k].lock = 0;`: there are more places than waits
 * survivor store removed, `lock->pending = 0;`: nobody steals for longer than need be
 * survivor branch always taken, cpu, `if ((value & ~0xffu) == 0) {`: it queues at once; that it may go ahead of who queues takes four vCPUs to show
 * survivor branch never taken, cpu, `if ((value & ~0xffu) == 0) {`: it queues at once
 */
