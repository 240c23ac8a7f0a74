/*
 * A frame buffer is write-combining for the one vCPU and uncached for the other: neither may have it in its cache. What the bits of an entry
 * mean is said by the page attribute table of each vCPU: Linux has write-combining at PWT, Xen where the PAT bit is.
 *
 *     gcc -m32 -ffreestanding -fno-pic -O2 -I include -DRAW -c examples/attributes/pat.c && xmcheck check pat.o
 *
 * object:
 * object: -DRAW
 * object: -DNATIVE -DRAW
 * object: -DNATIVE -DRAW -DONE_VCPU
 * object: -DNATIVE -DRAW -DLATE
 * object: -DNATIVE -DRAW -DLATE -DFLUSHED
 * object: -DALIAS
 *
 * Source: SDM vol. 3A 13.12; Linux arch/x86/mm/pat, Xen xen/include/asm-x86/msr-index.h, before 2014.
 */
#include "xmcheck.h"

#define FRAMEBUFFER 0x400000u /* linear, write-combining; at the next page, uncached */
#define BITS (XM_PTE_PWT | XM_PTE_PCD | XM_PTE_PAT)
/* PAT: WB 6, WT 4, UC- 7, UC 0, WC 1, WP 5; entry 4*PAT + 2*PCD + PWT, entry 0 in the lowest byte. */
#define XEN_LOW 0x00070406u
#define XEN_HIGH 0x00000501u
#define LINUX 0x00070106u

static unsigned int directory[1024] XM_PAGE, direct[1024] XM_PAGE, table[1024] XM_PAGE;
static unsigned char memory[4096] XM_PAGE;
static volatile unsigned int ready;

/* What Linux writes for write-combining, as Xen's table needs it. */
static unsigned int make_pte(unsigned int entry)
{
#ifndef RAW
	if ((entry & BITS) == XM_PTE_PWT)
		entry ^= XM_PTE_PWT | XM_PTE_PAT;
#endif
	return entry;
}

static void setup(void)
{
	xm_map_low_pages(directory, direct);
#ifndef ALIAS
	direct[(unsigned int)memory >> 12] = 0; /* the direct mapping lets caches have it */
#endif
	xm_map(directory, table, FRAMEBUFFER, memory, make_pte(XM_PTE_KERNEL | XM_PTE_PWT));
	xm_map(directory, table, FRAMEBUFFER + 4096, memory, make_pte(XM_PTE_KERNEL | XM_PTE_PCD));
}
XM_INIT(setup);

static void pat_init(void)
{
#ifdef NATIVE
	const unsigned int low = LINUX, high = LINUX;
#else
	const unsigned int low = XEN_LOW, high = XEN_HIGH;
#endif
	__asm__ __volatile__("wrmsr" : : "c"(0x277), "a"(low), "d"(high) : "memory");
}

static void draws(void)
{
#ifdef LATE
	/* What was cached, with the table of reset, stays so. */
	xm_paging_on(directory, 0);
	pat_init();
#ifdef FLUSHED
	xm_flush();
	xm_wbinvd();
#endif
#else
	pat_init();
	xm_paging_on(directory, 0);
#endif
	ready = 1;
	xm_store((unsigned int *)FRAMEBUFFER, 1);
}

static void scrolls(void)
{
#ifndef ONE_VCPU
	pat_init();
#endif
	xm_paging_on(directory, 0);
	while (!ready)
		xm_pause();
	(void)xm_load((unsigned int *)(FRAMEBUFFER + 4096));
}
XM_VCPU(draws);
XM_VCPU(scrolls);
