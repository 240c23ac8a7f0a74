/*
 * C20  Flush before clear: a speculative walk fetches again what INVLPG has dropped
 *
 * source: 23002d88be30 (kmap), provenance G
 *
 * variant wrong: -DFLUSH_FIRST
 * variant right:
 */
#include "xmmm.h"

#define PAGE 0x400000u

static unsigned int directory[1024] XM_PAGE, table[1024] XM_PAGE, page[1024] XM_PAGE;
XM_FIXUPS();

static void setup(void)
{
	xm_map_low(directory);
	xm_map(directory, table, PAGE, page, XM_PTE_KERNEL);
}
XM_INIT(setup);

static void only(void)
{
	xm_paging_on(directory, 0);
#ifdef FLUSH_FIRST
	xm_invlpg(PAGE);
	xm_store(&table[0], 0);
#else
	xm_store(&table[0], 0);
	xm_invlpg(PAGE);
#endif
	XM_UNMAPPED(PAGE, 4096);
	xm_try_load(PAGE, 0);
}
XM_VCPU(only);

/*
 * survivor store removed, only, `xm_store(&table[0], 0);`: of a page that stays mapped no translation is stale
 */
