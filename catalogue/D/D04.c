/*
 * D04  Nested lazy sections
 *
 * source: 2829b449276a (2009), 49147beb0ccb (2023), review of 2025; provenance W
 *
 * The section is preempted at a point that is chosen; the task that runs then expects its updates to be effective at once.
 *
 * variant 2009-nested-enter: -DRULE=2009 -DNESTED
 * variant 2023-plus-preemption: -DRULE=2023 -DNESTED
 * variant per-task: -DRULE=2025 -DNESTED
 */
#include "xmcheck.h"

enum { NONE, MMU, CPU };
static unsigned int mode, nesting, queued, remembered, remembered_nesting;

static void enter(unsigned int which)
{
#if RULE == 2009
	XM_ASSERT(mode == NONE); /* BUG_ON */
#else
	if (mode == which) {
		nesting++;
		return;
	}
	XM_ASSERT(mode == NONE);
#endif
	mode = which;
}
static void leave(unsigned int which)
{
#if RULE != 2009
	if (nesting != 0) {
		nesting--;
		return;
	}
#endif
	XM_ASSERT(mode == which);
	queued = 0;
	mode = NONE;
}
static void set_pte(void)
{
	if (mode == MMU)
		queued++;
}

static void start_context_switch(void)
{
	if (mode == MMU) {
#if RULE == 2025
		remembered_nesting = nesting; /* the depth is the task's */
		nesting = 0;
#endif
		leave(MMU);
		remembered = 1;
	}
	XM_ASSERT(queued == 0);
	enter(CPU);
}
static void end_context_switch(void)
{
	leave(CPU);
	if (remembered) {
		remembered = 0;
		enter(MMU);
#if RULE == 2025
		nesting = remembered_nesting;
#endif
	}
}
static void other_task(void)
{
	set_pte();
	XM_ASSERT(queued == 0 && "effective at once");
}
static void preempted(void)
{
	const unsigned int had = remembered;
	start_context_switch();
	const unsigned int mine = remembered;
	remembered = 0;
	end_context_switch();
	other_task();
	start_context_switch();
	remembered = mine | had;
	end_context_switch();
}

static void task(void)
{
	const unsigned int when = XM_CHOOSE(4);
	enter(MMU);
	if (when == 1)
		preempted();
	set_pte();
	enter(MMU); /* set_ptes() inside */
	if (when == 2)
		preempted();
	set_pte();
	leave(MMU);
	if (when == 3)
		preempted();
	leave(MMU);
	XM_ASSERT(mode == NONE && queued == 0);
}

XM_VCPU(task);

/*
 * survivor store removed, preempted, `remembered = 0;`: the next switch sets it anew
 * survivor branch always taken, task, `if (when == 1)`: the other choices preempt too
 * survivor branch never taken, task, `if (when == 2)`: the other choices preempt too
 * survivor call removed, task, `preempted();`: the other choices preempt too
 */
