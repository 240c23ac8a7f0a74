/*
 * A page is unmapped while the hypervisor takes pCPUs away, and says so (XM_STEAL_TIME): who does not run is left a flush for its next
 * entry, as on KVM (include/xmpvmm.h). And what goes wrong: who is seen not to run is taken for flushed, or may run again before the
 * request is there.
 *
 *     gcc -m32 -ffreestanding -fno-pic -O2 -I include -DPCPUS=1 -c examples/shootdown/flush.c && xmcheck check flush.o
 *
 * object: -DPCPUS=1
 * object: -DPCPUS=1 -DUNASKED
 * object:
 * object: -DSTORED
 * object: -DUSERS=2 -DPCPUS=1
 * object: -DUSERS=2 -DPCPUS=2
 */
#include "xmpvmm.h"

#ifndef USERS
#define USERS 1
#endif
#ifdef PCPUS
XM_PCPUS(PCPUS);
#endif

/* In place of xm_kvm_flush, for one user. */
__attribute__((unused)) static void xm_wrong_flush(unsigned int mask, struct xm_mm *mm, unsigned int linear)
{
	if (xm_steal[1] & XM_PREEMPTED) {
#ifdef STORED
		xm_steal[1] = XM_PREEMPTED | XM_FLUSH_AT_ENTRY;
		xm_lock_fence();
#endif
		return;
	}
	xm_flush_others(mask, mm, linear);
}
#if defined(UNASKED) || defined(STORED)
XM_ONE_PAGE_BY(XM_PV_SHOOTDOWN(1 + USERS, wrong))
#else
XM_ONE_PAGE_BY(XM_PV_SHOOTDOWN(1 + USERS, kvm))
#endif
XM_PV_STEAL_TIME();

static void unmapper(void)
{
	xm_xchg(&table[0], 0);
	xm_flush_page(&mm, XM_USER);
	XM_UNMAPPED(XM_USER, 4096);
}
static void user(void)
{
	xm_use_mm(&mm);
	xm_sti();
	xm_try_load(XM_USER, 0);
	xm_leave();
}
XM_VCPU(unmapper);
XM_VCPUS(user, USERS);
