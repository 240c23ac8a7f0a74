/*
 * C17  Dirty data through a stale translation: zap against page_mkclean
 *
 * source: 1cf35d47712d, provenance W
 *
 * The zapper says that the page is dirty, and flushes later; what is written meanwhile, through a cached translation that
 * is dirty already, nobody hears of.
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#include "xmmm.h"

XM_ONE_PAGE(3)
static volatile unsigned int entry_lock, dirty, written_out;

static void zapper(void)
{
	unsigned int old;
	xm_lock(&entry_lock);
	old = xm_xchg(&table[0], 0);
#ifdef FIXED
	xm_flush_page(&mm, XM_USER);
#endif
	if (old & XM_PTE_D)
		dirty = 1;
	xm_unlock(&entry_lock);
#ifndef FIXED
	xm_flush_page(&mm, XM_USER);
#endif
}

static void writeback(void)
{
	xm_lock(&entry_lock);
	if (table[0] & XM_PTE_P) {
		const unsigned int old = xm_xchg(&table[0], xm_pte(page, XM_PTE_P | XM_PTE_A));
		xm_flush_page(&mm, XM_USER);
		if (old & XM_PTE_D)
			dirty = 1;
	}
	xm_unlock(&entry_lock);
	if (xm_xchg(&dirty, 0))
		written_out = xm_load(&page[0]);
}

static void user(void)
{
	xm_use_mm(&mm);
	xm_sti();
	xm_try_store(XM_USER, 1);
	xm_leave();
}

static void check(void) { XM_ASSERT(written_out == page[0] || dirty); }
XM_VCPU(zapper);
XM_VCPU(writeback);
XM_VCPU(user);
XM_FINAL(check);

/*
 * survivor branch never taken, zapper, `if (old & XM_PTE_D)`: what is clean is written out once more
 * survivor branch never taken, writeback, `if (table[0] & XM_PTE_P) {`: the zapper says what is dirty
 * survivor branch always taken, writeback, `if (table[0] & XM_PTE_P) {`: of an entry that is gone nothing is dirty
 */
