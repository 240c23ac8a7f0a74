/*
 * C23  PAE: a top-level entry is taken away, and the others never load their PDPTE registers again
 *
 * source: 4981d01eada5, earlier fa28ba21cec2 and edd6bcd8209c, provenance W
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#define XM_MM_CR4 XM_CR4_PAE
#include "xmmm.h"

#define PAGE 0x40000000u

static unsigned int pdpt[8] __attribute__((aligned(32)));
static unsigned int low[1024] XM_PAGE, directory[1024] XM_PAGE;
static struct xm_mm mm = { pdpt, 0 };
XM_SHOOTDOWN(2)
XM_FIXUPS();

static void setup(void)
{
	pdpt[0] = xm_pte(low, XM_PTE_P);
	pdpt[2] = xm_pte(directory, XM_PTE_P);
	low[0] = XM_PTE_KERNEL | XM_PTE_PS; /* 2 MB each */
	low[2] = 0x200000 | XM_PTE_KERNEL | XM_PTE_PS;
}
XM_INIT(setup);

static void remover(void)
{
	xm_use_mm(&mm);
	xm_xchg(&pdpt[2], 0);
#ifdef FIXED
	xm_flush_page(&mm, XM_ALL);
#else
	xm_flush();
#endif
	XM_FREE(directory, 8);
}

static void user(void)
{
	xm_use_mm(&mm);
	xm_sti();
	xm_try_load(PAGE, 0);
	xm_leave_tables();
}
XM_VCPU(remover);
XM_VCPU(user);
