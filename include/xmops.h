/*
 * xmops.h - what a hypervisor is asked to do to the machine: the operations that multicalls, deferred calls and batches of any ABI are made
 * of, carried out on the real page tables, descriptors, CR3, CR0.TS and EFLAGS.IOPL.
 *
 *  struct xm_call                    an operation, its operands, its result (0, or negative)
 *  xm_carry_out(call)                carries one out
 *  xm_multicall(calls, count)        a hypercall that does so with each, in order; xm_hypercalls counts them
 *  xm_guest_frame[vcpu]              where the hypervisor was entered by a trap: the guest's frame, whose EFLAGS it has to change; else 0
 */
#ifndef XMOPS_H
#define XMOPS_H

#include "xmcheck.h"

#ifndef XM_HV_VCPUS
#define XM_HV_VCPUS 4
#endif

enum { XM_OP_STORE, XM_OP_DESCRIPTOR, XM_OP_CR3, XM_OP_TS, XM_OP_IOPL, XM_OP_INVLPG, XM_OP_DR7 };
struct xm_call {
	unsigned int op, a, b, c;
	int result; /* 0, or negative */
};
static unsigned int xm_hypercalls __attribute__((unused));
static struct xm_frame *xm_guest_frame[XM_HV_VCPUS] __attribute__((unused));

XM_INLINE_ void xm_set_ts_now(unsigned int on)
{
	const unsigned int cr0 = xm_read_cr0();
	xm_write_cr0(on ? cr0 | 8 : cr0 & ~8u);
}
XM_INLINE_ void xm_set_iopl_now(unsigned int level)
{
	__asm__ __volatile__("pushfl\n\tandl $~0x3000, (%%esp)\n\torl %0, (%%esp)\n\tpopfl" : : "r"(level << 12) : "memory", "cc");
}
XM_INLINE_ void xm_carry_out(struct xm_call *call)
{
	switch (call->op) {
	case XM_OP_STORE:
		*(volatile unsigned int *)call->a = call->b;
		break;
	case XM_OP_DESCRIPTOR:
		((volatile unsigned int *)call->a)[0] = call->b;
		((volatile unsigned int *)call->a)[1] = call->c;
		break;
	case XM_OP_CR3:
		xm_write_cr3(call->a);
		break;
	case XM_OP_TS:
		xm_set_ts_now(call->a);
		break;
	case XM_OP_IOPL:
#ifdef XM_ENTERED_BY_TRAP
		if (xm_guest_frame[xm_vcpu()] != 0) {
			struct xm_frame *const frame = xm_guest_frame[xm_vcpu()];
			frame->eflags = (frame->eflags & ~0x3000u) | call->a << 12;
			break;
		}
#endif
		xm_set_iopl_now(call->a);
		break;
	case XM_OP_INVLPG:
		xm_invlpg(call->a);
		break;
	case XM_OP_DR7:
		__asm__ __volatile__("movl %0, %%db7" : : "r"(call->a) : "memory");
		break;
	}
	call->result = 0;
}
__attribute__((unused, noinline)) static void xm_hypervisor(struct xm_call *call) { xm_carry_out(call); }
__attribute__((unused, noinline)) static void xm_multicall(struct xm_call *calls, unsigned int count)
{
	xm_hypercalls++;
	XM_HYPERCALL_("multicall", count);
	for (unsigned int n = 0; n < count; n++)
		xm_hypervisor(&calls[n]);
	xm_lock_fence(); /* the return to the guest is serialising: page walks see what was stored */
}

#endif /* XMOPS_H */

/*
 * survivor store removed, xm_multicall, `xm_hypercalls++;`: only measurements read it
 */
