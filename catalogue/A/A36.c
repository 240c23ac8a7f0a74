/*
 * A36  Text is written through another linear address (fixmap, vmap) and the writer does not serialise
 *
 * source: 78ff7fae0455 and 7cf494270424; SDM vol. 3A 11.6 (what was prefetched is compared with stores by linear address); provenance G
 *
 * The alias is mapped before and unmapped later, so that no INVLPG, which would serialise, comes between the store and the
 * execution. The second case is the other hazard of a fixed alias: whoever maps it next and does not flush may store to
 * the page that it led to before.
 *
 * variant no-sync:
 * variant no-sync/stale-alias: -DREMOTE
 * variant fixed: -DFIXED
 * variant fixed/stale-alias: -DREMOTE -DFIXED
 */
#include "xmmm.h"
#include "xmpatch.h"

#define ALIAS 0x400000u

static unsigned int directory[1024] XM_PAGE, table[1024] XM_PAGE;
static struct xm_mm mm = { directory, 0 };

/* Two pages of text: `movl $1, %eax; ret` each. */
unsigned int first(void);
unsigned int second(void);
__asm__(".pushsection .text.pages, \"ax\", @progbits\n\t.balign 4096\nfirst:\n\tmovl $1, %eax\n\tret\n\t"
	".balign 4096\nsecond:\n\tmovl $1, %eax\n\tret\n\t.balign 4096\n\t.popsection");

static void setup(void)
{
	xm_map_low(directory);
	xm_map(directory, table, ALIAS, (void *)first, XM_PTE_KERNEL);
}
XM_INIT(setup);

#ifndef REMOTE
static void poker(void)
{
	xm_use_mm(&mm);
	xm_store((unsigned char *)ALIAS + 1, 2);
#ifdef FIXED
	xm_sync_core();
#endif
	XM_ASSERT(first() == 2);
}
XM_VCPU(poker);
#else
static volatile unsigned int unmapped;

static void first_poker(void)
{
	xm_use_mm(&mm);
	xm_store((unsigned char *)ALIAS + 1, 2);
	xm_store(&table[0], 0);
	xm_invlpg(ALIAS);
	unmapped = 1;
}
static void second_poker(void)
{
	xm_use_mm(&mm);
	while (!unmapped)
		xm_pause();
	xm_xchg(&table[0], xm_pte((void *)second, XM_PTE_KERNEL)); /* walks do not see what is buffered */
#ifdef FIXED
	xm_invlpg(ALIAS);
#endif
	xm_store((unsigned char *)ALIAS + 1, 2);
	xm_sync_core();
	XM_ASSERT(second() == 2);
}
XM_VCPU(first_poker);
XM_VCPU(second_poker);
#endif
