/*
 * D07  vmalloc_fault() repairs a page-directory entry in lazy mode, and the repair is still in the queue
 *
 * source: 1160c2779b82 (2013), provenance W
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#define XM_WITH_PAGING
#include "xmlazy.h"

#define VMALLOC 0xc00000u /* 12 MB: a directory entry of its own */
static volatile unsigned int vmalloc_table[1024] __attribute__((aligned(4096)));
static volatile unsigned int page[1024] __attribute__((aligned(4096)));
static volatile unsigned int reference; /* init_mm's entry */

static void page_fault(struct xm_frame *frame)
{
	(void)frame;
	volatile unsigned int *const entry = &xm_page_directory[VMALLOC >> 22];
	xm_set_pte(entry, reference);
#ifdef FIXED
	xm_lazy_flush();
#endif
	XM_ASSERT(*entry == reference); /* BUG() otherwise */
}
XM_HANDLER(14, page_fault);

static void zap_pte_range(void)
{
	page[0] = 42;
	vmalloc_table[0] = XM_PTE(page);
	reference = XM_PTE(vmalloc_table) | XM_PTE_A; /* or walks set it */
	xm_map_on();
	xm_lazy_enter(XM_LAZY_MMU);
	XM_ASSERT(*(volatile unsigned int *)VMALLOC == 42);
	xm_lazy_leave(XM_LAZY_MMU);
}

XM_VCPU(zap_pte_range);
XM_LAZY_ENDS();
