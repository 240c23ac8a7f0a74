/*
 * C16  CVE-2018-18281: mremap moves a page and gives up the lock before it flushes
 *
 * source: eb66ae030829, provenance W
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#include "xmmm.h"

#define OLD XM_USER
#define NEW (XM_USER + 4096)

XM_ONE_PAGE(3)
static volatile unsigned int page_lock, moved;

static void mover(void)
{
	xm_lock(&page_lock);
	xm_store(&table[1], xm_xchg(&table[0], 0));
#ifdef FIXED
	xm_flush_page(&mm, OLD);
#endif
	moved = 1;
	xm_unlock(&page_lock);
#ifndef FIXED
	xm_flush_page(&mm, OLD);
#endif
}

/* Truncates the file behind the page, where it finds it mapped. */
static void truncater(void)
{
	unsigned int found = 0;
	xm_lock(&page_lock);
	if (moved)
		found = xm_xchg(&table[1], 0);
	xm_unlock(&page_lock);
	if (found) {
		xm_flush_page(&mm, NEW);
		XM_FREE(page, 4);
	}
}

static void user(void)
{
	xm_use_mm(&mm);
	xm_sti();
	xm_try_load(OLD, 0);
	xm_leave();
}
XM_VCPU(mover);
XM_VCPU(truncater);
XM_VCPU(user);

/*
 * survivor store removed, mover, `xm_store(&table[1], xm_xchg(&table[0], 0));`: what nobody finds is not freed
 * survivor store removed, mover, `moved = 1;`: what nobody looks for is not freed
 * survivor branch never taken, truncater, `if (moved)`: what nobody looks for is not freed
 * survivor branch never taken, truncater, `if (found) {`: nothing is freed
 * survivor call removed, truncater, `xm_flush_page(&mm, NEW);`: nobody uses the new address here
 */
