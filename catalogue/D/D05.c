/*
 * D05  kmap_atomic() from an interrupt while the interrupted code is in lazy MMU mode
 *
 * source: 49f19710512c (2007), provenance G
 *
 * variant buggy:
 * variant fixed: -DFLUSH
 */
#define XM_WITH_PAGING
#include "xmlazy.h"

static volatile unsigned int page[1024] __attribute__((aligned(4096)));
static volatile unsigned int user_pte;

static void *kmap_atomic(unsigned int slot, const volatile void *frame)
{
	const unsigned int linear = XM_MAP_BASE + slot * 4096;
	xm_set_pte(&xm_map_table[slot], XM_PTE(frame));
#ifdef FLUSH
	xm_lazy_flush(); /* arch_flush_lazy_mmu_mode() */
#endif
	xm_invlpg(linear);
	return (void *)linear;
}

static void interrupt(struct xm_frame *frame)
{
	(void)frame;
	volatile unsigned int *const mapped = kmap_atomic(1, page);
	XM_ASSERT(*mapped == 42);
}
XM_IRQ(0, 0x40, interrupt, 1);

static void copy_page_range(void)
{
	page[0] = 42;
	xm_map_on();
	xm_sti();
	xm_lazy_enter(XM_LAZY_MMU);
	xm_set_pte(&user_pte, 0x1000);
	xm_lazy_leave(XM_LAZY_MMU);
	xm_cli();
	XM_ASSERT(user_pte == 0x1000);
}

XM_VCPU(copy_page_range);
