/*
 * P13  What the kernel believes of its registers while updates of them are queued, and who consults it
 *
 * source: "Paravirt cpu batching", December 2006 (only what is flushed may be relied on); Linux thread_info.status and TS_USEDFPU, the order of
 *         cpu_vm_mask and CR3 in switch_mm (831d52bc1539); provenance G
 *
 * Words that say whose FPU state is loaded, which page tables, what I/O is allowed, where TLS begins, whom a flush concerns. Nothing is asserted: who
 * consults one while it is not so is caught (belief).
 *
 * variant behind-the-flush:
 * variant fpu-in-the-batch: -DEARLY=1
 * variant tables-in-the-batch: -DEARLY=2
 * variant iopl-in-the-batch: -DEARLY=3
 * variant tls-loaded-in-the-batch: -DEARLY=4
 * variant interrupt-uses-the-fpu: -DINTERRUPT
 * variant interrupt-flushes-first: -DINTERRUPT -DFLUSHES
 * variant interrupt-flushes-first-words-change-with-the-queue: -DINTERRUPT -DFLUSHES -DTOGETHER
 * variant interrupt-flag-kept-by-the-handler: -DFLAG
 * variant interrupt-flag-not-kept: -DFLAG -DNOT_KEPT
 * variant mask-cleared-then-tables: -DMASK=1
 * variant tables-then-mask-cleared: -DMASK=2
 * variant mask-cleared-tables-queued: -DMASK=3
 * variant mask-cleared-behind-the-flush: -DMASK=4
 */
#ifdef FLAG
#include "xmcheck.h"

/* As lockdep keeps it: whoever changes the flag says so, and might_sleep() asks. */
static volatile unsigned int interrupts_on;
XM_BELIEF(0, interrupts_on, XM_IS_IF);

static volatile unsigned int may_sleep;
static void might_sleep(void) { may_sleep = interrupts_on; }
static void interrupt(struct xm_frame *frame)
{
	(void)frame;
#ifdef NOT_KEPT
	might_sleep();
#else
	interrupts_on = 0;
	might_sleep();
	interrupts_on = 1;
#endif
}
XM_IRQ(0, 0x40, interrupt, 1);
static void task(void)
{
	might_sleep();
	interrupts_on = 1;
	xm_sti();
	might_sleep();
	xm_cli();
	interrupts_on = 0;
	might_sleep();
}
XM_VCPU(task);

#else
#define XM_WITH_PAGING
#include "xmlazy.h"
#include "xmring.h"

static volatile unsigned int other_directory[1024] XM_PAGE;
static void directory(void) { other_directory[0] = xm_page_directory[0]; }
XM_INIT(directory);

#ifdef MASK
/* switch_mm() of one vCPU, and a flush of another. */
static volatile unsigned int cpu_vm_mask = 2;
XM_BELIEF_MAY(1, cpu_vm_mask, 2, XM_IS_CR3, xm_page_directory);

static volatile unsigned int told;
static void shooter(void) { told = cpu_vm_mask & 2; }
static void clear(void)
{
	__asm__ __volatile__("lock btrl $1, %0" : "+m"(cpu_vm_mask) : : "memory", "cc");
}
static void switch_mm(void)
{
	xm_map_on();
	xm_lazy_enter(XM_LAZY_CPU);
#if MASK == 1
	clear();
	xm_write_cr3((unsigned int)other_directory);
#elif MASK == 2
	xm_write_cr3((unsigned int)other_directory);
	clear();
#else
	xm_write_cr3_lazy((unsigned int)other_directory);
#endif
#if MASK == 3
	clear();
#endif
	xm_lazy_leave(XM_LAZY_CPU);
#if MASK == 4
	clear();
#endif
}
XM_VCPU(shooter);
XM_VCPU(switch_mm);
XM_LAZY_ENDS();

#else
static volatile unsigned int used_fpu = 1, tables, io_level = 3, tls_base;
XM_BELIEF_IF(0, used_fpu, 1, XM_IS_TS, 0);
XM_BELIEF(0, tables, XM_IS_CR3);
XM_BELIEF(0, io_level, XM_IS_IOPL);
XM_BELIEF(0, tls_base, XM_IS_FS_BASE);

static volatile unsigned int seen;
static unsigned int tls_of_previous, tls_of_next;

static void load_tls(unsigned int *base)
{
	xm_load_fs(XM_TLS(0));
	tls_base = (unsigned int)base;
}
/* kernel_fpu_begin(): whose state has to be saved? */
static void use_fpu(void) { seen = used_fpu; }

#ifdef INTERRUPT
static void interrupt(struct xm_frame *frame)
{
	(void)frame;
#ifdef FLUSHES
	xm_lazy_flush();
#endif
	use_fpu();
}
XM_IRQ(0, 0x40, interrupt, 1);
#define BEGIN() xm_sti()
#define END() xm_cli()
#else
#define BEGIN() ((void)0)
#define END() ((void)0)
#endif

static void unlazy_fpu(void)
{
#ifdef TOGETHER
	const unsigned int flags = xm_irq_save();
#endif
	used_fpu = 0;
	xm_set_ts(1);
#ifdef TOGETHER
	xm_irq_restore(flags);
#endif
}

static void context_switch(void)
{
	xm_rings_on();
	__asm__ __volatile__("clts" : : : "memory");
	xm_map_on();
	xm_set_iopl_now(3);
	xm_tls_entry(0)[0] = XM_TLS_LOW(&tls_of_previous);
	xm_tls_entry(0)[1] = XM_TLS_HIGH(&tls_of_previous);
	load_tls(&tls_of_previous);

	xm_lazy_enter(XM_LAZY_CPU);
	BEGIN();
	unlazy_fpu();
	END();
	tables = (unsigned int)other_directory;
	xm_write_cr3_lazy((unsigned int)other_directory);
	io_level = 0;
	xm_set_iopl(0);
	xm_set_descriptor(xm_tls_entry(0), XM_TLS_LOW(&tls_of_next), XM_TLS_HIGH(&tls_of_next));
#if EARLY == 1
	use_fpu();
#elif EARLY == 2
	seen = tables;
#elif EARLY == 3
	seen = io_level;
#elif EARLY == 4
	load_tls(&tls_of_next);
#endif
	xm_lazy_leave(XM_LAZY_CPU);
#if EARLY != 4
	load_tls(&tls_of_next);
#endif
	use_fpu();
	seen = tables;
	seen = io_level;
	seen = tls_base;
}
XM_VCPU(context_switch);
XM_LAZY_ENDS();
#endif
#endif

/*
 * survivor store removed, context_switch, `seen = tls_base;`: the load is what counts
 * survivor store removed, shooter, `static void shooter(void) { told = cpu_vm_mask & 2; }`: the load is what counts
 */
