/*
 * P15  The I/O permission bitmap in the context switch
 *
 * source: "Paravirt cpu batching", December 2006 (__switch_to_xtra(): "debug registers and/or IO bitmaps" moved in front of the flush); Linux 2.6.20,
 *         TSS.io_bitmap_base and the bitmap that is copied when a task without one faults; provenance G
 *
 * One task may use a port, the other may not; both run in ring 3, with IOPL 0. The switch says where the bitmap of the TSS begins: there, or behind its end.
 *
 * variant in-the-batch:
 * variant copied-when-it-faults: -DWHEN_IT_FAULTS
 * variant left-out: -DLEFT_OUT
 * variant a-switch-too-late: -DLATE
 * variant left-out-with-a-copy-when-it-faults: -DWHEN_IT_FAULTS -DLEFT_OUT
 * variant copy-of-another-task: -DWHEN_IT_FAULTS -DANOTHER
 * variant allowed-by-iopl-all-the-same: -DIOPL=3
 * variant no-byte-behind-the-bitmap: -DCUT
 */
#include "xmlazy.h"
#include "xmring.h"

#define PORT 0x21
#define BASE 104 /* behind the 32-bit TSS */
#define BITMAP_BYTES 5 /* ports 0 to 39 */
#define NO_BITMAP 0xffff
#ifndef IOPL
#define IOPL 0
#endif

struct task {
	unsigned char bitmap[BITMAP_BYTES]; /* 1: refused */
	unsigned int may;
};
static const struct task tasks[2] = { { { 0xff, 0xff, 0xff, 0xff, 0xff }, 0 }, { { 0xff, 0xff, 0xff, 0xff, 0xfd }, 1 } };
static volatile unsigned int current, uses, faults;
static unsigned int kernel_stack[256], user_stack[64];

static volatile unsigned char tss[BASE + BITMAP_BYTES + 3] __attribute__((aligned(128)));
static volatile unsigned int *base_word(void) { return (volatile unsigned int *)&tss[100]; }
#define BASE_WORD(base) ((unsigned int)(base) << 16)

static void copy_bitmap(unsigned int task)
{
	for (unsigned int n = 0; n < BITMAP_BYTES; n++)
		tss[BASE + n] = tasks[task].bitmap[n];
}

/* A TSS with a bitmap, in the place of the third TLS descriptor. */
static void load_tss(void)
{
#ifdef CUT
	const unsigned int limit = BASE + BITMAP_BYTES - 1;
#else
	const unsigned int limit = BASE + BITMAP_BYTES;
#endif
	const unsigned int at = (unsigned int)tss;
	volatile unsigned int *const descriptor = xm_tls_entry(2);
	((volatile unsigned int *)tss)[1] = (unsigned int)(kernel_stack + 256);
	((volatile unsigned int *)tss)[2] = XM_DATA_OF(0);
	tss[BASE + BITMAP_BYTES] = 0xff; /* the byte behind it is read too (SDM vol. 1, 20.5.2) */
	*base_word() = BASE_WORD(NO_BITMAP);
	descriptor[0] = at << 16 | limit;
	descriptor[1] = (at & 0xff000000) | (at >> 16 & 0xff) | 0x8900;
	__asm__ __volatile__("ltr %w0" : : "r"(XM_TLS(2) & ~3u) : "memory");
}

static void switch_to(unsigned int next)
{
	xm_lazy_enter(XM_LAZY_CPU);
	xm_set_iopl(IOPL);
#ifdef WHEN_IT_FAULTS
	const unsigned int base = NO_BITMAP;
#else
	const unsigned int base = tasks[next].may ? BASE : NO_BITMAP;
	if (tasks[next].may)
		copy_bitmap(next);
#endif
#ifdef LATE
	static unsigned int queued = NO_BITMAP; /* behind the flush, and carried out with the next */
	xm_set_pte(base_word(), BASE_WORD(queued));
	queued = base;
#elif !defined(LEFT_OUT)
	xm_set_pte(base_word(), BASE_WORD(base));
#else
	(void)base;
#endif
	xm_lazy_leave(XM_LAZY_CPU);
	current = next;
}

static void run(void);
static void user(void)
{
	__asm__ __volatile__("outb %%al, %0" : : "i"(PORT), "a"(0));
	uses |= 1u << current; /* user mode, which may write here: paging is off */
	__asm__ __volatile__("int $0x80");
	__builtin_unreachable();
}

static unsigned int copied;
static void protection(struct xm_frame *frame)
{
	if (xm_ring_of(frame) == 0)
		XM_FAIL();
#ifdef WHEN_IT_FAULTS
	if (tasks[current].may && !copied) {
#ifdef ANOTHER
		copy_bitmap(!current);
#else
		copy_bitmap(current);
#endif
		*base_word() = BASE_WORD(BASE);
		copied = 1;
		return;
	}
#endif
	faults |= 1u << current;
	run();
}
XM_HANDLER(13, protection);

static void done(struct xm_frame *frame)
{
	(void)frame;
	run();
}
XM_HANDLER(0x80, done);

/* Each task once more after the other; then who could do what. */
static volatile unsigned int turns;
static void run(void)
{
	const unsigned int turn = turns;
	turns = turn + 1;
	if (turn == 3) {
		XM_ASSERT(uses == 2 && faults == 1);
		xm_end();
	}
	copied = 0;
	switch_to(turn == 1);
	xm_go(3, user, user_stack + 64);
}

static void boot(void)
{
	xm_rings_on();
	xm_open_gate(0x80, 3);
	load_tss();
	xm_set_iopl_now(3); /* of who ran before */
	run();
}
XM_VCPU(boot);

/*
 * survivor call removed, protection, `run();`: the code behind it goes there too
 * survivor call removed, done, `run();`: the code behind it goes there too
 * survivor store removed, boot, `tss[BASE + BITMAP_BYTES] = 0xff;...`: that it is there matters, not what it holds for ports that nobody uses
 * survivor store removed, `tss[BASE + n] = tasks[task].bitmap[n];`: ports that nobody uses
 * survivor branch never taken, switch_to, `const unsigned int base = tasks[next].may ? BASE : NO_BITMAP;`: a copy that no base leads to
 * survivor store removed, xm_lazy_flush, `XM_LAZY_SELF.count = 0;`: what is carried out again is overtaken by what was queued behind it
 * survivor store removed, run, `copied = 0;`: the task that may use the port runs once
 * survivor branch never taken, protection, `if (tasks[current].may && !copied) {`: a task that may use the port faults once
 */
