/*
 * xmmm.h - address spaces, TLB shootdown by IPI and faults that are handled, for programs that xmcheck explores.
 *
 *  XM_FIXUPS()                   at file scope: a #PF handler for the two that follow
 *  xm_try_load(linear, value)    loads; `value` where that faults
 *  xm_try_store(linear, value)   stores; 0 where that faults
 *
 *  struct xm_mm                  an address space: its page directory, and the vCPUs that may run on it
 *  XM_SHOOTDOWN(n)               at file scope: TLB state of vCPUs 0 .. n-1, the request block, its IPI
 *  xm_use_mm(mm)                 a vCPU's first: loads it and turns paging on
 *  xm_switch_mm(mm)              to another one, or back to the one that was borrowed
 *  xm_enter_lazy()               from here on a kernel thread runs, on whatever address space is loaded
 *  xm_flush_page(mm, linear)     no vCPU uses an old translation of the page when it returns; XM_ALL: of any page
 *  xm_leave()                    the calling vCPU is done, or goes offline; it takes no IPIs any more (xm_leave_tables(): nor needs page tables)
 *  xm_come_online(mm)            it is there again: loads mm anew
 *
 *  XM_ONE_PAGE(n)                at file scope: what most programs begin with: vCPUs 0 .. n-1, an address space `mm` of `directory` and
 *                                `table`, in which `page` is at linear address XM_USER, faults that are fixed up
 *
 * This is the protocol of Linux 2.6.20 on i386 (arch/i386/kernel/smp.c), one access for one access: a request block under
 * a lock, a mask of who has still to answer, an IPI, lazy TLB with leave_mm.
 */
#ifndef XMMM_H
#define XMMM_H

#include "xmcheck.h"

#define XM_ALL 0xffffffffu

/* ---- Faults ---- */

/* Where the access goes on is in EDX. */
#define XM_FIXUPS()                                                                                                    \
	static void xm_fix_up(struct xm_frame *frame)                                                                  \
	{                                                                                                              \
		frame->eip = frame->edx;                                                                               \
		frame->ecx = 0;                                                                                        \
	}                                                                                                              \
	XM_HANDLER(14, xm_fix_up)

XM_INLINE_ unsigned int xm_try_load(unsigned int linear, unsigned int value)
{
	unsigned int ok = 1;
	__asm__ __volatile__("movl $1f, %%edx\n\tmovl (%2), %0\n1:" : "+a"(value), "+c"(ok) : "b"(linear) : "edx", "memory");
	return value;
}
XM_INLINE_ unsigned int xm_try_store(unsigned int linear, unsigned int value)
{
	unsigned int ok = 1;
	__asm__ __volatile__("movl $1f, %%edx\n\tmovl %1, (%2)\n1:" : "+c"(ok) : "a"(value), "b"(linear) : "edx", "memory");
	return ok;
}

/* ---- Locks and masks ---- */

XM_INLINE_ void xm_lock(volatile unsigned int *lock)
{
	while (xm_xchg(lock, 1))
		while (*lock)
			xm_pause();
}
XM_INLINE_ void xm_unlock(volatile unsigned int *lock) { *lock = 0; }
XM_INLINE_ void xm_set_mask(volatile unsigned int *mask, unsigned int bits)
{
	__asm__ __volatile__("lock orl %1, %0" : "+m"(*mask) : "r"(bits) : "memory", "cc");
}
XM_INLINE_ void xm_clear_mask(volatile unsigned int *mask, unsigned int bits)
{
	__asm__ __volatile__("lock andl %1, %0" : "+m"(*mask) : "r"(~bits) : "memory", "cc");
}
/* Whether the bit was set before. */
XM_INLINE_ int xm_test_and_set(volatile unsigned int *mask, unsigned int bit)
{
	unsigned char was;
	__asm__ __volatile__("lock btsl %2, %1\n\tsetc %0" : "=q"(was), "+m"(*mask) : "r"(bit) : "memory", "cc");
	return was;
}

/* ---- Address spaces ---- */

struct xm_mm {
	unsigned int *directory;
	volatile unsigned int vcpus; /* who has to be told of changes */
};

#define XM_TLB_OK 1
#define XM_TLB_LAZY 2

/* What a vCPU has loaded, and whether it uses it. */
struct xm_tlb {
	struct xm_mm *volatile mm;
	volatile unsigned int state;
};

#define XM_SHOOTDOWN_VECTOR 0xfd
#define XM_VCPUS_MAX 8

static struct xm_tlb xm_tlbs[XM_VCPUS_MAX] __attribute__((unused));
static struct xm_mm xm_kernel_mm __attribute__((unused)); /* what leave_mm goes to; set its directory */

/* The request: who has still to answer, and what for. */
static volatile unsigned int xm_flush_vcpus __attribute__((unused)), xm_flush_linear __attribute__((unused));
static struct xm_mm *volatile xm_flush_mm __attribute__((unused));
static volatile unsigned int xm_flush_lock __attribute__((unused));
static volatile unsigned int xm_gone_vcpus __attribute__((unused));

XM_INLINE_ void xm_flush_local(unsigned int linear)
{
	if (linear == XM_ALL)
		xm_flush();
	else
		xm_invlpg(linear);
}

/* A kernel thread needs no user pages: do not ask this vCPU again. */
#ifndef XM_LEAVE_MM
#define XM_LEAVE_MM(self, old)                                                                                         \
	do {                                                                                                           \
		xm_write_cr3((unsigned int)xm_kernel_mm.directory);                                                    \
		xm_clear_mask(&(old)->vcpus, 1u << (self));                                                            \
	} while (0)
#endif

#ifndef XM_ANSWER
#define XM_ANSWER(self)                                                                                                \
	do {                                                                                                           \
		xm_do_flush(self);                                                                                     \
		xm_clear_mask(&xm_flush_vcpus, 1u << (self));                                                          \
	} while (0)
#endif

#ifndef XM_REQUEST
#define XM_REQUEST(mask, space, page)                                                                                  \
	do {                                                                                                           \
		xm_flush_mm = (space);                                                                                 \
		xm_flush_linear = (page);                                                                              \
		xm_set_mask(&xm_flush_vcpus, (mask));                                                                  \
	} while (0)
#endif

/* Between the request and the IPI. */
#ifndef XM_BEFORE_IPI
#define XM_BEFORE_IPI()
#endif

__attribute__((unused, noinline)) static void xm_do_flush(unsigned int self)
{
	struct xm_tlb *const tlb = &xm_tlbs[self];
	struct xm_mm *const mm = tlb->mm;
	if (xm_flush_mm != mm)
		return;
	if (tlb->state == XM_TLB_OK)
		xm_flush_local(xm_flush_linear);
	else
		XM_LEAVE_MM(self, mm);
}

/* Tells the vCPUs in `mask`, which are not the caller, and waits until they have answered. */
static void xm_flush_others(unsigned int mask, struct xm_mm *mm, unsigned int linear);

#define XM_SHOOTDOWN(n) XM_SHOOTDOWN_BY(n, xm_flush_others)

/* `others` instead of xm_flush_others (xmpvmm.h). */
#define XM_SHOOTDOWN_BY(n, others)                                                                                     \
	static void xm_shootdown_interrupt(struct xm_frame *frame)                                                     \
	{                                                                                                              \
		const unsigned int self = xm_vcpu();                                                                   \
		(void)frame;                                                                                           \
		if (xm_flush_vcpus & 1u << self)                                                                       \
			XM_ANSWER(self);                                                                               \
	}                                                                                                              \
	XM_HANDLER(XM_SHOOTDOWN_VECTOR, xm_shootdown_interrupt);                                                       \
	__attribute__((unused, noinline)) static void xm_flush_others(unsigned int mask, struct xm_mm *mm, unsigned int linear) \
	{                                                                                                              \
		xm_lock(&xm_flush_lock);                                                                               \
		mask &= ~xm_gone_vcpus;                                                                                \
		XM_REQUEST(mask, mm, linear);                                                                          \
		XM_BEFORE_IPI();                                                                                       \
		for (unsigned int v = 0; v < (n); v++)                                                                 \
			if (mask & 1u << v)                                                                            \
				XM_IPI(v, XM_SHOOTDOWN_VECTOR);                                                        \
		while (xm_flush_vcpus)                                                                                 \
			xm_pause();                                                                                    \
		xm_flush_mm = 0;                                                                                       \
		xm_unlock(&xm_flush_lock);                                                                             \
	}                                                                                                              \
	__attribute__((unused, noinline)) static void xm_flush_page(struct xm_mm *mm, unsigned int linear)             \
	{                                                                                                              \
		const unsigned int self = xm_vcpu();                                                                   \
		unsigned int mask;                                                                                     \
		if (xm_tlbs[self].mm == mm)                                                                            \
			xm_flush_local(linear);                                                                        \
		mask = mm->vcpus & ~(1u << self);                                                                      \
		if (mask)                                                                                              \
			others(mask, mm, linear);                                                                      \
	}

/* ---- What a vCPU runs on ---- */

/* CR4 besides PSE. */
#ifndef XM_MM_CR4
#define XM_MM_CR4 0
#endif

XM_INLINE_ void xm_use_mm(struct xm_mm *mm)
{
	struct xm_tlb *const tlb = &xm_tlbs[xm_vcpu()];
	tlb->mm = mm;
	tlb->state = XM_TLB_OK;
	xm_set_mask(&mm->vcpus, 1u << xm_vcpu());
	xm_paging_on(mm->directory, XM_MM_CR4);
}

XM_INLINE_ void xm_enter_lazy(void) { xm_tlbs[xm_vcpu()].state = XM_TLB_LAZY; }

/* The source's order: CR3 first, then the bit of the one that is left (831d52bc1539). */
__attribute__((unused, noinline)) static void xm_switch_mm(struct xm_mm *next)
{
	const unsigned int self = xm_vcpu();
	struct xm_tlb *const tlb = &xm_tlbs[self];
	struct xm_mm *const prev = tlb->mm;
	if (prev != next) {
		tlb->state = XM_TLB_OK;
		tlb->mm = next;
		xm_set_mask(&next->vcpus, 1u << self);
		xm_write_cr3((unsigned int)next->directory);
		xm_clear_mask(&prev->vcpus, 1u << self);
	} else {
		tlb->state = XM_TLB_OK;
		/* Where it was left meanwhile, translations may be old. */
		if (!xm_test_and_set(&next->vcpus, self))
			xm_write_cr3((unsigned int)next->directory);
	}
}

/* A vCPU that ends answers nobody: it goes offline, while no request is open. Interrupts are on. */
XM_INLINE_ void xm_leave(void)
{
	xm_lock(&xm_flush_lock);
	xm_gone_vcpus |= 1u << xm_vcpu();
	xm_unlock(&xm_flush_lock);
	xm_cli();
}

/* Nobody asked it meanwhile, so nothing that it has cached can be trusted. */
XM_INLINE_ void xm_come_online(struct xm_mm *mm)
{
	xm_lock(&xm_flush_lock);
	xm_gone_vcpus &= ~(1u << xm_vcpu());
	xm_unlock(&xm_flush_lock);
	xm_use_mm(mm);
	xm_sti();
}

/* ---- A page ---- */

#define XM_USER 0x400000u
#define XM_ONE_PAGE(n) XM_ONE_PAGE_BY(XM_SHOOTDOWN(n))
/* `shootdown`: XM_SHOOTDOWN or another that has its place. */
#define XM_ONE_PAGE_BY(shootdown)                                                                                      \
	static unsigned int directory[1024] XM_PAGE, table[1024] XM_PAGE, page[1024] XM_PAGE;                          \
	static struct xm_mm mm = { directory, 0 };                                                                     \
	static void xm_one_page(void)                                                                                  \
	{                                                                                                              \
		xm_map_low(directory);                                                                                 \
		xm_map(directory, table, XM_USER, page, XM_PTE_KERNEL);                                                \
	}                                                                                                              \
	XM_INIT(xm_one_page);                                                                                          \
	XM_FIXUPS();                                                                                                   \
	shootdown

/* Where page tables are freed: whoever goes offline stops walking them, while he can still be told (Linux: idle_task_exit). */
XM_INLINE_ void xm_leave_tables(void)
{
	xm_write_cr0(xm_read_cr0() & ~0x80000000u);
	xm_leave();
}

#endif /* XMMM_H */

/*
 * survivor store removed, xm_flush_others, `XM_SHOOTDOWN...`: a request that is over is not looked at: its mask is empty
 * survivor store removed, xm_flush_others, `XM_ONE_PAGE...`: what for is not asked of a request that is over, nor where it is enough that it is answered
 * survivor branch always taken, xm_flush_page, `XM_SHOOTDOWN...`: a request to nobody is over at once
 * survivor branch always taken, xm_flush_page, `XM_ONE_PAGE...`: a request to nobody is over at once
 * survivor store removed, xm_switch_mm, `tlb->mm = next;`: nobody asks about the address space that is entered
 */
