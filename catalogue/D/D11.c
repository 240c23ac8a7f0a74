/*
 * D11  Lazy mode is left preemptibly: the queue of another vCPU is flushed
 *
 * source: d6382bf77e30 (2009), 41e332b2a2df, d85cf93da669, provenance G
 *
 * The task takes the address of this vCPU's queue, is preempted, goes on on the other vCPU, and flushes what is not its own.
 *
 * variant buggy: --engine pct --set storeBuffer=32
 * variant fixed: -DFIXED --engine dpor --set storeBuffer=32
 */
#include "xmcheck.h"

struct queue {
	volatile unsigned int lazy, count;
	volatile unsigned int *pte[2];
	unsigned int value[2];
};
static struct queue queues[2];
XM_OWN(0, queues[0]);
XM_OWN(1, queues[1]);
static volatile unsigned int was_lazy[8]; /* TIF_LAZY_MMU_UPDATES */
static volatile unsigned int out_of_work = 1; /* of the second vCPU: it does not look for tasks yet */
static void start_context_switch(void);
static void end_context_switch(void);
#define XM_ON_SWITCH_OUT() start_context_switch()
#define XM_ON_SWITCH_IN() end_context_switch()
#define XM_TASKS_MIGRATE
#include "xmtask.h"
XM_TASKS(1)
XM_TIMER(0, 1);

#define INLINE static inline __attribute__((always_inline))

INLINE struct queue *this_queue(void) { return &queues[xm_vcpu()]; }

/* The hypercalls of one queue, as the vCPU that runs. */
INLINE void flush(struct queue *queue)
{
	for (unsigned int n = 0; n < queue->count; n++)
		*queue->pte[n] = queue->value[n];
	queue->count = 0;
}
INLINE void set_pte(volatile unsigned int *pte, unsigned int value)
{
	xm_cli();
	struct queue *const queue = this_queue();
	queue->pte[queue->count] = pte;
	queue->value[queue->count++] = value;
	xm_sti();
}

/* A task that is switched out in lazy mode leaves it, and enters it again where it goes on (224101ed69d3). */
static void start_context_switch(void)
{
	struct queue *const queue = this_queue();
	was_lazy[xm_task_self()] = queue->lazy;
	if (xm_task_self() >= XM_TASK_VCPUS_MAX)
		xm_store(&out_of_work, 0);
	if (queue->lazy) {
		flush(queue);
		queue->lazy = 0;
	}
}
static void end_context_switch(void)
{
	this_queue()->lazy = was_lazy[xm_task_self()];
}

INLINE void arch_enter_lazy_mmu_mode(void)
{
	xm_cli();
	this_queue()->lazy = 1;
	xm_sti();
}
INLINE void arch_leave_lazy_mmu_mode(void)
{
#ifdef FIXED
	xm_cli(); /* preempt_disable() */
#endif
	struct queue *const queue = this_queue();
	xm_barrier();
	flush(queue);
	queue->lazy = 0;
#ifdef FIXED
	xm_sti();
#endif
}

static volatile unsigned int pte;

static void zap(void)
{
	arch_enter_lazy_mmu_mode();
	set_pte(&pte, 1);
	arch_leave_lazy_mmu_mode();
	XM_ASSERT(pte == 1 && "what was queued has been done");
}


static void first(void)
{
	xm_wait_for(xm_task_anywhere(zap));
	XM_ASSERT(!queues[0].lazy && queues[0].count == 0);
}

static void second(void)
{
	while (xm_load(&out_of_work))
		xm_pause();
	xm_wait_for(XM_TASK_VCPUS_MAX);
}

XM_VCPU(first);
XM_VCPU(second);
