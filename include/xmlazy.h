/*
 * xmlazy.h - lazy modes, queues of privileged operations and multicalls as guest code, for programs that xmcheck explores.
 *
 * A paravirtualised kernel asks its hypervisor for privileged updates. Outside of a lazy mode each is a hypercall; inside, it is
 * queued, and leaving the mode (or a flush) makes one multicall of all. The hypervisor's side is code here too: it carries the
 * operations out on the real machine (page tables, GDT, CR3, CR0.TS, EFLAGS.IOPL).
 *
 *  xm_lazy_enter(mode)  XM_LAZY_MMU or XM_LAZY_CPU      xm_lazy_leave(mode)      xm_lazy_flush()
 *  xm_set_pte(p, v)  xm_set_descriptor(p, low, high)  xm_write_cr3_lazy(v)  xm_set_ts(on)  xm_set_iopl(n)  xm_invlpg_lazy(a)
 *  XM_LAZY_MODE_IS(expr)  before the include: what a queueing operation takes for the mode (default: xm_lazy.mode)
 *
 * xm_hypercalls counts entries of the hypervisor.
 *
 *  xm_map_on()       turns paging on: the first 4 MB stand where they are, XM_MAP_BASE (8 MB) is mapped by the 1024 entries of
 *                       xm_map_table, all not present at first. XM_PTE(frame) is a present, writable entry.
 */
#ifndef XMLAZY_H
#define XMLAZY_H

#include "xmcheck.h"

#define XM_LAZY_NONE 0
#define XM_LAZY_MMU 1
#define XM_LAZY_CPU 2
#ifndef XM_LAZY_CALLS
#define XM_LAZY_CALLS 8
#endif

enum { XM_OP_STORE, XM_OP_DESCRIPTOR, XM_OP_CR3, XM_OP_TS, XM_OP_IOPL, XM_OP_INVLPG };
struct xm_call {
	unsigned int op, a, b, c;
	int result; /* 0, or negative */
};
struct xm_lazy_state {
	unsigned int mode, count;
	struct xm_call calls[XM_LAZY_CALLS];
};
/* One for each vCPU would be indexed; programs with several vCPUs define XM_LAZY_SELF. */
#ifndef XM_LAZY_SELF
static struct xm_lazy_state xm_lazy __attribute__((unused));
#define XM_LAZY_SELF xm_lazy
#endif
static unsigned int xm_hypercalls __attribute__((unused));

/* ---- The hypervisor ---- */

XM_INLINE_ void xm_set_ts_now(unsigned int on)
{
	const unsigned int cr0 = xm_read_cr0();
	xm_write_cr0(on ? cr0 | 8 : cr0 & ~8u);
}
XM_INLINE_ void xm_set_iopl_now(unsigned int level)
{
	__asm__ __volatile__("pushfl\n\tandl $~0x3000, (%%esp)\n\torl %0, (%%esp)\n\tpopfl" : : "r"(level << 12) : "memory", "cc");
}
XM_INLINE_ void xm_carry_out(struct xm_call *call)
{
	switch (call->op) {
	case XM_OP_STORE:
		*(volatile unsigned int *)call->a = call->b;
		break;
	case XM_OP_DESCRIPTOR:
		((volatile unsigned int *)call->a)[0] = call->b;
		((volatile unsigned int *)call->a)[1] = call->c;
		break;
	case XM_OP_CR3:
		xm_write_cr3(call->a);
		break;
	case XM_OP_TS:
		xm_set_ts_now(call->a);
		break;
	case XM_OP_IOPL:
		xm_set_iopl_now(call->a);
		break;
	case XM_OP_INVLPG:
		xm_invlpg(call->a);
		break;
	}
	call->result = 0;
}
__attribute__((unused, noinline)) static void xm_hypervisor(struct xm_call *call) { xm_carry_out(call); }
__attribute__((unused, noinline)) static void xm_multicall(struct xm_call *calls, unsigned int count)
{
	xm_hypercalls++;
	XM_HYPERCALL_("multicall", count);
	for (unsigned int n = 0; n < count; n++)
		xm_hypervisor(&calls[n]);
	xm_lock_fence(); /* the return to the guest is serialising: page walks see what was stored */
}

/* ---- The guest ---- */

#ifndef XM_LAZY_MODE
#define XM_LAZY_MODE() (XM_LAZY_SELF.mode)
#endif

__attribute__((unused, noinline)) static void xm_lazy_flush(void)
{
	const unsigned int flags = xm_irq_save();
	const unsigned int count = XM_LAZY_SELF.count;
	if (count != 0) {
		XM_LAZY_SELF.count = 0;
		xm_multicall(XM_LAZY_SELF.calls, count);
	}
	xm_irq_restore(flags);
}
#ifndef XM_WITHOUT_MODES
__attribute__((unused)) static void xm_lazy_enter(unsigned int mode)
{
	XM_ASSERT(XM_LAZY_SELF.mode == XM_LAZY_NONE && "lazy modes do not nest");
	xm_store(&XM_LAZY_SELF.mode, mode);
}
__attribute__((unused)) static void xm_lazy_leave(unsigned int mode)
{
	XM_ASSERT(XM_LAZY_SELF.mode == mode && "a mode that was entered is left");
	xm_lazy_flush();
	xm_store(&XM_LAZY_SELF.mode, XM_LAZY_NONE);
}
#endif
__attribute__((unused, noinline)) static void xm_operation(unsigned int op, unsigned int a, unsigned int b, unsigned int c)
{
	struct xm_call now = { op, a, b, c, 0 };
	const unsigned int flags = xm_irq_save();
	if (XM_LAZY_MODE() == XM_LAZY_NONE) {
		xm_multicall(&now, 1);
		xm_irq_restore(flags);
		return;
	}
	if (XM_LAZY_SELF.count == XM_LAZY_CALLS)
		xm_lazy_flush();
	XM_LAZY_SELF.calls[XM_LAZY_SELF.count++] = now;
	xm_irq_restore(flags);
}
#define xm_set_pte(pte, value) xm_operation(XM_OP_STORE, (unsigned int)(pte), value, 0)
#define xm_set_descriptor(entry, low, high) xm_operation(XM_OP_DESCRIPTOR, (unsigned int)(entry), low, high)
#define xm_write_cr3_lazy(value) xm_operation(XM_OP_CR3, value, 0, 0)
#define xm_set_ts(on) xm_operation(XM_OP_TS, on, 0, 0)
#define xm_set_iopl(level) xm_operation(XM_OP_IOPL, level, 0, 0)
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

#endif /* XMLAZY_H */
