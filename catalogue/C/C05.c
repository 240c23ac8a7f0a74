/*
 * C05  CVE-2016-2069: store buffering whose second load is a page walk
 *
 * source: 71b3c126e611, provenance W
 *
 * The shooter does not run on the address space, so it flushes nothing of its own: nothing drains its store to the entry
 * before it reads who else has to be told.
 *
 * variant buggy-plus-plain-pte-store:
 * variant buggy-plus-xchg-lock-pte-clear: -DXCHG
 * variant fixed: -DFENCE
 */
#include "xmmm.h"

XM_ONE_PAGE(2)

static void shooter(void)
{
#ifdef XCHG
	xm_xchg(&table[0], 0);
#else
	xm_store(&table[0], 0);
#endif
#ifdef FENCE
	xm_lock_fence();
#endif
	xm_flush_page(&mm, XM_USER);
	XM_UNMAPPED(XM_USER, 4096);
}

static void switcher(void)
{
	xm_use_mm(&mm); /* sets its bit, loads CR3 */
	xm_sti();
	xm_try_load(XM_USER, 0);
	xm_try_load(XM_USER, 0);
	xm_leave();
}
XM_VCPU(shooter);
XM_VCPU(switcher);

/*
 * survivor store removed, shooter, `xm_store(&table[0], 0);`: of a page that stays mapped no translation is stale
 */
