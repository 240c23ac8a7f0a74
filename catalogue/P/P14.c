/*
 * P14  Modes, queues and delivery of interrupts, by claims alone
 *
 * source: "Paravirt cpu batching", December 2006 ("only one of the lazy modes should be active at any given time, entry should never be nested, and
 *         entry and exits should always be paired"); VMI review, March 2006 (what may be delivered where); provenance G
 *
 * A mode says who is in it, a queue whose it is, a closed flag what may not be executed. Asserted is only that all has been done in the end.
 *
 * variant paired:
 * variant cpu-mode-inside-mmu-mode: -DINSIDE
 * variant entered-again-by-an-interrupt: -DINTERRUPT=1
 * variant left-by-an-interrupt: -DINTERRUPT=2
 * variant flushed-by-an-interrupt: -DINTERRUPT=3
 * variant left-only-where-it-fails-not: -DFORGOTTEN
 * variant left-on-another-vcpu: -DMIGRATES
 * variant flushed-on-another-vcpu: -DMIGRATES=2
 * variant left-before-it-migrates: -DMIGRATES=3
 * variant flag-restored: -DDELIVERY
 * variant flag-opened-inside-a-closed-section: -DDELIVERY -DOPENED
 * variant handler-queues-as-the-mode-ends: -DENDS
 * variant handler-queues-behind-the-flush: -DENDS -DFLUSHED_FIRST
 */
#ifdef DELIVERY
#include "xmvmi.h"

/* A section that a guest closes, and a function it calls that does so too. */
static volatile unsigned int handled;
__attribute__((noinline)) static void handler(void) { handled = 1; }
XM_VMI_DEVICE(0, handler, 1);
static unsigned int closed;
XM_FORBIDS(closed, handler);

static void inner(void)
{
	const unsigned int before = xm_vmi_get_mask();
	xm_vmi_disable();
#ifdef OPENED
	(void)before;
	xm_vmi_enable();
#else
	xm_vmi_set_mask(before);
#endif
}
static void guest(void)
{
	xm_sti(); /* the machine's; the guest's is what the ROM keeps */
	xm_vmi_disable();
	XM_MODE_ON(&closed, 1);
	inner();
	XM_MODE_OFF(&closed, 1);
	xm_vmi_enable();
	xm_cli();
	XM_ASSERT(handled || !xm_vmi_state.pending);
}
XM_VCPU(guest);

#elif defined(ENDS)
#include "xmvmi.h"

/* What a handler queues while the mode ends is not left behind. */
static volatile unsigned int handled, pte;
__attribute__((noinline)) static void handler(void)
{
	xm_vmi(XM_OP_STORE, (unsigned int)&pte, 1, 0);
	handled = 1;
}
XM_VMI_DEVICE(0, handler, 1);

static void guest(void)
{
	xm_sti(); /* the machine's; the guest's is what the ROM keeps */
	xm_vmi_set_deferred_mode(XM_VMI_MMU);
	xm_vmi_enable();
#ifdef FLUSHED_FIRST
	xm_lazy_flush();
	xm_vmi_state.deferred = 0;
#else
	xm_vmi_set_deferred_mode(0);
#endif
	xm_vmi_disable();
	xm_cli();
	XM_ASSERT(!handled || pte == 1);
}
XM_VCPU(guest);

#else
#define XM_LAZY_MARKS
#ifdef MIGRATES
#define XM_LAZY_VCPUS 2
#endif
#include "xmlazy.h"

static volatile unsigned int pte[2];

#if defined(MIGRATES)
/* A task enters the mode on one vCPU, and goes on on the other. */
XM_OWN(0, xm_lazies[0]);
XM_OWN(1, xm_lazies[1]);
static volatile unsigned int moved;
static void from(void)
{
	xm_lazy_enter(XM_LAZY_MMU);
	xm_set_pte(&pte[0], 1);
#if MIGRATES == 3
	xm_lazy_leave(XM_LAZY_MMU);
#endif
	moved = 1;
#if MIGRATES == 2
	while (moved == 1)
		xm_pause();
	xm_lazy_leave(XM_LAZY_MMU);
#elif MIGRATES == 1
	for (;;)
		xm_pause(); /* the idle task */
#endif
}
static void to(void)
{
	while (!moved)
		xm_pause();
#if MIGRATES == 3
	XM_ASSERT(pte[0] == 1);
#endif
#if MIGRATES == 2
	xm_lazies[0].count = 0; /* the queue of the vCPU where it was filled */
	moved = 2;
#elif MIGRATES == 3
	xm_lazy_enter(XM_LAZY_MMU);
	xm_set_pte(&pte[1], 1);
	xm_lazy_leave(XM_LAZY_MMU);
#else
	xm_lazy_leave(XM_LAZY_MMU);
#endif
}
XM_VCPU(from);
XM_VCPU(to);
static void ended(void)
{
	for (unsigned int v = 0; v < 2; v++)
		XM_ASSERT(xm_lazies[v].count == 0 && xm_lazies[v].mode == XM_LAZY_NONE);
	XM_ASSERT(pte[0] == 1 && pte[1] == 1);
}
XM_FINAL(ended);

#else
static void context_switch(void)
{
	xm_lazy_enter(XM_LAZY_CPU);
	xm_set_pte(&pte[1], 2);
	xm_lazy_leave(XM_LAZY_CPU);
}

#ifdef INTERRUPT
static void interrupt(struct xm_frame *frame)
{
	(void)frame;
	XM_REACH();
#if INTERRUPT == 1
	xm_lazy_enter(XM_LAZY_MMU);
	xm_lazy_leave(XM_LAZY_MMU);
#elif INTERRUPT == 2
	xm_lazy_leave(XM_LAZY_MMU);
#else
	xm_lazy_flush();
#endif
}
XM_IRQ(0, 0x40, interrupt, 1);
#endif

static void remap(void)
{
	const unsigned int fails = XM_CHOOSE(2);
	xm_lazy_enter(XM_LAZY_MMU);
	xm_set_pte(&pte[0], 1);
#ifdef INTERRUPT
	xm_sti();
#endif
	xm_set_pte(&pte[1], 1);
#ifdef INTERRUPT
	xm_cli();
#endif
#ifdef INSIDE
	context_switch();
#endif
#ifdef FORGOTTEN
	if (fails)
		return;
#else
	(void)fails;
#endif
	xm_lazy_leave(XM_LAZY_MMU);
	context_switch();
}
XM_VCPU(remap);
static void ended(void)
{
	XM_ASSERT(xm_lazy.count == 0 && xm_lazy.mode == XM_LAZY_NONE);
	XM_ASSERT(pte[0] == 1 && pte[1] == 2);
}
XM_FINAL(ended);
#endif
#endif

/*
 * survivor call removed, remap, `xm_set_pte(&pte[1], 1);`: the context switch sets it anew
 * survivor call removed, remap, `xm_lazy_flush();`: the context switch flushes what is left
 * survivor branch never taken, xm_vmi_open_, `while (xm_xchg(&xm_vmi_state.pending, 0)) {`: one interrupt comes at most
 * survivor store removed, handler, `__attribute__((noinline)) static void handler...`: what the property counts by, where one is pending still
 * survivor store removed, handler, `handled = 1;`: what the property counts by
 * survivor call removed, guest, `xm_vmi_set_deferred_mode(XM_VMI_MMU);`: what is done at once need not be deferred
 */
