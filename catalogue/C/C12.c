/*
 * C12  Page tables are pinned while rmap still writes their entries
 *
 * source: 74260714c56d, provenance G
 *
 * Pinned tables are written by hypercall, others directly. Between the table's becoming read-only and its being pinned, a
 * direct write faults.
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#include "xmmm.h"

#define TABLE 0x400000u /* where the kernel maps the table */

static unsigned int directory[1024] XM_PAGE, kernel[1024] XM_PAGE, table[1024] XM_PAGE;
static volatile unsigned int entry_lock, pinned;

static void setup(void)
{
	xm_map_low(directory);
	xm_map(directory, kernel, TABLE, table, XM_PTE_KERNEL);
}
XM_INIT(setup);

static void pinner(void)
{
#ifdef FIXED
	xm_lock(&entry_lock);
#endif
	xm_xchg(&kernel[0], xm_pte(table, XM_PTE_P | XM_PTE_A));
	pinned = 1; /* the hypercall */
#ifdef FIXED
	xm_unlock(&entry_lock);
#endif
}

static void rmap(void)
{
	xm_paging_on(directory, 0);
	xm_lock(&entry_lock);
	if (pinned)
		xm_store(&table[5], 0); /* by hypercall */
	else
		xm_store((unsigned int *)TABLE + 5, 0);
	xm_unlock(&entry_lock);
}
XM_VCPU(pinner);
XM_VCPU(rmap);

/*
 * survivor XCHG: only its load, pinner, `__asm__ __volatile__("xchgl...`: a table that stays writable for the kernel faults nowhere
 * survivor store removed, rmap, `XM_INLINE_ void xm_unlock...`: who comes second is the last
 */
