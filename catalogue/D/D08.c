/*
 * D08  change_page_attr() inspects stale entries in lazy mode
 *
 * source: 7fd7d83d49914 (2009), 26564600c99e (2013); provenance G
 *
 * variant buggy/lost-update: -DIRQ
 * variant buggy/used-before-flush:
 * variant fixed/interrupt: -DIRQ -DFIXED
 * variant fixed/same-task: -DFIXED
 */
#define XM_WITH_PAGING
#include "xmcheck.h"
static volatile unsigned int in_interrupt;
#define XM_LAZY_MODE() (in_interrupt ? XM_LAZY_NONE : xm_lazy.mode)
#include "xmlazy.h"

#define ATTRIBUTE 0x200u /* one that the processor ignores: caches are another question (E04) */
static volatile unsigned int page[1024] __attribute__((aligned(4096)));
static volatile unsigned int set, changed;

/* Read, modify, write of one entry. */
static void change_page_attr(volatile unsigned int *pte)
{
#ifdef FIXED
	xm_lazy_flush();
#endif
	xm_set_pte(pte, *pte | ATTRIBUTE);
#ifdef FIXED
	xm_lazy_flush();
#endif
}

#ifdef IRQ
static void interrupt(struct xm_frame *frame)
{
	(void)frame;
	in_interrupt = 1;
	if (set) {
		change_page_attr(&xm_map_table[1]);
		changed = 1;
	}
	in_interrupt = 0;
}
XM_IRQ(0, 0x40, interrupt, 1);
#endif

static void task(void)
{
	page[0] = 42;
	xm_map_on();
#ifdef IRQ
	xm_sti();
#endif
	xm_lazy_enter(XM_LAZY_MMU);
	xm_set_pte(&xm_map_table[1], XM_PTE(page));
	set = 1;
#ifndef IRQ
	change_page_attr(&xm_map_table[1]);
	changed = 1;
	XM_ASSERT(*(volatile unsigned int *)(XM_MAP_BASE + 4096) == 42); /* kernel_map_pages(), used at once */
#endif
	xm_lazy_leave(XM_LAZY_MMU);
	xm_cli();
	XM_ASSERT(!changed || (xm_map_table[1] & ATTRIBUTE));
	XM_ASSERT((xm_map_table[1] & ~(ATTRIBUTE | 0x60)) == XM_PTE(page));
}

XM_VCPU(task);
XM_LAZY_ENDS();

/*
 * survivor store removed, interrupt, `in_interrupt = 1;`: the flush behind it issues what was queued
 * survivor store removed, interrupt, `in_interrupt = 0;`: what is done at once afterwards need not be queued
 * survivor branch never taken, interrupt, `if (set) {`: an entry that is not set yet is overwritten as a whole
 * survivor store removed, interrupt, `changed = 1;`: the property counts by it
 * survivor store removed, task, `changed = 1;`: the property counts by it
 * survivor store removed, task, `set = 1;`: then the interrupt changes nothing
 * survivor call removed, task, `xm_lazy_flush();`: the page is used before the attribute is in effect, which is no fault
 */
