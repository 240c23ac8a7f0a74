/*
 * C04  A vCPU leaves the mask of its old address space before it leaves its page tables
 *
 * source: 831d52bc1539 (stable 45bfd7bfc6cf), provenance G
 *
 * Between the two, nobody tells it that a table was freed: its directory entry is cached, a speculative walk takes what
 * the page is used for now for entries, and one with the global bit outlives the load of CR3.
 *
 * variant old-order: -DOLD_ORDER
 * variant new-order:
 */
#define XM_MM_CR4 XM_CR4_PGE
#include "xmmm.h"

#define PAGE 0x400000u

static unsigned int directory1[1024] XM_PAGE, table1[1024] XM_PAGE;
static unsigned int directory2[1024] XM_PAGE, table2[1024] XM_PAGE, page2[1024] XM_PAGE, other[1024] XM_PAGE;
static struct xm_mm mm1 = { directory1, 0 }, mm2 = { directory2, 0 };
XM_SHOOTDOWN(2)

static void setup(void)
{
	xm_map_low(directory1);
	xm_map_low(directory2);
	directory1[1] = xm_pte(table1, XM_PTE_KERNEL); /* nothing in it any more */
	xm_map(directory2, table2, PAGE, page2, XM_PTE_KERNEL);
	page2[0] = 2;
}
XM_INIT(setup);

/* munmap in mm1: unhooks the table, tells who uses it, and the page is used for something else. */
static void unmapper(void)
{
	xm_store(&directory1[1], 0);
	xm_lock_fence();
	xm_flush_page(&mm1, XM_ALL);
	xm_store(&table1[0], xm_pte(other, XM_PTE_KERNEL | XM_PTE_G));
}

static void switcher(void)
{
	xm_use_mm(&mm1);
#ifdef OLD_ORDER
	xm_clear_mask(&mm1.vcpus, 2);
	xm_tlbs[1].mm = &mm2;
	xm_set_mask(&mm2.vcpus, 2);
	xm_write_cr3((unsigned int)directory2);
#else
	xm_switch_mm(&mm2);
#endif
	xm_sti();
	XM_ASSERT(xm_load((unsigned int *)PAGE) == 2);
	xm_leave();
}
XM_VCPU(unmapper);
XM_VCPU(switcher);
