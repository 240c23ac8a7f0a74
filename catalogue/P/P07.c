/*
 * P07  A word with a queued update is read, walked, loaded from or written around the queue
 *
 * source: "Paravirt cpu batching", December 2006: side effects must not be visible before the flush, nor needed; provenance G
 *
 * XM_LAZY_MARKS says which words have an update queued, and a monitor watches them (pending-write).
 *
 * variant flushed-first:
 * variant entry-read: -DREADS
 * variant entry-walked: -DWALKS
 * variant descriptor-loaded: -DLOADS
 * variant written-around-the-queue: -DWRITES
 * variant read-on-another-vcpu: -DOTHER
 * variant other-words: -DOTHERS
 */
#define XM_WITH_PAGING
#define XM_LAZY_MARKS
#include "xmlazy.h"
#include "xmring.h"

static volatile unsigned int old_page[1024] XM_PAGE, page[1024] XM_PAGE;
static volatile unsigned int old_tls_word, tls_word = 5, seen;

static void setup(void)
{
	page[0] = 42;
	xm_map_table[1] = xm_map_table[2] = xm_pte(old_page, XM_PTE_KERNEL);
	xm_tls_entry(0)[0] = xm_tls_entry(1)[0] = XM_TLS_LOW(&old_tls_word);
	xm_tls_entry(0)[1] = xm_tls_entry(1)[1] = XM_TLS_HIGH(&old_tls_word);
}
XM_INIT(setup);

static void guest(void)
{
	xm_rings_on();
	xm_map_on();
	xm_lazy_enter(XM_LAZY_MMU);
	xm_set_pte(&xm_map_table[1], xm_pte(page, XM_PTE_KERNEL));
	xm_invlpg_lazy(XM_MAP_BASE + 4096);
	xm_set_descriptor(xm_tls_entry(0), XM_TLS_LOW(&tls_word), XM_TLS_HIGH(&tls_word));
#if defined(READS)
	seen = xm_map_table[1];
#elif defined(WALKS)
	seen = *(volatile unsigned int *)(XM_MAP_BASE + 4096);
#elif defined(LOADS)
	xm_load_fs(XM_TLS(0));
#elif defined(WRITES)
	xm_map_table[1] = 0;
#elif defined(OTHERS)
	seen = xm_map_table[2] + *(volatile unsigned int *)(XM_MAP_BASE + 2 * 4096);
	xm_load_fs(XM_TLS(1));
#endif
	xm_lazy_leave(XM_LAZY_MMU);
#ifndef OTHER
	seen = xm_map_table[1];
	XM_ASSERT(*(volatile unsigned int *)(XM_MAP_BASE + 4096) == 42);
	xm_map_table[1] = 0;
#endif
	xm_load_fs(XM_TLS(0));
	XM_ASSERT(xm_fs_word() == 5);
	XM_ASSERT(xm_lazy.count == 0 && xm_lazy.mode == XM_LAZY_NONE);
}
XM_VCPU(guest);

#ifdef OTHER
static void other(void) { seen = xm_map_table[1]; }
XM_VCPU(other);
#endif

/*
 * survivor store removed, guest, `xm_map_table[1] = 0;`: that it may be written again is what counts
 */
