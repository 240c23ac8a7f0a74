/*
 * C28  A table is freed after its directory entry is cleared, and nothing is flushed: it had no entries
 *
 * source: the tlb fixes merged as 706a1ea65e, SDM vol. 3A 5.10.3, provenance W
 *
 * variant leaf-only-tlb-model: --set tlb=leaf
 * variant pde-cache:
 * variant fixed: -DFIXED
 */
#include "xmmm.h"

#define PAGE 0x400000u

static unsigned int directory[1024] XM_PAGE, table[1024] XM_PAGE;
static struct xm_mm mm = { directory, 0 };
static volatile unsigned int freed;
XM_SHOOTDOWN(2)
XM_FIXUPS();

static void setup(void)
{
	xm_map_low(directory);
	directory[1] = xm_pte(table, XM_PTE_KERNEL);
}
XM_INIT(setup);

static void unmapper(void)
{
	xm_xchg(&directory[1], 0);
#ifdef FIXED
	xm_flush_page(&mm, PAGE);
#endif
	XM_FREE(table, 4);
	freed = 1;
}

static void user(void)
{
	xm_use_mm(&mm);
	xm_sti();
	while (!freed)
		xm_pause();
	xm_try_load(PAGE, 0);
	xm_leave();
}
XM_VCPU(unmapper);
XM_VCPU(user);

/*
 * survivor store removed, xm_flush_others, `XM_SHOOTDOWN(2)`: INVLPG of any page drops the cached directory entries; and a request that is over is not looked at
 * survivor store removed, user, `xm_gone_vcpus |= 1u << xm_vcpu();`: nobody asks after it
 * survivor store removed, user, `XM_INLINE_ void xm_unlock...`: nobody takes the lock after it
 */
