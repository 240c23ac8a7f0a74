/*
 * D12  A task is switched out inside a lazy MMU section
 *
 * source: 224101ed69d3 (2009, TIF_LAZY_MMU_UPDATES), provenance G
 *
 * variant mutant:
 * variant real: -DREAL
 */
#include "xmlazy.h"

static volatile unsigned int in_lazy; /* TIF flag of the first task */
#ifdef REAL
#define XM_ON_SWITCH_OUT() start_context_switch()
#define XM_ON_SWITCH_IN() end_context_switch()
static void start_context_switch(void);
static void end_context_switch(void);
#endif
#include "xmtask.h"
XM_TASKS(1)
XM_TIMER(0, 1);

#ifdef REAL
static void start_context_switch(void)
{
	if (xm_task_self() == 0 && xm_lazy.mode == XM_LAZY_MMU) {
		xm_lazy_leave(XM_LAZY_MMU);
		in_lazy = 1;
	}
}
static void end_context_switch(void)
{
	if (xm_task_self() == 0 && in_lazy) {
		in_lazy = 0;
		xm_lazy_enter(XM_LAZY_MMU);
	}
}
#endif

static volatile unsigned int first_pte, second_pte;

static void second(void)
{
	xm_set_pte(&second_pte, 2);
	XM_ASSERT(second_pte == 2 && "effective at once");
}

static void first(void)
{
	const unsigned int other = xm_task(second);
	xm_sti();
	xm_lazy_enter(XM_LAZY_MMU);
	xm_set_pte(&first_pte, 1);
	xm_lazy_leave(XM_LAZY_MMU);
	xm_cli();
	xm_wait_for(other);
	XM_ASSERT(first_pte == 1);
}

XM_VCPU(first);

/*
 * survivor branch always taken, xm_switch_quietly, `XM_TASKS(1)`: nobody counts quiet states here
 * survivor store removed, xm_task, `XM_TASKS(1)`: whether the other task can be interrupted does not matter: nothing is queued in it
 * survivor branch always taken, start_context_switch, `if (xm_task_self() == 0 && xm_lazy.mode == XM_LAZY_MMU) {`: to leave and enter a mode in which nothing is queued shows nowhere
 * survivor branch always taken, end_context_switch, `if (xm_task_self() == 0 && in_lazy) {`: to enter the mode once nothing is queued any more shows nowhere
 * survivor store removed, end_context_switch, `in_lazy = 0;`: it is looked at again once nothing is queued any more
 * survivor branch never taken, first, `XM_TASKS(1)`: however often it gives way, its own update is made as it leaves
 * survivor branch always taken, first, `XM_TASKS(1)`: however often it gives way, its own update is made as it leaves
 */
