/*
 * xmlazy.h - lazy modes, queues of privileged operations and multicalls as guest code, for programs that xmcheck explores.
 *
 * A paravirtualised kernel asks its hypervisor for privileged updates. Outside of a lazy mode each is a hypercall; inside, it is
 * queued, and leaving the mode (or a flush) makes one multicall of all. The hypervisor's side is code too (xmops.h).
 *
 *  xm_lazy_enter(mode)  XM_LAZY_MMU or XM_LAZY_CPU      xm_lazy_leave(mode)      xm_lazy_flush()
 *  xm_set_pte(p, v)  xm_set_descriptor(p, low, high)  xm_write_cr3_lazy(v)  xm_set_ts(on)  xm_set_iopl(n)  xm_invlpg_lazy(a)  xm_set_dr7(v)
 *  XM_LAZY_ENDS()       at file scope: in the end no mode is on and nothing is queued
 *  XM_LAZY_MODE()       where defined before the include: what a queueing operation `op` takes for the mode (default: xm_lazy.mode)
 *  XM_LAZY_MARKS        where defined before the include: who touches a word whose update is queued is caught (pending-write), and modes are those
 *                       of XM_MODE_ON(&XM_LAZY_SELF, mode)
 *  XM_LAZY_VCPUS        where defined before the include: so many vCPUs have such a state each, xm_lazies[vcpu]
 *  XM_ISSUE(calls, n)   where defined before the include: how a batch gets to the hypervisor (default: a call)
 *
 *  xm_map_on()       turns paging on: the first 4 MB stand where they are, XM_MAP_BASE (8 MB) is mapped by the 1024 entries of
 *                       xm_map_table, all not present at first. XM_PTE(frame) is a present, writable entry.
 */
#ifndef XMLAZY_H
#define XMLAZY_H

#include "xmops.h"

#define XM_LAZY_NONE 0
#define XM_LAZY_MMU 1
#define XM_LAZY_CPU 2
#ifndef XM_LAZY_CALLS
#define XM_LAZY_CALLS 8
#endif

struct xm_lazy_state {
	unsigned int mode, count;
	struct xm_call calls[XM_LAZY_CALLS];
};
#ifdef XM_LAZY_VCPUS
static struct xm_lazy_state xm_lazies[XM_LAZY_VCPUS] __attribute__((unused));
#define XM_LAZY_SELF xm_lazies[xm_vcpu()]
#else
static struct xm_lazy_state xm_lazy __attribute__((unused));
#define XM_LAZY_SELF xm_lazy
#endif

/* ---- The guest ---- */

#ifndef XM_ISSUE
#define XM_ISSUE(calls, count) xm_multicall(calls, count)
#endif
#ifndef XM_LAZY_MODE
#define XM_LAZY_MODE() (XM_LAZY_SELF.mode)
#endif

#ifdef XM_LAZY_MARKS
#define XM_LAZY_ENTERS_(mode_) XM_MODE_ON(&XM_LAZY_SELF, mode_)
#define XM_LAZY_LEAVES_(mode_) XM_MODE_OFF(&XM_LAZY_SELF, mode_)
#define XM_LAZY_MARK_(mark, call)                                                                                      \
	do {                                                                                                           \
		if ((call).op == XM_OP_STORE || (call).op == XM_OP_DESCRIPTOR)                                         \
			mark((call).a, (call).op == XM_OP_STORE ? 4 : 8);                                              \
	} while (0)
#else
#define XM_LAZY_ENTERS_(mode_) XM_ASSERT(XM_LAZY_SELF.mode == XM_LAZY_NONE && "lazy modes do not nest")
#define XM_LAZY_LEAVES_(mode_) XM_ASSERT(XM_LAZY_SELF.mode == mode_ && "a mode that was entered is left")
#define XM_LAZY_MARK_(mark, call) ((void)(call))
#endif

__attribute__((unused, noinline)) static void xm_lazy_flush(void)
{
	const unsigned int flags = xm_irq_save();
	const unsigned int count = XM_LAZY_SELF.count;
	if (count != 0) {
		for (unsigned int n = 0; n < count; n++)
			XM_LAZY_MARK_(XM_SETTLED, XM_LAZY_SELF.calls[n]);
		XM_LAZY_SELF.count = 0;
		XM_ISSUE(XM_LAZY_SELF.calls, count);
	}
	xm_irq_restore(flags);
}
#ifndef XM_WITHOUT_MODES
__attribute__((unused)) static void xm_lazy_enter(unsigned int mode)
{
	XM_LAZY_ENTERS_(mode);
	xm_store(&XM_LAZY_SELF.mode, mode);
}
__attribute__((unused)) static void xm_lazy_leave(unsigned int mode)
{
	XM_LAZY_LEAVES_(mode);
	xm_lazy_flush();
	xm_store(&XM_LAZY_SELF.mode, XM_LAZY_NONE);
}
#endif
__attribute__((unused, noinline)) static void xm_operation(unsigned int op, unsigned int a, unsigned int b, unsigned int c)
{
	struct xm_call now = { op, a, b, c, 0 };
	const unsigned int flags = xm_irq_save();
	if (XM_LAZY_MODE() == XM_LAZY_NONE) {
		XM_ISSUE(&now, 1);
		xm_irq_restore(flags);
		return;
	}
	if (XM_LAZY_SELF.count == XM_LAZY_CALLS)
		xm_lazy_flush();
	XM_LAZY_MARK_(XM_PENDING, now);
	XM_LAZY_SELF.calls[XM_LAZY_SELF.count++] = now;
	xm_irq_restore(flags);
}
#define xm_set_pte(pte, value) xm_operation(XM_OP_STORE, (unsigned int)(pte), value, 0)
#define xm_set_descriptor(entry, low, high) xm_operation(XM_OP_DESCRIPTOR, (unsigned int)(entry), low, high)
#define xm_write_cr3_lazy(value) xm_operation(XM_OP_CR3, value, 0, 0)
#define xm_set_ts(on) xm_operation(XM_OP_TS, on, 0, 0)
#define xm_set_iopl(level) xm_operation(XM_OP_IOPL, level, 0, 0)
#define xm_set_dr7(value) xm_operation(XM_OP_DR7, value, 0, 0)
#define xm_invlpg_lazy(linear) xm_operation(XM_OP_INVLPG, (unsigned int)(linear), 0, 0)

/* ---- Paging ---- */

#define XM_MAP_BASE 0x800000u
#define XM_PTE(frame) ((unsigned int)(frame) | 3)
#ifdef XM_WITH_PAGING
static volatile unsigned int xm_map_table[1024] __attribute__((aligned(4096)));
/* Accessed and dirty already: walks that write nothing are nobody's business. */
static volatile unsigned int xm_page_directory[1024] __attribute__((aligned(4096))) = {
	[0] = 0xe3, /* 4 MB, present, writable */
	[XM_MAP_BASE >> 22] = (unsigned int)xm_map_table + 0x63,
};

__attribute__((unused, noinline)) static void xm_map_on(void)
{
	unsigned int word;
	__asm__ __volatile__("movl %%cr4, %0\n\torl $0x10, %0\n\tmovl %0, %%cr4\n\tmovl %1, %%cr3\n\tmovl %%cr0, %0\n\torl $0x80000000, %0\n\tmovl %0, %%cr0"
			     : "=&r"(word)
			     : "r"(xm_page_directory)
			     : "memory");
}
#endif

/* At file scope: when all has ended, no mode is on and nothing is queued. */
#define XM_LAZY_ENDS()                                                                                                 \
	static void xm_lazy_ended(void) { XM_ASSERT(XM_LAZY_SELF.count == 0 && XM_LAZY_SELF.mode == XM_LAZY_NONE); }   \
	XM_FINAL(xm_lazy_ended)

#endif /* XMLAZY_H */

/*
 * survivor branch always taken, xm_operation, `if (XM_LAZY_MODE() == XM_LAZY_NONE) {`: what is done at once need not be queued
 * survivor branch always taken, xm_operation, `if (XM_LAZY_SELF.count == XM_LAZY_CALLS)`: a flush more does no harm
 * survivor store removed, xm_operation, `XM_LAZY_SELF.calls[XM_LAZY_SELF.count++] = now;`: a word of the call that no operation here uses, or that is 0 as it was
 * survivor store removed, `xm_store(&XM_LAZY_SELF.mode, mode);`: what is done at once need not be queued
 * survivor branch always taken, xm_lazy_flush, `if (count != 0) {`: an empty batch does nothing
 * survivor branch always taken, xm_lazy_flush, `if (flags & 0x200)`: interrupts stay off, and what comes in none goes wrong in none
 * survivor branch always taken, xm_operation, `if (flags & 0x200)`: interrupts stay off, and what comes in none goes wrong in none
 * survivor branch never taken, xm_lazy_flush, `if (flags & 0x200)`: interrupts are opened where none can come
 * survivor branch never taken, xm_operation, `if (flags & 0x200)`: interrupts are opened where none can come
 * survivor branch never taken, xm_operation, `if (XM_LAZY_MODE() == XM_LAZY_NONE) {`: the flush behind it issues what was queued
 * survivor store removed, xm_operation, `struct xm_call now = { op, a, b, c, 0 };`: the result of a call, which nobody looks at
 */
