/*
 * E01  pte_flags() without translation: the page stays write-combining
 *
 * source: J. Fitzhardinge, pte_flags and PAT, 2009; 47591df50512; provenance G
 *
 * Linux says WC by PWT, Xen's table has WC where the PAT bit is.
 *
 * variant untranslated:
 * variant translated: -DTRANSLATED
 */
#include "xmcheck.h"

#define PWT 0x08u
#define PCD 0x10u
#define PAT 0x80u
#define CACHE (PWT | PCD)
enum { WB, WT, UC_MINUS, UC, WC };

/* The raw entry, as the hypervisor's PAT table reads it. */
static unsigned int memory_type(unsigned int raw)
{
	static const unsigned char xen_pat[8] = { WB, WT, UC_MINUS, UC, WC, WC, UC_MINUS, UC };
	return xen_pat[(raw & PAT ? 4 : 0) | (raw & PCD ? 2 : 0) | (raw & PWT ? 1 : 0)];
}
static unsigned int make_pte(unsigned int value) { return (value & (CACHE | PAT)) == PWT ? (value & ~PWT) | PAT : value; }
static unsigned int pte_val(unsigned int raw) { return (raw & (CACHE | PAT)) == PAT ? (raw & ~PAT) | PWT : raw; }
static unsigned int pte_flags(unsigned int raw)
{
#ifdef TRANSLATED
	raw = pte_val(raw);
#endif
	return raw & 0xfff;
}

static volatile unsigned int pte = 0x5063;

static void change_page_attr(unsigned int set, unsigned int clear)
{
	const unsigned int flags = (pte_flags(pte) & ~clear) | set;
	pte = make_pte((pte_val(pte) & ~0xfffu) | flags);
}

static void driver(void)
{
	change_page_attr(PWT, CACHE); /* set_memory_wc() */
	XM_ASSERT(memory_type(pte) == WC);
	change_page_attr(0, CACHE); /* set_memory_wb() */
	XM_ASSERT(memory_type(pte) == WB);
	XM_ASSERT(!(pte & PAT) && "bit 7 would be taken for PSE");
}

XM_VCPU(driver);
