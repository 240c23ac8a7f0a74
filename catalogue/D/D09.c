/*
 * D09  Callbacks of a finished batch run with interrupts enabled
 *
 * source: 7d7f1a1ee4fd (xen: run callbacks with interrupts disabled), provenance W
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#include "xmcheck.h"

#define CALLBACKS 4
static volatile unsigned int calls, callbacks;
static volatile unsigned int callback[CALLBACKS];
static volatile unsigned int came, ran[3]; /* how often the callback of each batch entry ran */

static unsigned int save_flags(void)
{
	unsigned int flags;
	__asm__ __volatile__("pushfl\n\tpopl %0\n\tcli" : "=r"(flags) : : "memory");
	return flags;
}
static void restore_flags(unsigned int flags) { __asm__ __volatile__("pushl %0\n\tpopfl" : : "r"(flags) : "memory", "cc"); }

static void run_callbacks(void)
{
	for (unsigned int n = 0; n < callbacks; n++)
		ran[callback[n]] = ran[callback[n]] + 1;
	callbacks = 0;
}
static void mc_flush(void)
{
	const unsigned int flags = save_flags();
	calls = 0; /* the hypercall */
#ifdef FIXED
	run_callbacks();
	restore_flags(flags);
#else
	restore_flags(flags);
	run_callbacks();
#endif
}
static void mc_entry(unsigned int which)
{
	const unsigned int flags = save_flags();
	calls++;
	callback[callbacks] = which;
	callbacks++;
	restore_flags(flags);
}

static void interrupt(struct xm_frame *frame)
{
	(void)frame;
	came++;
	mc_entry(2);
	mc_flush();
}
XM_IRQ(0, 0x40, interrupt, 1);

static void task(void)
{
	xm_sti();
	mc_entry(0);
	mc_entry(1);
	mc_flush();
	xm_cli();
	XM_ASSERT(ran[0] == 1 && ran[1] == 1 && ran[2] == came);
}

XM_VCPU(task);

/*
 * survivor store removed, `calls = 0;...`: nobody looks at how many calls were queued
 */
