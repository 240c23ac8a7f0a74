/*
 * E04  A page becomes uncached: translations go first, then what caches hold, on every CPU
 *
 * source: 3c868823413d (order), 0af48f42df15 (WBINVD everywhere), provenance G
 *
 * change_page_attr of a page of the direct mapping, on two vCPUs. Whoever can still use the old translation may bring lines back, at
 * any time, be it ahead of an access that it never makes.
 *
 * variant wrong/caches-first: -DCACHES_FIRST
 * variant wrong/clflush-first: -DCLFLUSH -DCACHES_FIRST
 * variant wrong/wbinvd-here-only: -DHERE_ONLY
 * variant wrong/no-cache-flush: -DNO_CACHE_FLUSH
 * variant right/wbinvd-everywhere:
 * variant right/clflush: -DCLFLUSH
 */
#include "xmcheck.h"

#define LINE 64
#define BYTES 128

static unsigned int directory[1024] XM_PAGE, direct[1024] XM_PAGE;
static unsigned char page[4096] XM_PAGE;
static volatile unsigned int ready, over, answered, flushes_tlb, flushes_caches;

static void setup(void) { xm_map_low_pages(directory, direct); }
XM_INIT(setup);

static void flush(unsigned int tlb, unsigned int caches)
{
	if (tlb)
		xm_flush();
	if (caches)
		xm_wbinvd();
}
static void flush_interrupt(struct xm_frame *frame)
{
	(void)frame;
	flush(flushes_tlb, flushes_caches);
	answered = 1;
}
XM_HANDLER(0xf2, flush_interrupt);

static void on_each_vcpu(unsigned int tlb, unsigned int caches)
{
	flushes_tlb = tlb;
	flushes_caches = caches;
	answered = 0;
	XM_IPI(1, 0xf2);
	flush(tlb, caches);
	while (!answered)
		xm_pause();
}

static void flush_caches(void)
{
#if defined(NO_CACHE_FLUSH)
#elif defined(CLFLUSH)
	for (unsigned int n = 0; n < BYTES; n += LINE)
		xm_clflush(page + n);
#elif defined(HERE_ONLY)
	xm_wbinvd();
#else
	on_each_vcpu(0, 1);
#endif
}

static void changer(void)
{
	xm_paging_on(directory, 0);
	while (!ready)
		xm_pause();
	xm_store(&direct[(unsigned int)page >> 12], xm_pte(page, XM_PTE_KERNEL | XM_PTE_PCD | XM_PTE_PWT));
#ifdef CACHES_FIRST
	flush_caches();
#endif
	on_each_vcpu(1, 0);
#ifndef CACHES_FIRST
	flush_caches();
#endif
	/* From here on it is a device's. */
	xm_store(page, 1);
	xm_store(page + LINE, 2);
	over = 1;
}

static void user(void)
{
	xm_paging_on(directory, 0);
	xm_store(page, 3);
	ready = 1;
	xm_sti();
	while (!over)
		xm_pause();
}
XM_VCPU(changer);
XM_VCPU(user);

/*
 * survivor store removed, changer, `xm_store(&direct[(unsigned int)page >> 12], xm_pte(page, XM_PTE_KERNEL |...`: a page that stays cached is of one type
 * survivor store removed, changer, `flushes_tlb = tlb;`: what it leaves is that the other flushes its translations once more
 */
