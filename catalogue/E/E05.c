/*
 * E05  set_memory_wc() in two steps, with an address that moved and a bit that was not cleared
 *
 * source: bdc6340f4eb6 (x86, pat: fix set_memory_wc), provenance G
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#include "xmcheck.h"

#define PWT 0x08u
#define PCD 0x10u
enum { WB, WC, UC_MINUS, UC };
static unsigned int memory_type(unsigned int pte) { return (pte & PCD ? 2 : 0) | (pte & PWT ? 1 : 0); }

static volatile unsigned int pte[2];

/* Changes the entry of *page, and moves on, as the caller's loop wants it. */
static void change(unsigned int *page, unsigned int set, unsigned int clear)
{
	pte[*page] = (pte[*page] & ~clear) | set;
	++*page;
}

static void set_memory_wc(unsigned int page)
{
#ifdef FIXED
	unsigned int copy = page;
	change(&copy, PCD, 0);
	change(&page, PWT, PWT | PCD);
#else
	change(&page, PCD, 0);
	change(&page, PWT, 0);
#endif
}

static void driver(void)
{
	set_memory_wc(0);
	XM_ASSERT(memory_type(pte[0]) == WC);
	XM_ASSERT(memory_type(pte[1]) == WB && "no other page changes");
}

XM_VCPU(driver);
