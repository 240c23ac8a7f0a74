/*
 * P17  Time-stamp counter and local descriptor table in the context switch: CR4.TSD and LDTR
 *
 * source: "Paravirt cpu batching", December 2006 (disable_tsc() stays behind the flush; the flush is "so the GDT and LDT are properly updated"); Linux
 *         2.6.19, disable_tsc() and TIF_NOTSC, load_LDT() and set_ldt; provenance G
 *
 * One task may not read the time-stamp counter, and has a segment in an LDT of its own; the other may, and has one in another. Both run in ring 3. The
 * switch writes the LDT's descriptor into the GDT and loads LDTR, both in the batch, loads GS from the LDT, and sets or clears TSD where the tasks differ.
 *
 * variant tsd-behind-the-flush:
 * variant tsd-in-the-batch: -DVARIANT_TSD=1
 * variant tsd-in-a-batch-that-is-not-flushed: -DVARIANT_TSD=2
 * variant tsd-left-out: -DVARIANT_TSD=3
 * variant tsd-set-and-never-cleared: -DVARIANT_TSD=4
 * variant cr4-read-while-an-update-is-queued: -DVARIANT_TSD=5
 * variant cr4-kept-in-memory-while-an-update-is-queued: -DVARIANT_TSD=6
 * variant ldt-segment-loaded-before-the-flush: -DVARIANT_LDT=1
 * variant ldtr-loaded-before-its-descriptor-is-written: -DVARIANT_LDT=2
 * variant ldt-left-out: -DVARIANT_LDT=3
 */
#define OP_LDT 16 /* a: selector */
#define OP_CR4 17 /* a: value */
#define XM_ISSUE(calls, count) hypercall(calls, count)
struct xm_call;
static void hypercall(struct xm_call *calls, unsigned int count);
#include "xmlazy.h"
#include "xmring.h"

static void hypercall(struct xm_call *calls, unsigned int count)
{
	for (struct xm_call *call = calls; call < calls + count; call++)
		if (call->op == OP_LDT)
			__asm__ __volatile__("lldt %w0" : : "r"(call->a) : "memory");
		else if (call->op == OP_CR4)
			xm_write_cr4(call->a);
		else
			xm_carry_out(call);
}

#define TSD 4u /* of CR4 */
#define PGE 0x80u

static volatile unsigned int words[2] = { 100, 101 };
struct task {
	unsigned int no_tsc;
	volatile unsigned int ldt[2] __attribute__((aligned(8))); /* of one segment */
};
static struct task tasks[2] = { { .no_tsc = 1 }, { .no_tsc = 0 } };
#define IN_LDT 7u /* its selector, ring 3 */
static volatile unsigned int current, refused, kept_cr4;
static unsigned int kernel_stack[256], user_stack[64];

static unsigned int low_of(const volatile void *base, unsigned int limit) { return (unsigned int)base << 16 | limit; }
static unsigned int high_of(const volatile void *base, unsigned int type) { return ((unsigned int)base & 0xff000000) | ((unsigned int)base >> 16 & 0xff) | type; }

/* ---- disable_tsc() ---- */

static unsigned int cr4_now(void)
{
#if VARIANT_TSD == 6
	return kept_cr4;
#else
	return xm_read_cr4();
#endif
}
static void set_cr4(unsigned int value)
{
	kept_cr4 = value;
	xm_operation(OP_CR4, value, 0, 0);
}
static void disable_tsc(const struct task *prev, const struct task *next)
{
#if VARIANT_TSD != 3
	if (next->no_tsc && !prev->no_tsc)
		set_cr4(cr4_now() | TSD);
#if VARIANT_TSD != 4
	if (prev->no_tsc && !next->no_tsc)
		set_cr4(cr4_now() & ~TSD);
#endif
#else
	(void)prev;
	(void)next;
#endif
}

/* ---- The switch ---- */

static void write_segment(struct task *task, volatile unsigned int *word)
{
	xm_set_descriptor(task->ldt, low_of(word, 3), high_of(word, 0x0040f300));
}
static void load_ldt(struct task *task)
{
	xm_set_descriptor(xm_tls_entry(2), low_of(task->ldt, 7), high_of(task->ldt, 0x00008200));
	xm_operation(OP_LDT, XM_TLS(2) & ~3u, 0, 0);
}
static void switch_to(unsigned int number)
{
	struct task *const prev = &tasks[current], *const next = &tasks[number];
	xm_lazy_enter(XM_LAZY_CPU);
#if VARIANT_LDT == 2
	__asm__ __volatile__("lldt %w0" : : "r"(XM_TLS(2) & ~3u) : "memory");
	xm_set_descriptor(xm_tls_entry(2), low_of(next->ldt, 7), high_of(next->ldt, 0x00008200));
#elif VARIANT_LDT != 3
	load_ldt(next);
#endif
#if VARIANT_TSD == 1
	disable_tsc(prev, next);
#elif VARIANT_TSD == 5 || VARIANT_TSD == 6
	disable_tsc(prev, next);
	set_cr4(cr4_now() ^ PGE); /* something else of CR4 is in the batch too */
#endif
#if VARIANT_LDT == 1
	xm_load_gs(IN_LDT);
#endif
	xm_lazy_leave(XM_LAZY_CPU);
#if VARIANT_TSD == 2
	xm_lazy_enter(XM_LAZY_CPU); /* and nobody leaves it before the task runs */
#endif
#if VARIANT_TSD != 1 && VARIANT_TSD != 5 && VARIANT_TSD != 6
	disable_tsc(prev, next);
#endif
#if VARIANT_LDT != 1
	xm_load_gs(IN_LDT);
#endif
	current = number;
}

/* ---- User mode ---- */

static void user(void)
{
	XM_ASSERT(xm_gs_word() == words[current]);
	/* What it gives is not explored, so who may read it does not. */
	if (tasks[current].no_tsc)
		__asm__ __volatile__("rdtsc" : : : "eax", "edx");
	__asm__ __volatile__("int $0x80");
	__builtin_unreachable();
}

static volatile unsigned int turns;
static void run(void)
{
	const unsigned int turn = turns;
	turns = turn + 1;
#if VARIANT_TSD == 2
	if (turn > 0)
		xm_lazy_leave(XM_LAZY_CPU);
#endif
	if (turn == 4) {
		XM_ASSERT(refused == 2);
		xm_end();
	}
	switch_to(!current);
	XM_ASSERT(tasks[current].no_tsc || !(xm_read_cr4() & TSD));
	xm_go(3, user, user_stack + 64);
}
static void protection(struct xm_frame *frame)
{
	if (xm_ring_of(frame) == 0)
		XM_FAIL(); /* a segment was loaded that is not there */
	refused = refused + 1;
	run();
}
XM_HANDLER(13, protection);
static void done(struct xm_frame *frame)
{
	XM_ASSERT(xm_ring_of(frame) == 3 && !tasks[current].no_tsc);
	run();
}
XM_HANDLER(0x80, done);

static void boot(void)
{
	xm_rings_on();
	xm_open_gate(0x80, 3);
	xm_tss()[1] = (unsigned int)(kernel_stack + 256);
	xm_tss()[2] = XM_DATA_OF(0);
	for (unsigned int n = 0; n < 2; n++)
		write_segment(&tasks[n], &words[n]);
	load_ldt(&tasks[0]);
	set_cr4(xm_read_cr4() | TSD);
	run();
}
XM_VCPU(boot);

/*
 * survivor store removed, xm_lazy_flush, `XM_LAZY_SELF.count = 0;`: what is carried out again is overtaken by what was queued behind it
 * survivor store removed, switch_to, `kept_cr4 = value;`: of PGE, which alone it changes there, nothing depends
 * survivor call removed, switch_to, `xm_operation(OP_CR4, value, 0, 0);`: of PGE, which alone it changes there, nothing depends
 */
