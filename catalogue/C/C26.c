/*
 * C26  Copies of kernel page directories: what is unmapped in one stays mapped in the others
 *
 * source: 3f8fd02b1bf1, provenance W
 *
 * A fault adds a mapping to the directory of whoever needs it; nothing ever takes one away.
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#include "xmmm.h"

#define PAGE 0x400000u

static unsigned int kernel[1024] XM_PAGE, process[1024] XM_PAGE;
static unsigned int table[1024] XM_PAGE, page[1024] XM_PAGE, table2[1024] XM_PAGE, page2[1024] XM_PAGE;
static struct xm_mm mm = { process, 0 };
XM_SHOOTDOWN(2)

static void setup(void)
{
	xm_map_low(kernel);
	xm_map_low(process);
	xm_map(kernel, table, PAGE, page, XM_PTE_KERNEL);
	process[1] = kernel[1]; /* it has used the region before */
	table2[0] = xm_pte(page2, XM_PTE_KERNEL);
}
XM_INIT(setup);

/* vmalloc_fault */
static void fault(struct xm_frame *frame)
{
	if (kernel[1] != 0 && process[1] != kernel[1])
		process[1] = kernel[1];
	else
		frame->eip = frame->edx;
}
XM_HANDLER(14, fault);

/* vfree, then vmalloc of the same addresses. */
static void vmalloc(void)
{
	xm_xchg(&kernel[1], 0);
#ifdef FIXED
	xm_xchg(&process[1], 0);
#endif
	xm_flush_page(&mm, XM_ALL);
	XM_FREE(page, 4);
	xm_store(&kernel[1], xm_pte(table2, XM_PTE_KERNEL));
}

static void user(void)
{
	xm_use_mm(&mm);
	xm_sti();
	xm_try_load(PAGE, 0);
	xm_leave();
}
XM_VCPU(vmalloc);
XM_VCPU(user);

/*
 * survivor branch always taken, fault, `if (kernel[1] != 0 && process[1] != kernel[1])`: the load is left out instead of tried again
 * survivor store removed, vmalloc, `xm_store(&kernel[1], xm_pte(table2, XM_PTE_KERNEL));`: of a region that is mapped no more nothing is stale
 */
