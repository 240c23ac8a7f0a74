/*
 * P16  Operations that are one because of the STI shadow: safe_halt() and the way out by STI; SYSEXIT
 *
 * source: xen-ia64-devel, December 2007 (safe_halt is an operation of pv_irq_ops; "only cli/sti/iret & sti; sysexit is in patch site"); Linux 2.6.20,
 *         paravirt_ops.irq_enable_sysexit; provenance G
 *
 * No interrupt is taken behind an STI before the next instruction is done. What sleeps, or leaves for user mode, rests on that: as one operation it survives
 * every form of a call site, as two it does not. A hypervisor has no such shadow, and its call to sleep opens the events itself.
 *
 * variant halt-called-through-the-table: -DFORM=XM_PV_INDIRECT
 * variant halt-called: -DFORM=XM_PV_DIRECT
 * variant halt-inline: -DFORM=XM_PV_INLINE
 * variant enable-and-halt-native: -DSPLIT -DNATIVE
 * variant enable-and-halt-called: -DSPLIT -DFORM=XM_PV_DIRECT
 * variant enable-and-halt-inline-with-padding: -DSPLIT -DFORM=XM_PV_INLINE
 * variant block-opens-the-events: -DXEN
 * variant opened-before-the-block: -DXEN -DSPLIT
 * variant way-out-called-through-the-table: -DWAY_OUT -DFORM=XM_PV_INDIRECT
 * variant way-out-inline: -DWAY_OUT -DFORM=XM_PV_INLINE
 * variant way-out-enabled-before: -DWAY_OUT -DSPLIT -DFORM=XM_PV_INLINE
 */
#if defined(XEN)
#define XM_HV_UPCALLS
#include "xmhyper.h"

/* An idle task that waits for work, which an event brings. */
XM_HYPERVISOR(xen);
static volatile unsigned int work;
static void upcall(struct xm_frame *frame)
{
	(void)frame;
	xm_hv_vcpus[0].upcall_pending = 0;
	work = 1;
}
XM_HANDLER(XM_HV_UPCALL, upcall);
static void idle(void)
{
	while (!work) {
#ifdef SPLIT
		xm_sti();
#else
		xm_cli();
		if (work)
			break;
#endif
		XM_ASSERT(xm_hypercall(XM_SCHED_OP, XM_SCHED_BLOCK, 0) == 0);
		xm_sti();
	}
	xm_cli();
}
static void waker(void)
{
	const unsigned int port = 1; /* leads to vCPU 0 */
	XM_ASSERT(xm_hypercall(XM_EVENT_OP, XM_EVENT_SEND, &port) == 0);
}
XM_VCPU(idle);
XM_VCPU(waker);

#else
#include "xmpv.h"
#include "xmring.h"

#define SAFE_HALT 0
#define ENABLE 1
#define HALT 2
#define ENABLE_SYSEXIT 3
#define SYSEXIT 4
#define FN(name, text) void name(void); __asm__(".pushsection .text\n" #name ":\n" text "\tret\n.popsection"); XM_FORM(code_##name, text)
FN(safe_halt, "\tsti\n\thlt\n");
FN(enable, "\tsti\n");
FN(halt, "\thlt\n");
FN(enable_sysexit, "\tsti\n\tsysexit\n");
FN(leave_kernel, "\tsysexit\n");

#ifdef NATIVE
#define ONE(site, op, code) code
#else
#define ONE(site, op, code) XM_PV_ANY(site, op)
#endif
#if defined(WAY_OUT)
#define BOTH ENABLE_SYSEXIT
#define LAST SYSEXIT
#define LAST_CODE "sysexit\n\t"
#else
#define BOTH SAFE_HALT
#define LAST HALT
#define LAST_CODE "hlt\n\t"
#endif
#ifdef SPLIT
#define PASS ONE(first, ENABLE, "sti\n\t") ONE(second, LAST, LAST_CODE)
#define FIRST ENABLE
#else
#define PASS ONE(first, BOTH, "sti\n\t" LAST_CODE)
#define FIRST BOTH
#endif

static void boot(void)
{
#define OP(n, name, length) xm_pv_ops[n].fn = name, xm_pv_ops[n].code = code_##name, xm_pv_ops[n].bytes = length
	OP(SAFE_HALT, safe_halt, 2);
	OP(ENABLE, enable, 1);
	OP(HALT, halt, 1);
	OP(ENABLE_SYSEXIT, enable_sysexit, 3);
	OP(SYSEXIT, leave_kernel, 2);
#ifndef NATIVE
	extern unsigned char first[];
	xm_pv_patch(&(const struct xm_pv_site){ first, 6, FIRST, XM_ANY }, FORM);
#ifdef SPLIT
	extern unsigned char second[];
	xm_pv_patch(&(const struct xm_pv_site){ second, 6, LAST, XM_ANY }, FORM);
#endif
#endif
}
XM_INIT(boot);

static volatile unsigned int work;
#ifdef WAY_OUT
/* What an interrupt leaves to do is done on the way to user mode: by the interrupt, if it came from there, else by who was interrupted. */
static void interrupt(struct xm_frame *frame)
{
	work = xm_ring_of(frame) != 3;
}
XM_IRQ(0, 0x40, interrupt, 1);

static void kernel(void)
{
	xm_rings_on();
	__asm__ __volatile__("wrmsr" : : "a"(XM_CODE_OF(3) - 0x13), "d"(0), "c"(0x174)); /* SYSENTER_CS */
	__asm__ __volatile__("movl %0, %%ds\n\tmovl %0, %%es" : : "r"(XM_DATA_OF(3)) : "memory");
	xm_sti();
	__asm__ __volatile__("nop");
	xm_cli();
	work = 0;
	__asm__ __volatile__("movl %%esp, %%ecx\n\tmovl $1f, %%edx\n\t" PASS "1:" : : : "eax", "ecx", "edx", "memory", "cc");
	XM_ASSERT(!work);
	xm_end();
}
XM_VCPU(kernel);
#else
static void interrupt(struct xm_frame *frame) { (void)frame; }
XM_HANDLER(0x40, interrupt);

static void idle(void)
{
	xm_cli();
	while (!work) {
		__asm__ __volatile__(PASS : : : "eax", "ecx", "edx", "memory", "cc");
		xm_cli();
	}
}
static void waker(void)
{
	work = 1;
	XM_IPI(0, 0x40);
}
XM_VCPU(idle);
XM_VCPU(waker);
#endif
#endif

/*
 * survivor branch never taken, xm_hv_send, `if (xm_hv_vcpus[vcpu].polled...`: nobody polls a port
 * survivor store removed, upcall, `xm_hv_vcpus[0].upcall_pending = 0;`: there is one event
 * survivor branch always taken, idle, `while (!work) {`: the look behind CLI decides
 */
