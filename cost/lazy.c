/*
 * Context switches and remap loops of a paravirtualised kernel, by the interface that it has to its hypervisor. The work on the machine is
 * the same in each; what differs is how often the hypervisor is entered, and what the guest does to get there.
 *
 * A pass is a switch (CR3, ESP0, three TLS descriptors, TS, IOPL), a remap loop of 64 page-table entries, a single one, or nothing.
 *
 * object: -DSWITCH -DNATIVE
 * object: -DSWITCH -DUNBATCHED
 * object: -DSWITCH -DLAZY
 * object: -DSWITCH -DMULTICALL
 * object: -DSWITCH -DHIGHER
 * object: -DREMAP -DNATIVE
 * object: -DREMAP -DUNBATCHED
 * object: -DREMAP -DLAZY
 * object: -DREMAP -DMULTICALL
 * object: -DREMAP -DHIGHER
 * object: -DONE -DUNBATCHED
 * object: -DONE -DLAZY
 * object: -DNOTHING -DUNBATCHED
 * object: -DNOTHING -DLAZY
 */
#define XM_COUNT_HYPERCALLS
#define XM_LAZY_CALLS 32 /* as Xen's guests have had them */
#include "xmlazy.h"

#define PASSES 10
#define PTES 64

static volatile unsigned int table[PTES], tss[2], gdt[6], directory[2];

struct task {
	unsigned int cr3, esp0, tls[6], ts, iopl;
};
static const struct task tasks[2] = {
	{ (unsigned int)&directory[0], 0x1000, { 1, 2, 3, 4, 5, 6 }, 1, 0 },
	{ (unsigned int)&directory[1], 0x2000, { 7, 8, 9, 10, 11, 12 }, 0, 0 },
};

#ifdef SWITCH
#define MODE XM_LAZY_CPU
#define CALLS 7
#define PASS(set, n)                                                                                                   \
	do {                                                                                                           \
		const struct task *const next = &tasks[(n) & 1];                                                       \
		set(XM_OP_CR3, next->cr3, 0, 0);                                                                       \
		set(XM_OP_STORE, (unsigned int)&tss[1], next->esp0, 0);                                                \
		for (unsigned int k = 0; k < 3; k++)                                                                   \
			set(XM_OP_DESCRIPTOR, (unsigned int)&gdt[2 * k], next->tls[2 * k], next->tls[2 * k + 1]);      \
		set(XM_OP_TS, next->ts, 0, 0);                                                                         \
		set(XM_OP_IOPL, next->iopl, 0, 0);                                                                     \
	} while (0)
#elif defined(NOTHING)
#define MODE XM_LAZY_MMU
#define PASS(set, n) (void)(n)
#else
#ifdef ONE
#define CALLS 1
#else
#define CALLS PTES
#endif
#define MODE XM_LAZY_MMU
#define PASS(set, n)                                                                                                   \
	for (unsigned int k = 0; k < CALLS; k++)                                                                       \
	set(XM_OP_STORE, (unsigned int)&table[k], ((n) + k) << 12 | 3, 0)
#endif

#ifdef MULTICALL
static struct xm_call calls[CALLS];
static unsigned int filled;
XM_INLINE_ void fill(unsigned int op, unsigned int a, unsigned int b, unsigned int c)
{
	struct xm_call *const call = &calls[filled++];
	call->op = op;
	call->a = a;
	call->b = b;
	call->c = c;
}
#endif
#ifdef NATIVE
/* With constants for operations, these are the instructions themselves. */
XM_INLINE_ void native(unsigned int op, unsigned int a, unsigned int b, unsigned int c)
{
	struct xm_call call = { op, a, b, c, 0 };
	xm_carry_out(&call);
}
#endif
#ifdef HIGHER
/* The hypervisor knows what a task, and a range of entries, is. */
__attribute__((noinline)) static void hypercall_switch_to(const struct task *next)
{
	XM_HYPERCALL_("higher", 1);
	__asm__ __volatile__("movl %0, %%cr3" : : "r"(next->cr3) : "memory");
	tss[1] = next->esp0;
	for (unsigned int k = 0; k < 6; k++)
		gdt[k] = next->tls[k];
	xm_set_ts_now(next->ts);
	xm_set_iopl_now(next->iopl);
	xm_lock_fence();
}
__attribute__((noinline)) static void hypercall_map_range(volatile unsigned int *entries, unsigned int count, unsigned int first)
{
	XM_HYPERCALL_("higher", 1);
	for (unsigned int k = 0; k < count; k++)
		entries[k] = first + (k << 12);
	xm_lock_fence();
}
#endif

static void guest(void)
{
	for (unsigned int n = 0; n < PASSES; n++) {
#if defined(NATIVE)
		PASS(native, n);
#elif defined(LAZY)
		xm_lazy_enter(MODE);
		PASS(xm_operation, n);
		xm_lazy_leave(MODE);
#elif defined(MULTICALL)
		filled = 0;
		PASS(fill, n);
		xm_multicall(calls, filled);
#elif defined(HIGHER) && defined(SWITCH)
		hypercall_switch_to(&tasks[n & 1]);
#elif defined(HIGHER)
		hypercall_map_range(table, PTES, n << 12 | 3);
#else
		PASS(xm_operation, n);
#endif
		xm_barrier();
	}
}

XM_VCPU(guest);
