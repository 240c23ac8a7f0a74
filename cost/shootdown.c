/*
 * A shooter unmaps and maps a page of an address space that three more vCPUs compute on, and waits each time until nobody can use the
 * old translation: by IPI, by hypercall (Xen), by IPI or a flush at the next entry (KVM). Or several pages, one by one or as a batch that is
 * flushed at its end (mmu_gather).
 *
 * object: -DBACKEND=ipi
 * object: -DBACKEND=xen
 * object: -DBACKEND=kvm
 * object: -DBACKEND=ipi -DPAGES=4
 * object: -DBACKEND=ipi -DPAGES=4 -DBATCHED
 * object: -DBACKEND=ipi -DBATCHED
 * object: -DBACKEND=ipi -DPAGES=0
 * object: -DBACKEND=ipi -DPAGES=0 -DBATCHED
 */
#define XM_COUNT_HYPERCALLS
#include "xmpvmm.h"

#define VCPUS 4
#define TURNS 10
#ifndef PAGES
#define PAGES 1
#endif

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

static void change(unsigned int entry)
{
	int gathered = 0;
	for (int p = 0; p < PAGES; p++) {
		xm_store(&table[p], entry);
#ifdef BATCHED
		gathered++;
#else
		xm_flush_page(&mm, XM_USER + p * 4096);
#endif
	}
	__asm__ __volatile__("" : "+r"(gathered)); /* counted, whatever the compiler knows of it */
	if (gathered)
		xm_flush_page(&mm, gathered == 1 ? XM_USER : XM_ALL);
}

static void shooter(void)
{
	xm_use_mm(&mm);
	xm_sti();
	while (xm_load(&users) != (1u << VCPUS) - 2)
		xm_pause();
	for (int n = 0; n < TURNS; n++) {
		compute(30);
		XM_BEGIN("shootdown");
		change(n & 1 ? xm_pte(page, XM_PTE_KERNEL) : 0);
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
