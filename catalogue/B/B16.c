/*
 * B16  Check, then HLT: a wakeup between the check and the halt, and the STI shadow
 *
 * source: KVM pv spinlocks; Intel SDM vol. 2B, STI; provenance G
 *
 * variant wrong-n/sti-nop-hlt: -DGAP
 * variant wrong-n/kick-not-sticky: -DNOT_STICKY
 * variant wrong-n/interrupts-off: -DOFF
 * variant right/interrupt:
 * variant right/sticky-kick: -DSTICKY
 */
#include "xmlock.h"

static volatile unsigned int condition, halted;

#define WAKE 0x41
static void wake(struct xm_frame *frame) { (void)frame; }
#if !defined(STICKY) && !defined(NOT_STICKY)
XM_HANDLER(WAKE, wake);
#endif

static void waiter(void)
{
#if defined(STICKY)
	while (!condition)
		XM_BLOCK(); /* a kick that came earlier counts */
#elif defined(NOT_STICKY)
	while (!condition) {
		halted = 1;
		XM_BLOCK();
		halted = 0;
	}
#else
	for (;;) {
		xm_cli();
		if (condition)
			break;
#if defined(OFF)
		xm_hlt();
#elif defined(GAP)
		__asm__ __volatile__("sti\n\tnop\n\thlt" : : : "memory");
#else
		__asm__ __volatile__("sti\n\thlt" : : : "memory");
#endif
	}
#endif
}

static void waker(void)
{
	condition = 1;
#if defined(STICKY)
	xm_lock_fence();
	XM_KICK(0);
#elif defined(NOT_STICKY)
	xm_lock_fence();
	if (halted) /* only who sleeps already is woken */
		XM_KICK(0);
#else
	XM_IPI(0, WAKE);
#endif
}

XM_VCPU(waiter);
XM_VCPU(waker);
