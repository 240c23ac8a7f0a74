/*
 * xmhyper.h - a hypervisor under the guest, for programs that xmcheck explores: it is code here too, so every hypercall is several
 * steps that others interleave with.
 *
 *  XM_HYPERVISOR(xen)    at file scope: hypercalls by INT 0x82, or VMCALL and VMMCALL, with the numbers of Xen
 *  XM_HYPERVISOR(kvm)    the same with those of KVM
 *  XM_HYPERVISOR(vmi)    the same with those that the ROM of xmvmi.h may use
 *  xm_hypercall(number, a, b)    EAX = number, EBX, ECX = arguments: INT 0x82; xm_vmcall(number, a, b)
 *
 *  | Xen: number, EBX            |                           | KVM: number           |                            |
 *  |-----------------------------|---------------------------|-----------------------|----------------------------|
 *  | 29 sched_op, 0 yield        | xm_hv_yield               | 5 kick, ECX = vCPU    | xm_hv_kick                 |
 *  | 29 sched_op, 1 block        | xm_hv_block               | 11 yield, EBX = vCPU  | xm_hv_yield                |
 *  | 29 sched_op, 3 poll, ECX =  | xm_hv_poll                | HLT: xm_hv_halt(), which kicks end, early ones too |
 *  |    &struct xm_sched_poll    |                           |                                                    |
 *  | 32 event_channel_op, 4 send | xm_hv_send                |                                                    |
 *  | 32 event_channel_op, 9 unmask, ECX = &port              | 2 mmu_op, EBX = batch | xm_hv_batch                |
 *  | 13 multicall, ECX = batch   | xm_hv_batch               | others: -38 (ENOSYS)                               |
 *  | VMI: 86 flush, ECX = batch  | xm_hv_batch               |                                                    |
 *
 * A batch is a struct xm_batch of operations (xmops.h).
 *
 * Events (Xen): 32 ports, each of one vCPU (xm_hv_port_vcpu), with a pending and a mask bit (xm_hv_pending, xm_hv_masked). One that is
 * not masked makes an upcall pending there (xm_hv_vcpus[v].upcall_pending), which is delivered as interrupt XM_HV_UPCALL where the
 * program has XM_HANDLER(XM_HV_UPCALL, ...) and XM_HV_UPCALLS defined before the include. A poll with a timeout may return at any time.
 *
 *  XM_DESCHEDULE(vcpu, max)   at file scope: the vCPU may lose its pCPU between any two instructions, `max` times, and the others see it:
 *                             xm_hv_vcpus[vcpu].preempted (KVM's steal time, Xen's runstate). XM_STEAL_TIME of xmcheck.h has the model's
 *                             hypervisor do it, any number of times
 *
 * That a vCPU stands still needs no declaration: the explorer preempts anywhere. --set pcpus=N lets no more than N of them run at a time; a
 * yield, and sleeping, then give the pCPU to another.
 */
#ifndef XMHYPER_H
#define XMHYPER_H

#include "xmlock.h"
#ifdef XMOPS_H
#error "include xmhyper.h before xmlazy.h: the hypervisor is entered by traps"
#endif
#define XM_ENTERED_BY_TRAP
#include "xmops.h"

#define XM_HV_TRAP 0x82
#define XM_HV_UPCALL 0xf3
#define XM_HV_ENOSYS (-38)

#define XM_SCHED_OP 29
#define XM_SCHED_YIELD 0
#define XM_SCHED_BLOCK 1
#define XM_SCHED_POLL 3
#define XM_EVENT_OP 32
#define XM_EVENT_SEND 4
#define XM_EVENT_UNMASK 9
#define XM_XEN_MULTICALL 13
#define XM_KVM_MMU_OP 2
#define XM_VMI_FLUSH 86
#define XM_KVM_KICK 5
#define XM_KVM_YIELD 11

struct xm_sched_poll {
	const unsigned int *ports;
	unsigned int count;
	unsigned int timeout; /* not 0: there is one */
};

static struct {
	volatile unsigned int polled;	/* ports that it waits for, as bits */
	volatile unsigned char wake;	/* the event byte that it sleeps on */
	volatile unsigned char upcall_pending;
	volatile unsigned char preempted;
} xm_hv_vcpus[XM_HV_VCPUS] __attribute__((unused));
static volatile unsigned int xm_hv_pending __attribute__((unused)), xm_hv_masked __attribute__((unused));
static unsigned char xm_hv_port_vcpu[32] __attribute__((unused));

XM_INLINE_ int xm_test_and_set(volatile unsigned int *word, unsigned int bit)
{
	unsigned char before;
	__asm__ __volatile__("lock btsl %2, %0\n\tsetc %1" : "+m"(*word), "=qm"(before) : "r"(bit) : "memory", "cc");
	return before;
}
XM_INLINE_ void xm_clear_bit(volatile unsigned int *word, unsigned int bit)
{
	__asm__ __volatile__("lock btrl %1, %0" : "+m"(*word) : "r"(bit) : "memory", "cc");
}

/* ---- Primitives. `open`: the guest had interrupts on ---- */

#define XM_HV_CALL_ __attribute__((unused, noinline)) static int

XM_HV_CALL_ xm_hv_yield(unsigned int argument, int open)
{
	(void)argument;
	(void)open;
	XM_YIELD();
	return 0;
}
XM_HV_CALL_ xm_hv_kick(unsigned int vcpu, int open)
{
	(void)open;
	XM_KICK(vcpu);
	return 0;
}
/* Until an upcall is pending. One that was delivered before it was called is forgotten, other than a kick. */
XM_HV_CALL_ xm_hv_block(unsigned int argument, int open)
{
	(void)argument;
	(void)open;
	XM_STI_POLL(&xm_hv_vcpus[xm_vcpu()].upcall_pending);
	xm_cli();
	return 0;
}
/* Until one of the ports is pending, or an upcall that can be delivered. */
XM_HV_CALL_ xm_hv_poll(unsigned int argument, int open)
{
	const struct xm_sched_poll *const poll = (const struct xm_sched_poll *)argument;
	const unsigned int self = xm_vcpu();
	unsigned int ports = 0;
	for (unsigned int n = 0; n < poll->count; n++)
		ports |= 1u << poll->ports[n];
	xm_hv_vcpus[self].wake = 0;
	xm_xchg(&xm_hv_vcpus[self].polled, ports); /* said before it looks */
	if ((xm_hv_pending & ports) == 0 && !poll->timeout) {
		if (!open)
			XM_POLL(&xm_hv_vcpus[self].wake);
		else if (!xm_hv_vcpus[self].upcall_pending) {
			XM_STI_POLL(&xm_hv_vcpus[self].wake);
			xm_cli();
		}
	}
	xm_hv_vcpus[self].polled = 0;
	return 0;
}
XM_INLINE_ void xm_hv_upcall_(unsigned int vcpu)
{
	if (xm_xchg8(&xm_hv_vcpus[vcpu].upcall_pending, 1) != 0)
		return;
#ifdef XM_HV_UPCALLS
	XM_IPI(vcpu, XM_HV_UPCALL);
#endif
}
XM_HV_CALL_ xm_hv_send(unsigned int argument, int open)
{
	const unsigned int port = *(const unsigned int *)argument;
	const unsigned int vcpu = xm_hv_port_vcpu[port & 31];
	(void)open;
	if (xm_test_and_set(&xm_hv_pending, port & 31))
		return 0;
	if ((xm_hv_masked >> (port & 31) & 1) == 0)
		xm_hv_upcall_(vcpu);
	if (xm_hv_vcpus[vcpu].polled >> (port & 31) & 1)
		xm_notify(&xm_hv_vcpus[vcpu].wake);
	return 0;
}
XM_HV_CALL_ xm_hv_unmask(unsigned int argument, int open)
{
	const unsigned int port = *(const unsigned int *)argument & 31;
	(void)open;
	xm_clear_bit(&xm_hv_masked, port);
	if (xm_hv_pending >> port & 1)
		xm_hv_upcall_(xm_hv_port_vcpu[port]);
	return 0;
}
struct xm_batch {
	struct xm_call *calls;
	unsigned int count;
};
XM_HV_CALL_ xm_hv_batch(unsigned int argument, int open)
{
	const struct xm_batch *const batch = (const struct xm_batch *)argument;
	(void)open;
	xm_multicall(batch->calls, batch->count);
	return 0;
}
/* Not a hypercall but an exit. */
XM_INLINE_ void xm_hv_halt(void) { XM_HALT(); }

/* ---- ABIs: numbers to primitives ---- */

struct xm_hv_row {
	unsigned int number;
	int command; /* -1: the number alone decides, and `argument` says which register has the argument */
	int (*call)(unsigned int argument, int open);
	unsigned int in_ebx;
};
static const struct xm_hv_row xm_hv_xen[] __attribute__((unused)) = {
	{ XM_SCHED_OP, XM_SCHED_YIELD, xm_hv_yield, 0 },
	{ XM_SCHED_OP, XM_SCHED_BLOCK, xm_hv_block, 0 },
	{ XM_SCHED_OP, XM_SCHED_POLL, xm_hv_poll, 0 },
	{ XM_EVENT_OP, XM_EVENT_SEND, xm_hv_send, 0 },
	{ XM_EVENT_OP, XM_EVENT_UNMASK, xm_hv_unmask, 0 },
	{ XM_XEN_MULTICALL, -1, xm_hv_batch, 0 },
	{ 0, 0, 0, 0 },
};
static const struct xm_hv_row xm_hv_kvm[] __attribute__((unused)) = {
	{ XM_KVM_KICK, -1, xm_hv_kick, 0 },
	{ XM_KVM_YIELD, -1, xm_hv_yield, 1 },
	{ XM_KVM_MMU_OP, -1, xm_hv_batch, 1 },
	{ 0, 0, 0, 0 },
};
static const struct xm_hv_row xm_hv_vmi[] __attribute__((unused)) = {
	{ XM_VMI_FLUSH, -1, xm_hv_batch, 0 },
	{ 0, 0, 0, 0 },
};

__attribute__((unused)) static void xm_hv_dispatch(const struct xm_hv_row *row, struct xm_frame *frame)
{
	for (; row->call; row++)
		if (row->number == frame->eax && (row->command < 0 || (unsigned int)row->command == frame->ebx)) {
			xm_guest_frame[xm_vcpu()] = frame;
			frame->eax = (unsigned int)row->call(row->in_ebx ? frame->ebx : frame->ecx, (frame->eflags & XM_FLAGS_IF) != 0);
			xm_guest_frame[xm_vcpu()] = 0;
			return;
		}
	frame->eax = (unsigned int)XM_HV_ENOSYS;
}
/* #UD: VMCALL (0F 01 C1) and VMMCALL (0F 01 D9) exit to the hypervisor; anything else is one. */
__attribute__((unused)) static void xm_hv_exit(const struct xm_hv_row *rows, struct xm_frame *frame)
{
	const unsigned char *const code = (const unsigned char *)frame->eip;
	if (code[0] != 0x0f || code[1] != 0x01 || (code[2] != 0xc1 && code[2] != 0xd9))
		XM_FAIL();
	frame->eip += 3;
	xm_hv_dispatch(rows, frame);
}

#define XM_HYPERVISOR(abi)                                                                                             \
	static void xm_hv_by_trap(struct xm_frame *frame) { xm_hv_dispatch(xm_hv_##abi, frame); }                      \
	static void xm_hv_by_exit(struct xm_frame *frame) { xm_hv_exit(xm_hv_##abi, frame); }                          \
	XM_HANDLER(XM_HV_TRAP, xm_hv_by_trap);                                                                         \
	XM_HANDLER(6, xm_hv_by_exit)

XM_INLINE_ int xm_hypercall(unsigned int number, unsigned int a, const volatile void *b)
{
	__asm__ __volatile__("int $0x82" : "+a"(number) : "b"(a), "c"(b) : "memory", "cc");
	return (int)number;
}
XM_INLINE_ int xm_vmcall(unsigned int number, unsigned int a, unsigned int b)
{
	__asm__ __volatile__(".byte 0x0f, 0x01, 0xc1" : "+a"(number) : "b"(a), "c"(b) : "memory", "cc");
	return (int)number;
}

/* ---- Descheduling, where others can see it: an exit between two instructions ---- */

__attribute__((unused)) static void xm_hv_deschedule(struct xm_frame *frame)
{
	const unsigned int self = xm_vcpu();
	(void)frame;
	xm_hv_vcpus[self].preempted = 1;
	xm_lock_fence();
	xm_hv_vcpus[self].preempted = 0;
	xm_lock_fence();
}
#define XM_DESCHEDULE(vcpu, max) XM_NMI(vcpu, xm_hv_deschedule, max)

#endif /* XMHYPER_H */

/*
 * survivor store removed, xm_hv_dispatch, `xm_guest_frame[xm_vcpu()] = 0;`: the next hypercall sets it anew
 */
