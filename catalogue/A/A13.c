/*
 * A13  Trap-and-skip emulation loses the call: neither the old nor the new function runs
 *
 * source: 9e298e860408, provenance W
 *
 * variant skip: -DSKIP
 * variant emulate:
 */
#include "xmpatch.h"

static void old_function(void) { xm_barrier(); }
XM_GAP(0x201);
static void new_function(void) { xm_barrier(); }
__attribute__((noinline)) static void patched(void) { XM_CALL_SITE(site, old_function); }
XM_FORM_CALL(call_old, site, old_function);
XM_FORM_CALL(call_new, site, new_function);
XM_FORMS_INT3(site, 5, call_old, call_new);
XM_CALLS(site, old_function, new_function); /* one of them, in each pass */
XM_SYNC_GROUP(2)

__attribute__((used)) static void breakpoint(struct xm_int3_frame *frame)
{
	const unsigned int trapped = frame->eip - 1;
#ifdef SKIP
	frame->eip = trapped + 5;
#else
	xm_emulate(frame, trapped, call_new);
#endif
}
XM_INT3_ENTRY(int3_entry, breakpoint);

static void patcher(void) { xm_text_poke_write(site, call_new, 5, XM_SYNC1 | XM_SYNC2 | XM_SYNC3); }

static void executor(void)
{
	xm_sti();
	patched();
	xm_offline();
}

XM_VCPU(patcher);
XM_VCPU(executor);
