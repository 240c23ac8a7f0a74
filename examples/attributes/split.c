/*
 * Two vCPUs change attributes of pages of one large page of the direct mapping, each of its own: it is split into small ones, under one
 * lock (cpa_lock), or what the one has changed is in a table that the other replaces.
 *
 *     gcc -m32 -ffreestanding -fno-pic -O2 -I include -c examples/attributes/split.c && xmcheck check split.o
 *
 * object:
 * object: -DUNLOCKED
 * object: -DSPLIT_LOCKED
 * object: -DUNLOCKED -DCOMPARED
 *
 * Source: Linux arch/x86/mm/pageattr.c, split_large_page(), __should_split_large_page(): cpa_lock, pgd_lock.
 */
#include "xmmm.h"

#define DIRECT 0x400000u /* linear; physical 0 */
#define PAT_LARGE 0x1000u /* where a large page has what XM_PTE_PAT is for a small one */

static unsigned int directory[1024] XM_PAGE, tables[2][1024] XM_PAGE;
static unsigned char pages[2][4096] XM_PAGE;
static volatile unsigned int cpa_lock;

static void setup(void)
{
	xm_map_low(directory);
	directory[DIRECT >> 22] = XM_PTE_KERNEL | XM_PTE_PS | XM_PTE_G;
}
XM_INIT(setup);

/* A table of pages of 4 KB that say what `large` does; `spare` becomes it. Here of the pages that anybody uses. */
static unsigned int split(unsigned int *spare, unsigned int large)
{
	const unsigned int bits = (large & 0xfff & ~XM_PTE_PS) | (large & PAT_LARGE ? XM_PTE_PAT : 0);
	for (unsigned int n = 0; n < 2; n++)
		spare[(unsigned int)pages[n] >> 12] = (large & 0xffc00000) | (unsigned int)pages[n] | bits;
	return xm_pte(spare, XM_PTE_KERNEL);
}

static void change_page_attr(unsigned int *spare, const void *page, unsigned int set, unsigned int clear)
{
	unsigned int *const entry = &directory[DIRECT >> 22], *small, old, made;
#ifndef UNLOCKED
	xm_lock(&cpa_lock);
#endif
	old = xm_load(entry);
	made = old;
	if (old & XM_PTE_PS) {
		made = split(spare, old);
#ifdef COMPARED
		old = xm_cmpxchg(entry, old, made);
		if (!(old & XM_PTE_PS))
			made = old; /* another was faster */
#else
		xm_store(entry, made);
#endif
	}
#ifdef SPLIT_LOCKED
	xm_unlock(&cpa_lock);
#endif
	small = (unsigned int *)(made & ~0xfffu) + ((unsigned int)page >> 12);
	xm_store(small, (xm_load(small) & ~clear) | set);
#if !defined(UNLOCKED) && !defined(SPLIT_LOCKED)
	xm_unlock(&cpa_lock);
#endif
	xm_invlpg(DIRECT + (unsigned int)page); /* the large page that is cached, too; a fence */
}

XM_FIXUPS();
static void protect(int vcpu)
{
	xm_paging_on(directory, XM_CR4_PGE);
	change_page_attr(tables[vcpu], pages[vcpu], 0, XM_PTE_RW);
	XM_ASSERT(!xm_try_store(DIRECT + (unsigned int)pages[vcpu], 1) && "the page is read-only");
}
XM_VCPUS(protect, 2);
