/*
 * D06  "Remove lazy mode in interrupts" also removed the flush that process context needs
 *
 * source: b8bcfe997e46 (2009), 2cd1c8d4dc7e (2011); provenance G
 *
 * variant 2007: -DYEAR=2007
 * variant 2009: -DYEAR=2009
 * variant 2011: -DYEAR=2011
 */
#define XM_WITH_PAGING
#include "xmcheck.h"
static volatile unsigned int in_interrupt;
#if YEAR >= 2009
#define XM_LAZY_MODE() (in_interrupt ? XM_LAZY_NONE : xm_lazy.mode)
#endif
#include "xmlazy.h"

static volatile unsigned int page[1024] __attribute__((aligned(4096)));

static unsigned int read_through_kmap(unsigned int slot)
{
	const unsigned int linear = XM_MAP_BASE + slot * 4096;
	xm_set_pte(&xm_map_table[slot], XM_PTE(page));
#if YEAR != 2009
	xm_lazy_flush();
#endif
	xm_invlpg(linear);
	return *(volatile unsigned int *)linear;
}

static void interrupt(struct xm_frame *frame)
{
	(void)frame;
	in_interrupt++;
	XM_ASSERT(read_through_kmap(1) == 42);
	in_interrupt--;
}
XM_IRQ(0, 0x40, interrupt, 1);

/* swap_count_continued(), from copy_page_range(): process context, lazy MMU mode. */
static void process(void)
{
	page[0] = 42;
	xm_map_on();
	xm_sti();
	xm_lazy_enter(XM_LAZY_MMU);
	XM_ASSERT(read_through_kmap(2) == 42);
	xm_lazy_leave(XM_LAZY_MMU);
	xm_cli();
}

XM_VCPU(process);

/*
 * survivor store removed, interrupt, `in_interrupt++;`: the flush behind it issues what was queued
 * survivor store removed, interrupt, `in_interrupt--;`: what is done at once afterwards need not be queued
 */
