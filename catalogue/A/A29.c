/*
 * A29  The slot of a boosted kprobe is freed while a preempted task executes in it
 *
 * source: c39df470e048, b4c6c34a530b, provenance G
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#include "xmprobe.h"
#include "xmtask.h"

static void hit(void) { xm_barrier(); }
__asm__(".text\nprobed:\n.globl site\nsite: incl %eax\n\tret\n");
XM_FORM_BYTES(original, "0x40");
XM_FORMS_INT3(site, 1, original);
XM_PROBE(probe, site, 1, hit);
XM_BREAKPOINTS(xm_probe_bp(frame, &probe));
XM_TASKS(1)
XM_TIMER(0, 1);

static void unregister(void)
{
	xm_probe_disarm(&probe, XM_SYNC3);
#ifdef FIXED
	xm_tasks_quiesce();
#endif
	XM_FREE(probe.slot, XM_PROBE_SLOT_BYTES);
}

static void executor(void)
{
	const unsigned int other = xm_task(unregister);
	xm_probe_prepare(&probe, XM_PROBE_BOOSTED);
	xm_probe_arm(&probe, XM_SYNC1);
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
 * survivor store removed, unregister, `probe->armed = 0;`: only who meets the breakpoint asks, and it is gone
 * survivor branch always taken, executor, `XM_TASKS(1)`: whether the other task has ended does not matter to the second call
 * survivor branch never taken, executor, `XM_TASKS(1)`: whether the other task has ended does not matter to the second call
 */
