/*
 * C24  Benign staleness: more is allowed without telling the others, who find out by a spurious fault
 *
 * source: 5b727a3b0158, provenance G
 *
 * variant relax-plus-handler: -DHANDLER
 * variant relax-no-handler:
 * variant restrict-without-flush: -DRESTRICT
 */
#include "xmmm.h"

#define PAGE 0x400000u

static unsigned int directory[1024] XM_PAGE, table[1024] XM_PAGE, page[1024] XM_PAGE;
static volatile unsigned int changed;

#define READ_ONLY (XM_PTE_P | XM_PTE_A | XM_PTE_D)

static void setup(void)
{
	xm_map_low(directory);
#ifdef RESTRICT
	xm_map(directory, table, PAGE, page, XM_PTE_KERNEL);
#else
	xm_map(directory, table, PAGE, page, READ_ONLY);
#endif
}
XM_INIT(setup);

/* What the tables allow now is tried again; the fault has dropped the translation. */
static void fault(struct xm_frame *frame)
{
#ifdef HANDLER
	if (xm_load(&table[0]) & XM_PTE_RW)
		return;
#endif
#ifdef RESTRICT
	frame->eip = frame->edx;
#else
	(void)frame;
	XM_FAIL();
#endif
}
XM_HANDLER(14, fault);

static void changer(void)
{
	xm_paging_on(directory, 0);
#ifdef RESTRICT
	xm_xchg(&table[0], xm_pte(page, READ_ONLY));
	xm_invlpg(PAGE);
	XM_UNMAPPED(PAGE, 4096);
#else
	xm_xchg(&table[0], xm_pte(page, XM_PTE_KERNEL));
#endif
	changed = 1;
}

static void user(void)
{
	xm_paging_on(directory, 0);
	if (changed) {
		xm_try_store(PAGE, 1);
#ifdef HANDLER
		XM_ASSERT(xm_load(&page[0]) == 1);
#endif
	}
}
XM_VCPU(changer);
XM_VCPU(user);
