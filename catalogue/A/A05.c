/*
 * A05  text_poke_bp: the breakpoint protocol in three steps
 *
 * source: fd4363fff3d9, provenance H
 *
 * variant all-steps:
 */
#include "xmpatch.h"

#ifndef STEPS
#define STEPS (XM_SYNC1 | XM_SYNC2 | XM_SYNC3)
#endif

static void tracer(void) { xm_barrier(); }
XM_GAP(0x201);
__attribute__((noinline)) static void traced(void) { XM_NOP_SITE(site, XM_P6_NOP5); }
XM_FORM_NOP(nop, XM_P6_NOP5);
XM_FORM_CALL(call_tracer, site, tracer);
XM_FORMS_INT3(site, 5, nop, call_tracer);
XM_SYNC_GROUP(2)
XM_POKE_HANDLER();

static void patcher(void)
{
	xm_text_poke(site, call_tracer, 5, STEPS);
	XM_PATCHED(site, call_tracer);
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
 * survivor store removed, patcher, `xm_poked_site = 0;`: nobody can meet the breakpoint any more, and nothing else is poked
 */
