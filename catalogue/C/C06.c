/*
 * C06  Lazy TLB: whoever comes back to an address space that leave_mm left must load CR3 again
 *
 * source: switch_mm of i386 and its comment, provenance G
 *
 * variant source-order:
 * variant mutants/plain-set-without-test: -DPLAIN_SET
 * variant mutants/state-after-the-bit: -DSTATE_LAST
 */
#include "xmmm.h"

#define PAGE 0x400000u
#define OTHER 0x401000u

static unsigned int directory[1024] XM_PAGE, table[1024] XM_PAGE, page[1024] XM_PAGE, swapper[1024] XM_PAGE;
static struct xm_mm mm = { directory, 0 };
XM_SHOOTDOWN(2)
XM_FIXUPS();

static void setup(void)
{
	xm_map_low(directory);
	xm_map_low(swapper);
	xm_kernel_mm.directory = swapper;
	xm_map(directory, table, PAGE, page, XM_PTE_KERNEL);
	xm_map(directory, table, OTHER, page, XM_PTE_KERNEL);
	page[0] = 1;
}
XM_INIT(setup);

static void shooter(void)
{
	xm_xchg(&table[0], 0);
	xm_flush_page(&mm, PAGE);
	XM_UNMAPPED(PAGE, 4096);
}

static void back_to_mm(void)
{
#ifdef PLAIN_SET
	xm_tlbs[1].state = XM_TLB_OK;
	xm_set_mask(&mm.vcpus, 2);
#elif defined(STATE_LAST)
	if (!xm_test_and_set(&mm.vcpus, 1))
		xm_write_cr3((unsigned int)directory);
	xm_tlbs[1].state = XM_TLB_OK;
#else
	xm_switch_mm(&mm);
#endif
}

static void lazy(void)
{
	xm_use_mm(&mm);
	xm_enter_lazy();
	xm_sti();
	back_to_mm();
	xm_try_load(PAGE, 0);
	XM_ASSERT(xm_try_load(OTHER, 0) == 1);
	xm_leave();
}
XM_VCPU(shooter);
XM_VCPU(lazy);
