/*
 * C15  The lock-free walk of gup_fast relied on IPIs that paravirtual flushing does not send
 *
 * source: 9e52fc2b50de, gup_fast 8174c430e445, provenance W
 *
 * Interrupts that are off keep an IPI from being answered, and so the tables from being freed. A flush by hypercall asks
 * nobody.
 *
 * variant ipi:
 * variant hypercall: -DHYPERCALL
 * variant rcu-freeing: -DHYPERCALL -DRCU
 */
#include "xmmm.h"

#define PAGE 0x400000u

static unsigned int directory[1024] XM_PAGE, table[1024] XM_PAGE, page[1024] XM_PAGE;
static struct xm_mm mm = { directory, 0 };
static volatile unsigned int quiet;
XM_SHOOTDOWN(2)

static void setup(void)
{
	xm_map_low(directory);
	xm_map(directory, table, PAGE, page, XM_PTE_KERNEL);
}
XM_INIT(setup);

static void quiet_interrupt(struct xm_frame *frame)
{
	(void)frame;
	quiet = 1;
}
XM_HANDLER(0xf1, quiet_interrupt);

static void unmapper(void)
{
	xm_xchg(&directory[1], 0);
#ifndef HYPERCALL
	xm_flush_page(&mm, XM_ALL);
#endif
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
	xm_leave();
}
XM_VCPU(unmapper);
XM_VCPU(gup_fast);
