/*
 * xmpvmm.h - TLB shootdown under a hypervisor: who has to be told, and does not run, costs what it takes until it does.
 *
 *  XM_PV_SHOOTDOWN(n, backend)  at file scope, instead of XM_SHOOTDOWN(n) of xmmm.h. xm_flush_page then tells the others by
 *      ipi   interrupts, as without a hypervisor
 *      kvm   interrupts to those that run. For those that do not, a bit that the hypervisor looks at when they run again
 *            (Linux 2017, f38a7b75267f: KVM_VCPU_FLUSH_TLB)
 *      xen   a hypercall (MMUEXT_INVLPG_MULTI, MMUEXT_TLB_FLUSH_MULTI): the hypervisor interrupts those that run, be their own
 *            interrupts on or off, and flushes the others when they run again
 *
 *  XM_PV_DESCHEDULE(vcpu, max)  at file scope: the vCPU may lose its pCPU between any two instructions, `max` times, and the others
 *      see it: xm_steal[vcpu]. Under `xmcheck cost` it is what the scheduler does there, with max 0
 *  XM_PV_STEAL_TIME()           at file scope, instead: the hypervisor of the model (XM_STEAL_TIME) takes any vCPU's pCPU away, any number of
 *      times, and drops its translations itself: for `ipi` and `kvm`
 *
 * But for that the hypervisor is code here too. It comes in by NMI, as exits do whatever the guest does with its interrupts.
 */
#ifndef XMPVMM_H
#define XMPVMM_H

#include "xmmm.h"

/* KVM's steal time, Xen's runstate. */
#define XM_PREEMPTED XM_STEAL_PREEMPTED
#define XM_FLUSH_AT_ENTRY XM_STEAL_FLUSH
static volatile unsigned int xm_steal[XM_VCPUS_MAX] __attribute__((unused, aligned(64)));

/* What hypercalls ask running vCPUs for. */
static volatile unsigned int xm_hv_flush_vcpus __attribute__((unused)), xm_hv_flush_linear __attribute__((unused));

XM_INLINE_ void xm_hv_answer(unsigned int self)
{
	if (!(xm_hv_flush_vcpus & 1u << self))
		return;
	xm_flush_local(xm_hv_flush_linear);
	xm_clear_mask(&xm_hv_flush_vcpus, 1u << self);
}

/* Leaves a request for the next entry of a vCPU that does not run; 0: it runs. */
XM_INLINE_ int xm_flush_at_entry(unsigned int vcpu)
{
	const unsigned int state = xm_steal[vcpu];
	return (state & XM_PREEMPTED) && xm_cmpxchg(&xm_steal[vcpu], state, state | XM_FLUSH_AT_ENTRY) == state;
}

/* An exit: for a flush that somebody waits for, or because the pCPU is taken away, which may happen at any. */
__attribute__((unused)) static void xm_hv_exit(struct xm_frame *frame)
{
	const unsigned int self = xm_vcpu();
	(void)frame;
	xm_xchg(&xm_steal[self], XM_PREEMPTED);
	xm_hv_answer(self); /* whoever did not see that yet waits for it */
	XM_OFF_CPU();
	if (xm_xchg(&xm_steal[self], 0) & XM_FLUSH_AT_ENTRY)
		xm_flush_all();
}
#define XM_PV_DESCHEDULE(vcpu, max) XM_NMI_SOURCE(vcpu, max)
#define XM_PV_STEAL_TIME() XM_STEAL_TIME(xm_steal)

__attribute__((unused)) static void xm_ipi_flush(unsigned int mask, struct xm_mm *mm, unsigned int linear)
{
	xm_flush_others(mask, mm, linear);
}

__attribute__((unused)) static void xm_kvm_flush(unsigned int mask, struct xm_mm *mm, unsigned int linear)
{
	for (unsigned int v = 0; v < XM_VCPUS_MAX; v++)
		if ((mask & 1u << v) && xm_flush_at_entry(v))
			mask &= ~(1u << v);
	if (mask)
		xm_flush_others(mask, mm, linear);
}

/* The request is there before anybody looks who runs: whoever begins to run meanwhile sees it. */
__attribute__((unused)) static void xm_xen_flush(unsigned int mask, struct xm_mm *mm, unsigned int linear)
{
	(void)mm;
	XM_HYPERCALL_("flush", 1);
	xm_lock(&xm_flush_lock); /* whoever goes offline has it too */
	mask &= ~xm_gone_vcpus;
	xm_hv_flush_linear = linear;
	xm_set_mask(&xm_hv_flush_vcpus, mask);
	for (unsigned int v = 0; v < XM_VCPUS_MAX; v++)
		if (mask & 1u << v) {
			if (xm_flush_at_entry(v))
				xm_clear_mask(&xm_hv_flush_vcpus, 1u << v);
			else
				XM_SEND_NMI(v);
		}
	while (xm_hv_flush_vcpus)
		xm_pause();
	xm_unlock(&xm_flush_lock);
}

#define XM_PV_SHOOTDOWN(n, backend)                                                                                    \
	XM_SHOOTDOWN_BY(n, XM_JOIN_(XM_JOIN_(xm_, backend), _flush))                                                                     \
	XM_HANDLER(2, xm_hv_exit);

#endif /* XMPVMM_H */
