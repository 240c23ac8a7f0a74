/*
 * A21  Boot-time alternatives are patched with interrupts enabled
 *
 * source: e51959faa612 (Zachary Amsden), provenance G
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#include "xmpatch.h"


#define GENERIC XM_P6_NOP5
#define REPLACEMENT "0x3e, 0x8d, 0x74, 0x26, 0x00" /* one instruction too */
__attribute__((noinline)) static void timed(void) { XM_BYTES_SITE(site, GENERIC); }
XM_FORM_BYTES(generic, GENERIC);
XM_FORM_BYTES(replacement, REPLACEMENT);
XM_FORMS(site, 5, generic, replacement);

static void timer(struct xm_frame *frame)
{
	(void)frame;
	timed();
}
XM_IRQ(0, 0x20, timer, 1);

static void alternative_instructions(void)
{
	xm_sti();
	xm_pause(); /* where the timer meets the old code */
#ifdef FIXED
	xm_cli();
#endif
	xm_copy((void *)site, replacement, 5);
#ifdef FIXED
	xm_sti();
#endif
	timed();
	xm_cli();
}

XM_VCPU(alternative_instructions);
