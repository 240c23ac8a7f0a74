/*
 * A12  ftrace: the handler's flag must be visible before the breakpoint is
 *
 * source: a192cd0413b7, provenance H
 *
 * The front half needs no barrier on x86, stores stay in order; the end does need the synchronisation.
 *
 * variant front-program-order-kept:
 * variant front-stores-swapped: -DSWAPPED
 * variant flag-dec-before-sync: -DEARLY
 */
#include "xmpatch.h"

static volatile unsigned int modifying;

__attribute__((noinline)) static void traced(void) { XM_NOP_SITE(site, XM_P6_NOP5); }
XM_FORM_NOP(nop, XM_P6_NOP5);
XM_FORMS_INT3(site, 5, nop);
XM_SYNC_GROUP(2)

__attribute__((used)) static void breakpoint(struct xm_int3_frame *frame)
{
	XM_ASSERT(modifying);
	frame->eip += 4; /* as if it were a NOP */
}
XM_INT3_ENTRY(int3_entry, breakpoint);

static void patcher(void)
{
	unsigned char *const first = (unsigned char *)site;
#ifdef SWAPPED
	xm_store(first, XM_INT3);
	modifying++;
#else
	modifying++;
	xm_store(first, XM_INT3);
#endif
	xm_sync_others();
	xm_store(first, nop[0]); /* what it becomes in the end is another entry's matter */
#ifdef EARLY
	modifying--;
	xm_sync_others();
#else
	xm_sync_others();
	modifying--;
#endif
}

static void executor(void)
{
	xm_sti();
	traced();
	traced();
	xm_offline();
}

XM_VCPU(patcher);
XM_VCPU(executor);

/*
 * survivor store removed, xm_sync_handler, `XM_SYNC_GROUP(2)`: the wait for it ends with the executor too, which goes offline
 * survivor store removed, patcher, `modifying--;`: no INT3 comes any more that it would be looked at for
 */
