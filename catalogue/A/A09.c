/*
 * A09  The #BP handler dereferences the poke vector while it is being cleared
 *
 * source: 285a54efe386 (fixes c0213b0ac03c), provenance W
 *
 * The breakpoint that the other vCPU hits is a probe's, which has nothing to do with the patching.
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#include "xmpatch.h"

struct poke {
	const unsigned char *site;
};
static struct poke pokes[1];
static struct poke *volatile vector;
static volatile unsigned int entries;

XM_SYNC_GROUP(2)

__attribute__((used)) static void breakpoint(struct xm_int3_frame *frame)
{
	if (entries != 0) {
		struct poke *found = vector;
		if ((unsigned int)xm_load(&found->site) == frame->eip - 1)
			XM_FAIL();
	}
	/* The probe's own business. */
}
XM_INT3_ENTRY(int3_entry, breakpoint);

static void patcher(void)
{
	pokes[0].site = 0;
	vector = pokes;
	entries = 1;
	/* ... the poking itself ... */
	xm_sync_others();
#ifdef FIXED
	entries = 0;
	xm_sync_others(); /* no handler that saw entries runs on: it has interrupts off */
	vector = 0;
#else
	vector = 0;
	entries = 0;
#endif
}

static void probed(void)
{
	xm_sti();
	xm_pause(); /* the first instruction after STI takes no interrupt */
	__asm__ __volatile__("int3" : : : "memory");
	xm_offline();
}

XM_VCPU(patcher);
XM_VCPU(probed);

/*
 * survivor store removed, xm_sync_handler, `XM_SYNC_GROUP(2)`: the wait for it ends with the other vCPU too, which goes offline
 * survivor store removed, patcher, `vector = 0;`: nobody looks at it while there are no entries
 */
