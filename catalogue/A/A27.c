/*
 * A27  kprobes relied on grace periods for the visibility of instructions
 *
 * source: 5c02ece81848, provenance W
 *
 * The breakpoint is there, everybody has been elsewhere since, so the bytes behind it are thought unused and become the
 * displacement of a jump. But a grace period orders data: who has not serialised may run the old first byte still.
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#include "xmprobe.h"

/* Two instructions (inc %eax; 4-byte nop) that become one jump to the detour, which does the same and comes back. */
static void hit(void) { xm_barrier(); }
__asm__(".text\nprobed:\n.globl site\nsite: incl %eax\n\t.byte 0x0f, 0x1f, 0x40, 0x00\n\tret\n");
XM_PROBE(probe, site, 5, hit);
XM_GAP(0x201);
XM_FORM_BYTES(original, "0x40, 0x0f, 0x1f, 0x40, 0x00");
XM_FORM_JMP(jump, site, probe_detour);
XM_FORMS_INT3(site, 5, original, jump);
XM_BREAKPOINTS(xm_probe_bp(frame, &probe));
XM_SYNC_GROUP(2)

static volatile unsigned int elsewhere; /* quiescent states of the executor */

static void optimizer(void)
{
#ifdef FIXED
	xm_probe_arm(&probe, XM_SYNC1);
#else
	xm_probe_arm(&probe, 0);
	xm_lock_fence();
#endif
	const unsigned int before = elsewhere;
	while (!xm_gone[1] && elsewhere == before) /* synchronize_rcu_tasks() */
		xm_pause();
	xm_probe_optimize(&probe, XM_SYNC2 | XM_SYNC3);
}

static void executor(void)
{
	xm_sti();
	for (int n = 0; n < 2; n++) {
		__asm__ __volatile__("call probed" : : : "eax", "memory", "cc");
		xm_lock_inc(&elsewhere);
	}
	xm_offline();
}

static void prepare(void) { xm_probe_prepare(&probe, XM_PROBE_BOOSTED); }
XM_INIT(prepare);
XM_VCPU(optimizer);
XM_VCPU(executor);
