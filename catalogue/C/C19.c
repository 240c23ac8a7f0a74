/*
 * C19  Free before flush: the order of mmu_gather
 *
 * source: the rule of Linux 2.4 SMP, provenance M
 *
 * variant wrong: -DFREE_FIRST
 * variant right:
 */
#include "xmmm.h"

XM_ONE_PAGE(2)

static void unmapper(void)
{
	xm_xchg(&table[0], 0);
#ifdef FREE_FIRST
	XM_FREE(page, 4);
#endif
	xm_flush_page(&mm, XM_USER);
#ifndef FREE_FIRST
	XM_FREE(page, 4);
#endif
}

static void user(void)
{
	xm_use_mm(&mm);
	xm_sti();
	xm_try_load(XM_USER, 0);
	xm_leave();
}
XM_VCPU(unmapper);
XM_VCPU(user);
