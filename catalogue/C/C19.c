/*
 * C19  Free before flush: the order of mmu_gather
 *
 * source: the rule of Linux 2.4 SMP, provenance M
 *
 * variant wrong: -DFREE_FIRST
 * variant right:
 */
#include "xmmm.h"

#define PAGE 0x400000u

static unsigned int directory[1024] XM_PAGE, table[1024] XM_PAGE, page[1024] XM_PAGE;
static struct xm_mm mm = { directory, 0 };
XM_SHOOTDOWN(2)
XM_FIXUPS();

static void setup(void)
{
	xm_map_low(directory);
	xm_map(directory, table, PAGE, page, XM_PTE_KERNEL);
}
XM_INIT(setup);

static void unmapper(void)
{
	xm_xchg(&table[0], 0);
#ifdef FREE_FIRST
	XM_FREE(page, 4);
#endif
	xm_flush_page(&mm, PAGE);
#ifndef FREE_FIRST
	XM_FREE(page, 4);
#endif
}

static void user(void)
{
	xm_use_mm(&mm);
	xm_sti();
	xm_try_load(PAGE, 0);
	xm_leave();
}
XM_VCPU(unmapper);
XM_VCPU(user);
