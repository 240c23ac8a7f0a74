/*
 * P01  The context switch in lazy CPU mode: which orders of its steps are right
 *
 * source: Z. Amsden, "Paravirt cpu batching", December 2006, and the comment that it puts above the flush; provenance G
 *
 * switch_mm() and __switch_to() as steps, carried out in the order of a table. Whether the task before used the FPU and had TLS segments is open, and
 * whether the next has used it so often (fpu_counter) that its state is loaded at once. Who judges is the next task, in user mode: its TLS
 * segments, memory, FPU state, privilege and kernel stack have to be its own, and the state of the one before has to be kept.
 *
 * variant right:
 * variant clts-in-the-batch: -DCLTS_QUEUED
 * variant mode-not-used: -DORDER=1
 * variant tls-segments-before-the-flush: -DORDER=2
 * variant second-tls-segment-before-the-flush: -DORDER=3
 * variant fpu-restored-before-the-flush: -DORDER=4
 * variant clts-before-the-flush: -DORDER=5
 * variant clts-in-the-batch-restored-before-the-flush: -DORDER=4 -DCLTS_QUEUED
 * variant user-memory-before-the-flush: -DORDER=6
 * variant not-left: -DORDER=7
 * variant debug-registers-left-out: -DORDER=8
 */
#define XM_WITH_PAGING
#include "xmlazy.h"
#include "xmring.h"

struct task {
	unsigned int iopl, stack[256];
	volatile unsigned int tls[2];
	unsigned short fpu_control; /* of its FPU state */
	unsigned char fpu[108] __attribute__((aligned(16)));
};
static struct task prev = { .iopl = 3, .tls = { 1, 2 }, .fpu_control = 0x37f };
static struct task next = { .iopl = 0, .tls = { 3, 4 }, .fpu_control = 0x27f };
/* What stands at XM_MAP_BASE in the address space of each. */
static volatile unsigned int prev_page[1024] XM_PAGE, next_page[1024] XM_PAGE, next_table[1024] XM_PAGE, next_directory[1024] XM_PAGE;
static unsigned int prev_used_fpu, loads_at_once;
static volatile unsigned int seen_user_word;

static void clts(void) { __asm__ __volatile__("clts" : : : "memory"); }

/* ---- The steps ---- */

static void enter(void) { xm_lazy_enter(XM_LAZY_CPU); }
static void mm(void) { xm_write_cr3_lazy((unsigned int)next_directory); }
static void stack(void) { xm_set_pte(&xm_tss()[1], (unsigned int)(next.stack + 256)); }
static void unlazy(void)
{
	if (!prev_used_fpu)
		return;
	__asm__ __volatile__("fnsave %0" : "=m"(prev.fpu) : : "memory");
	xm_set_ts(1);
}
static void tls(void)
{
	for (unsigned int n = 0; n < 2; n++)
		xm_set_descriptor(xm_tls_entry(n), XM_TLS_LOW(&next.tls[n]), XM_TLS_HIGH(&next.tls[n]));
}
static void iopl(void) { xm_set_iopl(next.iopl); }
static void extra(void) { xm_set_dr7(0x400); } /* __switch_to_xtra(): the task before had a watchpoint */
static void leave(void) { xm_lazy_leave(XM_LAZY_CPU); }
static void clear_ts(void)
{
	if (!loads_at_once)
		return;
#ifdef CLTS_QUEUED
	xm_set_ts(0);
#else
	clts();
#endif
}
static void load_fpu(void) { __asm__ __volatile__("frstor %0" : : "m"(next.fpu) : "memory"); }
static void restore(void)
{
	if (loads_at_once)
		load_fpu();
}
static void fs(void) { xm_load_fs(XM_TLS(0)); }
static void gs(void) { xm_load_gs(XM_TLS(1)); }
static void user(void) { seen_user_word = *(volatile unsigned int *)XM_MAP_BASE; }

static void (*volatile order[])(void) = {
#if ORDER == 1
	mm, stack, unlazy, tls, iopl, extra, enter, leave, clear_ts, restore, fs, gs, user,
#elif ORDER == 2
	enter, mm, stack, unlazy, tls, iopl, extra, fs, gs, leave, clear_ts, restore, user,
#elif ORDER == 3
	enter, mm, stack, unlazy, tls, iopl, extra, gs, leave, clear_ts, restore, fs, user,
#elif ORDER == 4
	enter, mm, stack, unlazy, tls, iopl, extra, clear_ts, restore, leave, fs, gs, user,
#elif ORDER == 5
	enter, mm, stack, unlazy, clear_ts, tls, iopl, extra, leave, restore, fs, gs, user,
#elif ORDER == 6
	enter, mm, stack, unlazy, tls, iopl, extra, user, leave, clear_ts, restore, fs, gs,
#elif ORDER == 7
	leave, mm, stack, unlazy, tls, iopl, extra, enter, clear_ts, restore, fs, gs, user,
#elif ORDER == 8
	enter, mm, stack, unlazy, tls, iopl, leave, clear_ts, restore, fs, gs, user,
#else
	enter, mm, stack, unlazy, tls, iopl, extra, leave, clear_ts, restore, fs, gs, user,
#endif
};

/* ---- What is judged ---- */

static volatile unsigned int loaded_when_used;
static void not_available(struct xm_frame *frame)
{
	if (xm_ring_of(frame) == 0 || loads_at_once)
		XM_FAIL(); /* #NM: in the middle of the switch, or at the first use of a state that was said to be loaded */
	clts();
	load_fpu();
	loaded_when_used = 1;
}
XM_HANDLER(7, not_available);

static void protection(struct xm_frame *frame)
{
	if (xm_ring_of(frame) == 0)
		XM_FAIL(); /* a segment was loaded whose descriptor is not there */
	XM_ASSERT((unsigned int)frame >= (unsigned int)next.stack && (unsigned int)frame < (unsigned int)(next.stack + 256));
	xm_end();
}
XM_HANDLER(13, protection);

static void watched(struct xm_frame *frame)
{
	(void)frame;
	XM_FAIL(); /* #DB: where the task before was waiting for it */
}
XM_HANDLER(1, watched);

static void in_user_mode(void)
{
	unsigned short control;
	__asm__ __volatile__("fnstcw %0" : "=m"(control));
	XM_ASSERT(control == next.fpu_control);
	XM_ASSERT(loaded_when_used == !loads_at_once);
	XM_ASSERT(!prev_used_fpu || *(unsigned short *)prev.fpu == prev.fpu_control);
	XM_ASSERT(xm_fs_word() == next.tls[0]);
	XM_ASSERT(xm_gs_word() == next.tls[1]);
	XM_ASSERT(*(volatile unsigned int *)XM_MAP_BASE == next_page[0]);
	__asm__ __volatile__("cli"); /* not allowed with IOPL 0 */
	XM_FAIL();
}
static unsigned int user_stack[64];

static void tables(void)
{
	prev_page[0] = 10;
	next_page[0] = 20;
	xm_map_table[0] = xm_pte(prev_page, XM_PTE_KERNEL | XM_PTE_US);
	next_table[0] = xm_pte(next_page, XM_PTE_KERNEL | XM_PTE_US);
	xm_page_directory[0] = next_directory[0] = XM_PTE_KERNEL | XM_PTE_PS | XM_PTE_US;
	xm_page_directory[XM_MAP_BASE >> 22] = xm_pte(xm_map_table, XM_PTE_KERNEL | XM_PTE_US);
	next_directory[XM_MAP_BASE >> 22] = xm_pte(next_table, XM_PTE_KERNEL | XM_PTE_US);
}
XM_INIT(tables);

static void before(void)
{
	xm_rings_on();
	clts();
	prev_used_fpu = XM_CHOOSE(2);
	loads_at_once = XM_CHOOSE(2);
	__asm__ __volatile__("fninit\n\tfldcw %0\n\tfnsave %1\n\tfninit\n\tfldcw %2" : : "m"(next.fpu_control), "m"(next.fpu), "m"(prev.fpu_control) : "memory");
	if (!prev_used_fpu)
		xm_set_ts(1);
	if (prev_used_fpu) { /* and had TLS segments, or neither */
		for (unsigned int n = 0; n < 2; n++)
			xm_set_descriptor(xm_tls_entry(n), XM_TLS_LOW(&prev.tls[n]), XM_TLS_HIGH(&prev.tls[n]));
		xm_load_fs(XM_TLS(0));
		xm_load_gs(XM_TLS(1));
	} else {
		xm_load_fs(0);
		xm_load_gs(0);
	}
	xm_set_iopl(prev.iopl);
	__asm__ __volatile__("movl %0, %%db0" : : "r"(&next.tls[1]));
	xm_set_dr7(0x000f0401); /* 4 bytes, read or written, of this task */
	unsigned int flags, dr7;
	__asm__ __volatile__("pushfl\n\tpopl %0\n\tmovl %%db7, %1" : "=r"(flags), "=r"(dr7));
	XM_ASSERT((flags >> 12 & 3) == prev.iopl && (dr7 & 1));
	xm_map_on();
}

static void context_switch(void)
{
	before();
	for (unsigned int n = 0; n < sizeof order / sizeof *order; n++)
		order[n]();
	XM_ASSERT(xm_lazy.mode == XM_LAZY_NONE && xm_lazy.count == 0);
	XM_ASSERT(seen_user_word == next_page[0]);
	xm_go(3, in_user_mode, user_stack + 64);
}

XM_VCPU(context_switch);
