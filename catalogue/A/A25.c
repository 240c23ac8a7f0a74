/*
 * A25  text_poke_early: an interrupt window, and the synchronisation placed after interrupts come back
 *
 * source: 2dc419613805 and 3ea1704a9296, provenance W
 *
 * The second half asks what portable code may assume of its own stores to code (ownStores=lag: nothing before it
 * serialises), and whether taking an interrupt serialises.
 *
 * variant 1: -DWINDOW
 * variant 2-entry-not-sync: --set ownStores=lag
 * variant 2-entry-sync: --set ownStores=lag --set interruptSync=yes
 */
#include "xmpatch.h"

__attribute__((noinline)) static void timed(void) { XM_BYTES_SITE(site, XM_DATA16_NOP5); }
XM_FORM_NOP(generic, XM_DATA16_NOP5);
XM_FORM_NOP(optimised, XM_P6_NOP5);
XM_FORMS(site, 5, generic, optimised);

static void timer(struct xm_frame *frame)
{
	(void)frame;
	timed();
}
XM_IRQ(0, 0x20, timer, 1);

static void optimize_nops(void)
{
	xm_sti();
	xm_pause();
#ifndef WINDOW
	xm_cli();
#endif
	xm_copy((void *)site, optimised, 5);
#ifndef WINDOW
	xm_sti();
	xm_pause(); /* an interrupt that was pending is taken before the next instruction */
#endif
	xm_sync_core();
	timed();
	xm_cli();
}

XM_VCPU(optimize_nops);
