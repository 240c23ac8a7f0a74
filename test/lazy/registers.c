/*
 * As catalogue/P/P02.c, for what else hypervisors are asked for: the LDT, CR4 and DR7. One script of updates and uses runs twice, with every update
 * at once and in lazy mode; what its uses saw must be the same. The hypervisor knows two operations more than xmops.h.
 *
 * object:
 */
#include "xmops.h"

#define OP_LDT 100
#define OP_CR4 101

static void issue(struct xm_call *calls, unsigned int count)
{
	for (unsigned int n = 0; n < count; n++)
		switch (calls[n].op) {
		case OP_LDT:
			__asm__ __volatile__("lldt %w0" : : "r"(calls[n].a) : "memory");
			break;
		case OP_CR4:
			xm_write_cr4(calls[n].a);
			break;
		default:
			xm_hypervisor(&calls[n]);
		}
}
#define XM_ISSUE(calls, count) issue(calls, count)
#include "xmlazy.h"
#include "xmring.h"

/* Numbers as in P02.c, and behind them. */
#define ENTER 1	    /* mode */
#define LEAVE 2	    /* mode */
#define FLUSH 3
#define SET_LDT 18  /* which */
#define SET_CR4 19  /* bits: DE, TSD */
#define SET_DR7 20  /* breakpoints that are on */
#define LOAD_LDT 21 /* a segment of the LDT */
#define SEE_CR4 22
#define TOUCH 23    /* what breakpoint `a` watches */

#define STEPS 64
static volatile struct {
	unsigned int op, a, b;
} script[STEPS] = {
	{ ENTER, XM_LAZY_CPU, 0 }, { SET_LDT, 1, 0 }, { FLUSH, 0, 0 }, { LOAD_LDT, 0, 0 }, { SET_CR4, 3, 0 }, { SET_DR7, 2, 0 }, { LEAVE, XM_LAZY_CPU, 0 },
	{ SEE_CR4, 0, 0 }, { TOUCH, 1, 0 }, { TOUCH, 0, 0 },
};
static unsigned int lazy; /* which world it is */
static unsigned int seen[2][STEPS + 3], counts[2];

/* Each LDT has one segment, which leads to a word of its own. */
static volatile unsigned int ldt[2][2] __attribute__((aligned(8))), words[2] = { 100, 101 };
#define LDT_SELECTOR(n) (XM_TLS(n) & ~7u)
#define IN_LDT 4u

static volatile unsigned int watched[2], hits;
static void hit(struct xm_frame *frame)
{
	(void)frame;
	hits++;
}
XM_HANDLER(1, hit);
#define WRITES_OF_DWORD 0xdu /* RW and LEN of a breakpoint */

static void note(unsigned int value) { seen[lazy][counts[lazy]++] = value; }

static void load_ldt(void)
{
	xm_load_fs(IN_LDT);
	note(xm_fs_word());
}
static void touch(unsigned int n)
{
	hits = 0;
	watched[n] = 1;
	note(hits);
}
static void set_dr7(unsigned int on)
{
	unsigned int value = 0;
	for (unsigned int n = 0; n < 2; n++)
		if (on >> n & 1)
			value |= 1u << 2 * n | WRITES_OF_DWORD << (16 + 4 * n);
	xm_set_dr7(value);
}
static void set_cr4(unsigned int bits) { xm_operation(OP_CR4, bits << 2, 0, 0); }
static void set_ldt(unsigned int which) { xm_operation(OP_LDT, LDT_SELECTOR(which), 0, 0); }

static void step(unsigned int op, unsigned int a)
{
	switch (op) {
	case ENTER:
		if (lazy)
			xm_lazy_enter(a);
		break;
	case LEAVE:
		if (lazy)
			xm_lazy_leave(a);
		break;
	case FLUSH:
		xm_lazy_flush();
		break;
	case SET_LDT:
		set_ldt(a);
		break;
	case SET_CR4:
		set_cr4(a);
		break;
	case SET_DR7:
		set_dr7(a);
		break;
	case LOAD_LDT:
		load_ldt();
		break;
	case SEE_CR4:
		note(xm_read_cr4());
		break;
	case TOUCH:
		touch(a);
		break;
	}
}

static void world(unsigned int which)
{
	lazy = which;
	set_ldt(0);
	set_cr4(0);
	set_dr7(0);
	for (unsigned int n = 0; n < STEPS && script[n].op != 0; n++)
		step(script[n].op, script[n].a);
	/* What is left behind. */
	load_ldt();
	note(xm_read_cr4());
	touch(1);
}

static void guest(void)
{
	xm_rings_on();
	for (unsigned int n = 0; n < 2; n++) {
		const unsigned int base = (unsigned int)ldt[n];
		ldt[n][0] = XM_TLS_LOW(&words[n]);
		ldt[n][1] = XM_TLS_HIGH(&words[n]);
		xm_tls_entry(n)[0] = base << 16 | (sizeof ldt[n] - 1);
		xm_tls_entry(n)[1] = (base & 0xff000000) | (base >> 16 & 0xff) | 0x8200;
	}
	__asm__ __volatile__("movl %0, %%db0" : : "r"(&watched[0]));
	__asm__ __volatile__("movl %0, %%db1" : : "r"(&watched[1]));
	for (unsigned int which = 0; which < 2; which++)
		world(which);
	XM_ASSERT(counts[0] != 0 && counts[0] == counts[1]);
	for (unsigned int n = 0; n < counts[0]; n++)
		XM_ASSERT(seen[0][n] == seen[1][n]);
}

XM_VCPU(guest);
