/*
 * A19  A two-part NOP: a task is preempted between its halves, then the site becomes a call
 *
 * source: 732f3ca7d4ba, provenance G
 *
 * One vCPU. Stopping the machine does not help: what is stale is a saved EIP.
 *
 * variant 2-part/generic: -DNOP=XM_GENERIC_NOP5
 * variant 2-part/k8: -DNOP=XM_K8_NOP5
 * variant 1-part/p6: -DNOP=XM_P6_NOP5
 * variant 1-part/data16: -DNOP=XM_DATA16_NOP5
 */
#include "xmpatch.h"
#include "xmtask.h"

static void tracer(void) { xm_barrier(); }
XM_GAP(0x201);
__attribute__((noinline)) static void traced(void) { XM_NOP_SITE(site, NOP); }
XM_FORM_NOP(nop, NOP);
XM_FORM_CALL(call_tracer, site, tracer);
XM_FORMS(site, 5, nop, call_tracer);
XM_TASKS(1)
XM_TIMER(0, 1);

static void patcher(void)
{
	xm_cli(); /* one vCPU: the machine is stopped */
	xm_copy((void *)site, call_tracer, 5);
	xm_sync_core();
	xm_sti();
}

static void task(void)
{
	const unsigned int other = xm_task(patcher);
	xm_sti();
	traced();
	xm_cli();
	xm_wait_for(other);
	traced();
}

XM_VCPU(task);

/*
 * survivor branch always taken, xm_switch_quietly, `XM_TASKS(1)`: nobody counts quiet states here
 * survivor branch always taken, task, `XM_TASKS(1)`: whether the patcher has ended does not matter to the second call
 * survivor branch never taken, task, `XM_TASKS(1)`: whether the patcher has ended does not matter to the second call
 */
