/*
 * C10  An entry of a multicall is allocated and not filled in where the mask has become empty
 *
 * source: 694aa960608d, e3f8a74e3a88, caused by 4595f9620cda, provenance G
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#include "xmmm.h"

#define POISON 0xaaaaaaaau
#define TLB_FLUSH_MULTI 7u

struct entry {
	unsigned int op, mask;
};
static struct entry batch[4];
static unsigned int used;
static volatile unsigned int mm_mask = 2;

static struct entry *allocate(void)
{
	xm_store(&batch[used].op, POISON);
	return &batch[used++];
}

/* The hypervisor's side: it does not know an operation of that number. */
static void issue(void)
{
	for (unsigned int k = 0; k < used; k++)
		XM_ASSERT(xm_load(&batch[k].op) != POISON);
	XM_ASSERT(used == 2);
	used = 0;
}

static void flusher(void)
{
	struct entry *entry;
	unsigned int mask;
	entry = allocate(); /* what the batch holds already */
	entry->op = 1;
	if (!mm_mask)
		return;
#ifdef FIXED
	mask = mm_mask;
	entry = allocate();
	entry->op = TLB_FLUSH_MULTI;
	entry->mask = mask; /* may be empty by now: nobody is flushed */
#else
	entry = allocate();
	mask = mm_mask;
	if (mask) {
		entry->op = TLB_FLUSH_MULTI;
		entry->mask = mask;
	}
#endif
	issue();
}

static void leaver(void) { xm_clear_mask(&mm_mask, 2); }
XM_VCPU(flusher);
XM_VCPU(leaver);

/*
 * survivor store removed, issue, `used = 0;`: there is no second batch
 * survivor store removed, flusher, `return &batch[used++];`: the next entry stores the count again
 * survivor branch always taken, flusher, `if (!mm_mask)`: the mask may be empty by then in any case: nobody is flushed
 */
