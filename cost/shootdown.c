/*
 * A shooter unmaps and maps a page of an address space that three more vCPUs compute on, and waits each time until nobody can use the
 * old translation: by IPI, by hypercall (Xen), by IPI or a flush at the next entry (KVM).
 *
 * object: -DBACKEND=ipi
 * object: -DBACKEND=xen
 * object: -DBACKEND=kvm
 */
#define XM_COUNT_HYPERCALLS
#include "xmpvmm.h"

#define VCPUS 4
#define TURNS 10

XM_ONE_PAGE_BY(XM_PV_SHOOTDOWN(VCPUS, BACKEND))
XM_PV_DESCHEDULE(XM_EVERY_VCPU, 0);

static volatile unsigned int users __attribute__((aligned(64))), over;

/* Time, in few instructions: divisions. */
static void compute(int divisions)
{
	while (divisions--) {
		unsigned int low = 1000, high = 0;
		__asm__ __volatile__("divl %2" : "+a"(low), "+d"(high) : "r"(7) : "cc");
	}
}

static void shooter(void)
{
	xm_use_mm(&mm);
	xm_sti();
	while (xm_load(&users) != (1u << VCPUS) - 2)
		xm_pause();
	for (int n = 0; n < TURNS; n++) {
		compute(30);
		xm_store(&table[0], n & 1 ? xm_pte(page, XM_PTE_KERNEL) : 0);
		XM_BEGIN("shootdown");
		xm_flush_page(&mm, XM_USER);
		XM_END("shootdown");
		XM_PROGRESS();
	}
	xm_store(&over, 1);
	xm_leave();
}

static void user(void)
{
	xm_use_mm(&mm);
	xm_sti();
	xm_set_mask(&users, 1u << xm_vcpu());
	while (!xm_load(&over))
		compute(10);
	xm_leave();
}
XM_VCPU(shooter);
XM_VCPUS(user, VCPUS - 1);
