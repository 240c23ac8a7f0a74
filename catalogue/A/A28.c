/*
 * A28  Optimised kprobe: a jump of 5 bytes over several instructions
 *
 * source: afd66255b9a4, c0f7ac3a9edd (2010); a30b85df7d59 (2017, synchronize_rcu_tasks); provenance H
 *
 * variant no-weak-wait:
 * variant tasks-wait: -DTASKS_WAIT
 */
#include "xmprobe.h"
#include "xmtask.h"

static void hit(void) { xm_barrier(); }
__asm__(".text\nprobed:\n.globl site\nsite: incl %eax\n\t.byte 0x0f, 0x1f, 0x40, 0x00\n\tret\n");
XM_PROBE(probe, site, 5, hit);
XM_GAP(0x201);
XM_FORM_BYTES(original, "0x40, 0x0f, 0x1f, 0x40, 0x00");
XM_FORM_JMP(jump, site, probe_detour);
XM_FORMS_INT3(site, 5, original, jump);
XM_BREAKPOINTS(xm_probe_bp(frame, &probe));
XM_TASKS(1)
XM_TIMER(0, 1);

static void optimizer(void)
{
	xm_probe_prepare(&probe, XM_PROBE_BOOSTED);
	xm_probe_arm(&probe, XM_SYNC1);
#ifdef TASKS_WAIT
	xm_tasks_quiesce(); /* no task is parked in the region any more */
#endif
	/* (Interrupt handlers and CPUs with interrupts off have passed through the scheduler: it ran this task.) */
	xm_probe_optimize(&probe, XM_SYNC2 | XM_SYNC3);
}

static void executor(void)
{
	const unsigned int other = xm_task(optimizer);
	xm_sti();
	__asm__ __volatile__("call probed" : : : "eax", "memory", "cc");
	xm_cli();
	xm_wait_for(other);
	__asm__ __volatile__("call probed" : : : "eax", "memory", "cc");
}

XM_VCPU(executor);

/*
 * survivor branch always taken, xm_switch_quietly, `XM_TASKS(1)`: the timer interrupts once: whom a task gives way to goes on until he gives way himself
 * survivor store removed, xm_task, `XM_TASKS(1)`: whether the other task can be interrupted does not matter
 * survivor branch always taken, xm_tasks_quiesce, `XM_TASKS(1)`: the timer interrupts once: whom a task gives way to goes on until he gives way himself
 * survivor branch never taken, xm_tasks_quiesce, `XM_TASKS(1)`: the timer interrupts once: whom a task gives way to goes on until he gives way himself
 * survivor branch never taken, executor, `XM_TASKS(1)`: whether the optimizer has ended does not matter to the second call
 */
