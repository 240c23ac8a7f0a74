/*
 * Waiting for a flag under a hypervisor, by the calls of Xen and of KVM, and what goes wrong.
 *
 * object: -DXEN
 * object: -DXEN -DUNBOUND
 * object: -DXEN -DCLEARS_LATE
 * object: -DXEN -DTIMEOUT -DCLEARS_LATE
 * object: -DXEN -DINTERRUPTS
 * object: -DKVM
 * object: -DKVM -DNO_KICK
 * object: -DSEEN
 * object: -DSEEN -DTRUSTS
 */
#ifdef INTERRUPTS
#define XM_HV_UPCALLS
#endif
#include "xmhyper.h"

static volatile unsigned int flag;

#if defined(XEN)
XM_HYPERVISOR(xen);
static const unsigned int port = 3;
#ifdef TIMEOUT
static const struct xm_sched_poll poll = { &port, 1, 1000 };
#else
static const struct xm_sched_poll poll = { &port, 1, 0 };
#endif
#ifdef INTERRUPTS
static volatile unsigned int upcalls;
static void upcall(struct xm_frame *frame)
{
	(void)frame;
	xm_hv_vcpus[0].upcall_pending = 0;
	upcalls++;
}
XM_HANDLER(XM_HV_UPCALL, upcall);
#else
static void setup(void) { xm_hv_masked = 1u << 3; }
XM_INIT(setup);
#endif

static void waiter(void)
{
#ifdef INTERRUPTS
	xm_sti();
#endif
	for (;;) {
#ifndef CLEARS_LATE
		xm_clear_bit(&xm_hv_pending, port);
#endif
		if (flag)
			break;
#ifdef CLEARS_LATE
		xm_clear_bit(&xm_hv_pending, port);
#endif
		XM_ASSERT(xm_hypercall(XM_SCHED_OP, XM_SCHED_POLL, &poll) == 0);
	}
#ifdef INTERRUPTS
	xm_cli();
#endif
}
static void waker(void)
{
	flag = 1;
#ifdef UNBOUND
	static const unsigned int other = 4;
	xm_hypercall(XM_EVENT_OP, XM_EVENT_SEND, &other);
#else
	xm_hypercall(XM_EVENT_OP, XM_EVENT_SEND, &port);
#endif
	XM_ASSERT(xm_vmcall(77, 0, 0) == XM_HV_ENOSYS);
}
#elif defined(KVM)
XM_HYPERVISOR(kvm);
static void waiter(void)
{
	while (!flag)
		xm_hv_halt();
	XM_ASSERT(xm_hypercall(XM_SCHED_OP, XM_SCHED_YIELD, 0) == XM_HV_ENOSYS);
}
static void waker(void)
{
	flag = 1;
	xm_vmcall(XM_KVM_YIELD, 0, 0);
#ifndef NO_KICK
	XM_ASSERT(xm_vmcall(XM_KVM_KICK, 0, 0) == 0);
#endif
}
#elif defined(SEEN)
/* vCPU 0 can lose its pCPU, and is seen to: it makes no step as long as it has none, but may be back by the next look. */
XM_DESCHEDULE(0, 1);
static volatile unsigned int steps;
static void waiter(void)
{
	for (int n = 0; n < 3; n++)
		steps++;
}
static void waker(void)
{
	if (xm_hv_vcpus[0].preempted) {
		const unsigned int before = steps;
		const unsigned int after = steps;
		XM_REACH();
#ifdef TRUSTS
		XM_ASSERT(before == after);
#else
		if (xm_hv_vcpus[0].preempted)
			XM_ASSERT(before == after);
#endif
	}
}
#endif

XM_VCPU(waiter);
XM_VCPU(waker);
