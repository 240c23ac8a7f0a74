/*
 * A08  text_poke_bp without the third synchronisation: a stale INT3 after the descriptor is gone
 *
 * source: mutant of fd4363fff3d9, provenance H
 *
 * With the retry handler nobody dies of the stale INT3, but the patcher says "done" and its caller gives the memory of the
 * descriptor back while the handler still uses it.
 *
 * variant mutant: -DNO_SYNC3
 * variant mutant-plus-retry-handler: -DNO_SYNC3 -DRETRY
 */
#include "xmpatch.h"

#ifdef NO_SYNC3
#define STEPS (XM_SYNC1 | XM_SYNC2)
#else
#define STEPS (XM_SYNC1 | XM_SYNC2 | XM_SYNC3)
#endif

static void tracer(void) { xm_barrier(); }
XM_GAP(0x201);
__attribute__((noinline)) static void traced(void) { XM_NOP_SITE(site, XM_P6_NOP5); }
XM_FORM_NOP(nop, XM_P6_NOP5);
XM_FORM_CALL(call_tracer, site, tracer);
XM_FORMS_INT3(site, 5, nop, call_tracer);
XM_SYNC_GROUP(2)

static struct descriptor {
	unsigned char *site;
	const unsigned char *bytes;
} memory, *volatile current;

__attribute__((used)) static void breakpoint(struct xm_int3_frame *frame)
{
	const unsigned int trapped = frame->eip - 1;
	struct descriptor *found = current;
	if (found && (unsigned int)xm_load(&found->site) == trapped)
		return xm_emulate(frame, trapped, xm_load(&found->bytes));
#ifdef RETRY
	/* No INT3 there any more: somebody removed it, so try again. */
	if (*(volatile unsigned char *)trapped != XM_INT3) {
		frame->eip = trapped;
		return;
	}
#endif
	XM_FAIL(); /* int3: nobody planted this breakpoint */
}
XM_INT3_ENTRY(int3_entry, breakpoint);

static void patcher(void)
{
	xm_store(&memory.site, (unsigned char *)site);
	xm_store(&memory.bytes, call_tracer);
	current = &memory;
	xm_text_poke_write(site, call_tracer, 5, STEPS);
	current = 0;
	XM_FREE(&memory, sizeof memory); /* "patched": the caller frees what was needed for it */
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
