/*
 * C07  A call to another vCPU, which waits for the caller's lock with interrupts disabled
 *
 * source: a38a44c1a930, 78eef01b0fae, provenance G
 *
 * variant buggy: -DIRQS_OFF
 * variant if-1:
 */
#include "xmmm.h"

static volatile unsigned int call_lock, answered;

static void call_interrupt(struct xm_frame *frame)
{
	(void)frame;
	answered = 1;
}
XM_HANDLER(0xf3, call_interrupt);

/* smp_call_function: one call at a time. */
static void caller(void)
{
	xm_lock(&call_lock);
	XM_IPI(1, 0xf3);
	while (!answered)
		xm_pause();
	xm_unlock(&call_lock);
}

static void called(void)
{
	xm_sti();
#ifdef IRQS_OFF
	xm_cli();
#endif
	xm_lock(&call_lock);
	xm_unlock(&call_lock);
	xm_sti();
	while (!answered)
		xm_pause();
}
XM_VCPU(caller);
XM_VCPU(called);
