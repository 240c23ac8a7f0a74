/*
 * C29  Coming online leaves 1:1 mappings behind: global entries outlive a load of CR3
 *
 * source: 61165d7a035f, 8ae06d223f82, provenance G
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#include "xmmm.h"

#define PAGE 0x400000u

static unsigned int directory[1024] XM_PAGE, identity[1024] XM_PAGE, early[1024] XM_PAGE;
static unsigned int process[1024] XM_PAGE, table[1024] XM_PAGE, page[1024] XM_PAGE;

static void setup(void)
{
	xm_map_low(directory);
	xm_map(directory, identity, PAGE, early, XM_PTE_KERNEL | XM_PTE_G);
	xm_map_low(process);
	xm_map(process, table, PAGE, page, XM_PTE_KERNEL);
	page[0] = 2;
}
XM_INIT(setup);

static void online(void)
{
	xm_paging_on(directory, XM_CR4_PGE);
	xm_store(&directory[1], 0); /* zap_low_mappings */
#ifdef FIXED
	xm_flush_all();
#else
	xm_flush();
#endif
	xm_write_cr3((unsigned int)process);
	XM_ASSERT(xm_load((unsigned int *)PAGE) == 2);
}
XM_VCPU(online);
