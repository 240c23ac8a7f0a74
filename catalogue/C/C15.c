/*
 * C15  The lock-free walk of gup_fast relied on IPIs that paravirtual flushing does not send
 *
 * source: 9e52fc2b50de, gup_fast 8174c430e445, provenance W
 *
 * Interrupts that are off keep an IPI from being answered, and so the tables from being freed. A flush by hypercall asks
 * nobody.
 *
 * variant ipi:
 * variant hypercall: -DBACKEND=xen
 * variant rcu-freeing: -DBACKEND=xen -DRCU
 */
#include "xmpvmm.h"

#ifndef BACKEND
#define BACKEND ipi
#endif
XM_ONE_PAGE_BY(XM_PV_SHOOTDOWN(2, BACKEND))
static volatile unsigned int quiet;

static void quiet_interrupt(struct xm_frame *frame)
{
	(void)frame;
	quiet = 1;
}
XM_HANDLER(0xf1, quiet_interrupt);

static void unmapper(void)
{
	xm_xchg(&directory[1], 0);
	xm_flush_page(&mm, XM_ALL);
#ifdef RCU
	XM_IPI(1, 0xf1);
	while (!quiet)
		xm_pause();
#endif
	XM_FREE(table, 4);
}

static void gup_fast(void)
{
	unsigned int entry;
	xm_use_mm(&mm);
	xm_sti();
	xm_cli();
	entry = xm_load(&directory[1]);
	if (entry & XM_PTE_P)
		XM_ASSERT(xm_load((unsigned int *)(entry & ~0xfffu)) & XM_PTE_P);
	xm_sti();
#ifdef RCU
	while (!quiet)
		xm_pause();
#endif
	xm_leave_tables();
}
XM_VCPU(unmapper);
XM_VCPU(gup_fast);

/*
 * survivor store removed, xm_xen_flush, `xm_hv_flush_linear = linear;`: what is flushed is none of the walk's business, which uses no translation of the page
 */
