/*
 * D16  VMI deferred mode, and interrupts that are delivered where the guest thinks it only writes a flag
 *
 * source: Z. Amsden, VMI interface (SetDeferredMode, EnableInterrupts), 2006, provenance G
 *
 * variant implicit-no-flush:
 * variant flush-before-deliver: -DFLUSH
 */
#include "xmlazy.h"

static volatile unsigned int pte, arrived, masked = 1;

/* The handler looks at the page tables. */
static void handler(void) { XM_ASSERT(pte == 0x1000); }

/* The ROM's EnableInterrupts: delivers what is pending, now. */
static void enable_interrupts(void)
{
	masked = 0;
	if (arrived) {
		arrived = 0;
#ifdef FLUSH
		xm_lazy_flush();
#endif
		handler();
	}
}

static void guest(void)
{
	xm_lazy_enter(XM_LAZY_MMU);
	xm_set_pte(&pte, 0x1000);
	enable_interrupts();
	xm_lazy_leave(XM_LAZY_MMU);
}
static void device(void) { arrived = 1; }

XM_VCPU(guest);
XM_VCPU(device);
XM_LAZY_ENDS();

/*
 * survivor store removed, guest, `arrived = 0;`: nobody enables interrupts again
 * survivor store removed, guest, `masked = 0;`: what is pending is delivered here in any case
 */
