/*
 * D18  IOPL moved into the batch of the context switch
 *
 * source: lazy CPU mode, 2007 (side note); provenance G
 *
 * variant wrong/omitted: -DOMITTED
 * variant wrong/queued-after-the-flush: -DLATE
 * variant right:
 */
#include "xmlazy.h"

static unsigned int iopl(void)
{
	unsigned int flags;
	__asm__ __volatile__("pushfl\n\tpopl %0" : "=r"(flags));
	return flags >> 12 & 3;
}

/* The previous task may do I/O (IOPL 3), the next one may not. */
static void context_switch(void)
{
	xm_set_iopl(3);
	XM_ASSERT(iopl() == 3);
	xm_lazy_enter(XM_LAZY_CPU);
#if !defined(OMITTED) && !defined(LATE)
	xm_set_iopl(0);
#endif
	xm_lazy_leave(XM_LAZY_CPU);
#ifdef LATE
	xm_store(&xm_lazy.mode, XM_LAZY_CPU); /* a mode that nobody leaves before the next switch */
	xm_set_iopl(0);
#endif
	XM_ASSERT(iopl() == 0); /* the return to user mode */
}

XM_VCPU(context_switch);
XM_LAZY_ENDS();
