/*
 * C18  A flush that reclaim has put off, against mprotect of the same page
 *
 * source: 3ea277194daa, provenance W
 *
 * mprotect finds no entry, so it has nothing to change and nothing to flush; the stale translations that are still there
 * are in somebody else's batch.
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#include "xmmm.h"

XM_ONE_PAGE(3)
static volatile unsigned int entry_lock, batched;

static void reclaim(void)
{
	xm_lock(&entry_lock);
	xm_xchg(&table[0], 0);
	batched = 1;
	xm_unlock(&entry_lock);
	/* The flush comes later, with those of other pages. */
}

static void protect(void)
{
	unsigned int changed = 0;
	xm_lock(&entry_lock);
#ifdef FIXED
	if (batched)
		xm_flush_page(&mm, XM_ALL);
#endif
	if (table[0]) {
		xm_xchg(&table[0], xm_pte(page, XM_PTE_P | XM_PTE_A));
		changed = 1;
	}
	xm_unlock(&entry_lock);
	if (changed)
		xm_flush_page(&mm, XM_USER);
	XM_UNMAPPED(XM_USER, 4096);
}

static void user(void)
{
	xm_use_mm(&mm);
	xm_sti();
	xm_try_store(XM_USER, 1);
	xm_leave();
}
XM_VCPU(reclaim);
XM_VCPU(protect);
XM_VCPU(user);

/*
 * survivor branch never taken, protect, `if (table[0]) {`: one flush more, and an entry that allows no stores
 */
