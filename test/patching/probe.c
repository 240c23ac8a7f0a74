/*
 * Probes of code that another vCPU runs, or an interrupt of the own one. Which vCPUs run is said by blocks.test.ts.
 *
 * object: -DKIND=XM_PROBE_PLAIN
 * object: -DKIND=XM_PROBE_BOOSTED
 */
#include "xmprobe.h"

XM_SYNC_GROUP(2)
#define ALL (XM_SYNC1 | XM_SYNC2 | XM_SYNC3)

/* Adds 2 to EAX by two instructions, which a jump may replace. */
void probed(void);
__asm__(".text\nprobed:\n.globl site\nsite: addl $1, %eax\n\taddl $1, %eax\n\tret\n.skip 0x201, 0x90\n");
static volatile unsigned int hits;
static void hit(void) { hits++; }
XM_FORM_BYTES(original, "0x83, 0xc0, 1, 0x83, 0xc0, 1");
#if KIND == XM_PROBE_PLAIN
XM_FORMS_INT3(site, 6, original);
XM_PROBE(probe, site, 3, hit);
XM_PROBE_STEPS();
#else
XM_FORM(jump, ".byte 0xe9\n\t.long probe_detour - site - 5\n\t.byte 1"); /* the last byte is never executed */
XM_FORMS_INT3(site, 6, original, jump);
XM_PROBE(probe, site, 6, hit);
#endif
XM_BREAKPOINTS(xm_probe_bp(frame, &probe));

static void prepare(void) { xm_probe_prepare(&probe, KIND); }
XM_INIT(prepare);

static void run(void)
{
	unsigned int value = 40;
	__asm__ __volatile__("call probed" : "+a"(value) : : "memory", "cc");
	XM_ASSERT(value == 42);
}

/* Armed: every pass is counted. */
static volatile unsigned int armed, passes;
void arm(void)
{
	xm_probe_arm(&probe, XM_SYNC1);
	armed = 1;
}
void arm_without_sync(void)
{
	xm_probe_arm(&probe, 0);
	armed = 1;
}
void counted(void)
{
	xm_sti();
	const unsigned int seen = armed;
	run();
	XM_ASSERT(hits == 1 || !seen);
	xm_offline();
}

/* Disarmed: nobody is in a copy that is stepped over. */
XM_INLINE_ void toggle(unsigned int steps)
{
	xm_probe_arm(&probe, XM_SYNC1);
	xm_probe_disarm(&probe, steps);
	XM_FREE(probe.slot, XM_PROBE_SLOT_BYTES);
}
void disarm(void) { toggle(XM_SYNC3); }
void disarm_without_sync(void) { toggle(0); }
void runner(void)
{
	xm_sti();
	run();
	xm_offline();
}

#if KIND == XM_PROBE_BOOSTED
/* The others are not in the region: they begin when the breakpoint is there. */
XM_INLINE_ void optimize(unsigned int steps)
{
	xm_probe_arm(&probe, steps);
	armed = 1;
	xm_probe_optimize(&probe, steps);
	XM_PATCHED(site, jump);
}
void jumps(void) { optimize(ALL); }
void jumps_without_first(void) { optimize(ALL & ~XM_SYNC1); }
void jumps_without_second(void) { optimize(ALL & ~XM_SYNC2); }
void jumps_without_third(void) { optimize(ALL & ~XM_SYNC3); }
void late(void)
{
	xm_sti();
	while (!armed)
		xm_pause();
	run();
	XM_ASSERT(hits == 1);
	xm_offline();
}
#endif

/* And back, under an interrupt of the own vCPU. */
static void interrupt(struct xm_frame *frame)
{
	(void)frame;
	run();
}
XM_IRQ(0, 0x40, interrupt, 1);
void there_and_back(void)
{
	xm_absent(1);
	xm_sti();
	xm_probe_arm(&probe, ALL);
#if KIND == XM_PROBE_BOOSTED
	xm_probe_optimize(&probe, ALL);
	xm_cli();
	run();
	XM_ASSERT(hits != 0);
	xm_probe_unoptimize(&probe, ALL);
#endif
	xm_probe_disarm(&probe, ALL);
	xm_cli();
	XM_PATCHED(site, original);
	run();
}
XM_VCPU(arm);
XM_VCPU(counted);
