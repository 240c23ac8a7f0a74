/*
 * A10  try_get_desc(): a reference is taken on a descriptor that lived on the patcher's stack
 *
 * source: efd608fa7403 (fixes 1f676247f36a), provenance W
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#include "xmpatch.h"

struct descriptor {
	volatile unsigned int references;
	const unsigned char *site;
};
static struct descriptor *volatile current;
#define REUSED ((const unsigned char *)-1)
#ifdef FIXED
static struct descriptor descriptor;
#endif

static int increment_unless_zero(volatile unsigned int *count)
{
	unsigned int seen = *count;
	while (seen != 0) {
		const unsigned int found = xm_cmpxchg(count, seen, seen + 1);
		if (found == seen)
			return 1;
		seen = found;
	}
	return 0;
}

__attribute__((used)) static void breakpoint(struct xm_int3_frame *frame)
{
#ifdef FIXED
	struct descriptor *found = &descriptor; /* always there: who has no reference does not look into it */
#else
	struct descriptor *found = current;
	if (!found)
		return;
#endif
	if (!increment_unless_zero(&found->references))
		return;
	const unsigned char *const site = xm_load(&found->site);
	XM_ASSERT(site != REUSED && "what is referenced is not reused");
	if ((unsigned int)site == frame->eip - 1)
		XM_FAIL();
	xm_lock_dec(&found->references);
}
XM_INT3_ENTRY(int3_entry, breakpoint);

__attribute__((noinline)) static void text_poke(void)
{
#ifndef FIXED
	struct descriptor descriptor;
#endif
	xm_store(&descriptor.site, 0);
	xm_store(&descriptor.references, 1);
	current = &descriptor;
	/* ... the poking itself ... */
	current = 0;
	if (!xm_lock_dec(&descriptor.references))
		while (descriptor.references != 0)
			xm_pause();
#ifdef FIXED
	/* the next batch */
	xm_store(&descriptor.site, REUSED);
#else
	XM_FREE(&descriptor, sizeof descriptor); /* the frame is gone */
#endif
}

static void patcher(void) { text_poke(); }
static void probed(void) { __asm__ __volatile__("int3" : : : "memory"); }

XM_VCPU(patcher);
XM_VCPU(probed);

/*
 * survivor store removed, text_poke, `xm_store(&descriptor.site, REUSED);`: it marks the reuse that the property looks for
 */
