/*
 * xmnmi.h - patching code that NMI handlers run, for programs that xmcheck explores.
 *
 *  xm_sync_core_nmi()            serialises the calling vCPU and leaves NMIs blocked, where xm_sync_core() lets them in
 *  XM_NMI_LATCHED(handler, body) at file scope: an NMI handler for XM_NMI(); body() does not nest, even where a breakpoint in it lets
 *                                NMIs in early: who comes meanwhile makes it run once more
 *  xm_nmi_enter()                at the beginning of an NMI handler that runs code which xm_nmi_write() writes
 *  xm_nmi_exit()                 at its end
 *  xm_nmi_write(site, bytes, n)  a plain copy, for the time when the other vCPUs are stopped: an NMI handler that comes all the same
 *                                writes the same bytes, all of them, before it runs them
 *
 * Sources: Linux commits ccd49c239177 (NMIs hit breakpoints on the i386), 17666f02b118 (ftrace: NMI safe code modification);
 * arch/x86/include/asm/sync_core.h on what serialises.
 */
#ifndef XMNMI_H
#define XMNMI_H

#include "xmpatch.h"

/* MOV to CR2 serialises on every class, and the jump empties the prefetch queue of those that have one. */
XM_INLINE_ void xm_sync_core_nmi(void) { __asm__ __volatile__("movl %%cr2, %%eax\n\tmovl %%eax, %%cr2\n\tjmp 1f\n1:" : : : "eax", "memory"); }

/* 0: none runs, 1: one does, 2: another came meanwhile. */
XM_INLINE_ void xm_nmi_latched(volatile unsigned int *state, void (*body)(void))
{
	if (*state != 0) {
		*state = 2;
		return;
	}
	do {
		*state = 1;
		body();
	} while (xm_cmpxchg(state, 1, 0) != 1);
}
#define XM_NMI_LATCHED(handler, body)                                                                                  \
	static volatile unsigned int XM_JOIN_(handler, _states)[XM_SYNC_VCPUS_MAX];                                    \
	static void handler(struct xm_frame *frame)                                                                    \
	{                                                                                                              \
		(void)frame;                                                                                           \
		xm_nmi_latched(&XM_JOIN_(handler, _states)[xm_vcpu()], body);                                          \
	}
static volatile unsigned int xm_in_nmi __attribute__((unused));
static unsigned char *volatile xm_nmi_site __attribute__((unused)); /* 0: nobody writes */
static const unsigned char *volatile xm_nmi_bytes __attribute__((unused));
static volatile unsigned int xm_nmi_count __attribute__((unused));

XM_INLINE_ void xm_nmi_enter(void)
{
	xm_lock_inc(&xm_in_nmi);
	unsigned char *const site = xm_nmi_site; /* the writer may end meanwhile, but waits before it writes anything else */
	if (site)
		xm_copy(site, xm_nmi_bytes, xm_nmi_count);
	xm_sync_core_nmi();
}
XM_INLINE_ void xm_nmi_exit(void) { xm_lock_dec(&xm_in_nmi); }

/* Nobody who has not seen what was stored before is in an NMI handler any more. */
XM_INLINE_ void xm_nmi_wait_(void)
{
	xm_lock_fence();
	while (xm_in_nmi)
		xm_pause();
}
XM_INLINE_ void xm_nmi_write(const volatile void *site, const unsigned char *bytes, unsigned int n)
{
	xm_nmi_bytes = bytes;
	xm_nmi_count = n;
	xm_nmi_site = (unsigned char *)(unsigned int)site;
	xm_nmi_wait_();
	xm_copy((unsigned char *)(unsigned int)site, bytes, n);
	xm_lock_fence();
	xm_nmi_site = 0;
	xm_nmi_wait_();
}

#endif /* XMNMI_H */
