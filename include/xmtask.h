/*
 * xmtask.h - tasks and a small scheduler of the guest, for programs that xmcheck explores: a task can be interrupted
 * anywhere, other tasks run, and it goes on where its saved EIP says.
 *
 *  XM_TASKS(n)             at file scope: room for n tasks besides those that the vCPUs begin with
 *  XM_TIMER(vcpu, max)     at file scope: a timer interrupt that switches tasks, at any instruction boundary with IF=1,
 *                          at most `max` times in one run
 *  xm_task(fn)             makes a task that will run fn() on the vCPU that calls, with interrupts on; returns its number
 *  xm_yield()              switches to the next task of this vCPU that has not ended
 *  xm_wait_for(task)       yields until it has ended
 *  xm_task_ended(task)     whether it has
 *  xm_tasks_quiesce()      yields until every other task of this vCPU has given up the CPU of its own accord, or ended, since
 *                          the call: a grace period. It waits for tasks, not for instruction streams: no core synchronisation
 *
 *  xm_task_anywhere(fn)    (with XM_TASKS_MIGRATE defined before the include) makes a task that any vCPU may run next: one that looks for
 *                          work, by a timer or by xm_yield(), takes it once the vCPU before has left its stack
 *
 * XM_ON_SWITCH_OUT() and XM_ON_SWITCH_IN(), where defined before the include, run in the switch, as the task that goes and as
 * the one that comes.
 *
 * A task that an interrupt parked is not quiescent; one that yielded is. Everything is guest code.
 */
#ifndef XMTASK_H
#define XMTASK_H

#include "xmcheck.h"

#ifndef XM_ON_SWITCH_OUT
#define XM_ON_SWITCH_OUT() ((void)0)
#endif
#ifndef XM_ON_SWITCH_IN
#define XM_ON_SWITCH_IN() ((void)0)
#endif

#define XM_TIMER_VECTOR 0x20
#define XM_YIELD_VECTOR 0x81
#define XM_TASK_VCPUS_MAX 4

struct xm_task {
	unsigned int esp;   /* saved; 0: not begun or ended */
	unsigned int state; /* 0 free, 1 ready, 2 ended */
	unsigned int vcpu;
	unsigned int quiet; /* times that it gave up the CPU of its own accord */
	unsigned int stack[192];
};

#define XM_TASK_FREE 0
#define XM_TASK_READY 1
#define XM_TASK_ENDED 2
#ifdef XM_TASKS_MIGRATE
#define XM_TASK_RUNNING 3 /* a task for any vCPU, on one of them or on its stack still */
#define XM_ANY_VCPU 0xffffffffu
#define XM_TASK_MINE_(n) (xm_tasks_[n].vcpu == xm_vcpu() || xm_tasks_[n].vcpu == XM_ANY_VCPU)
#define XM_TASK_TAKE_(n) (xm_tasks_[n].vcpu == XM_ANY_VCPU && xm_cmpxchg(&xm_tasks_[n].state, XM_TASK_READY, XM_TASK_RUNNING) == XM_TASK_READY)
#define XM_TASK_LEFT_ "\tcall xm_left\n"
/* Nobody to switch to until the other vCPU leaves its task: wait without a switch, which would write to the stack. */
#define XM_TASK_WAIT_() (xm_task_to_run() ? xm_yield() : xm_pause())
#else
#define XM_TASK_TAKE_(n) 0
#define XM_TASK_MINE_(n) (xm_tasks_[n].vcpu == xm_vcpu())
#define XM_TASK_LEFT_
#define XM_TASK_WAIT_() xm_yield()
#endif

/* Slots 0 .. XM_TASK_VCPUS_MAX-1 are what the vCPUs begin with. */
#define XM_TASKS(n)                                                                                                    \
	static struct xm_task xm_tasks_[XM_TASK_VCPUS_MAX + (n)];                                                      \
	static unsigned int xm_running_[XM_TASK_VCPUS_MAX];                                                            \
	enum { XM_TASK_COUNT = XM_TASK_VCPUS_MAX + (n) };                                                              \
	XM_TASK_CODE_                                                                                                  \
	XM_TASK_MIGRATION_CODE_

/* At the switch: all registers stand on the stack of the task, below the frame of the interrupt. */
#define XM_TASK_CODE_                                                                                                  \
	static unsigned int xm_task_self(void)                                                                         \
	{                                                                                                              \
		const unsigned int vcpu = xm_vcpu();                                                                   \
		return xm_running_[vcpu] == 0 ? vcpu : xm_running_[vcpu] - 1;                                          \
	}                                                                                                              \
	__attribute__((used)) static unsigned int xm_switch(unsigned int esp)                                          \
	{                                                                                                              \
		const unsigned int vcpu = xm_vcpu(), self = xm_task_self();                                            \
		unsigned int next = self;                                                                              \
		xm_tasks_[self].esp = esp;                                                                             \
		XM_ON_SWITCH_OUT();                                                                                    \
		for (unsigned int k = 0; k < XM_TASK_COUNT; k++) {                                                     \
			next = next + 1 == XM_TASK_COUNT ? 0 : next + 1;                                               \
			if (next == vcpu || XM_TASK_TAKE_(next) || (next >= XM_TASK_VCPUS_MAX && xm_tasks_[next].vcpu == vcpu &&              \
					     xm_tasks_[next].state == XM_TASK_READY))                                  \
				break;                                                                                 \
		}                                                                                                      \
		xm_running_[vcpu] = next + 1;                                                                          \
		XM_ON_SWITCH_IN();                                                                                     \
		return xm_tasks_[next].esp;                                                                            \
	}                                                                                                              \
	__attribute__((used)) static unsigned int xm_switch_quietly(unsigned int esp)                                  \
	{                                                                                                              \
		xm_tasks_[xm_task_self()].quiet++;                                                                     \
		return xm_switch(esp);                                                                                 \
	}                                                                                                              \
	void xm_timer_entry(void);                                                                                     \
	void xm_yield_entry(void);                                                                                     \
	__asm__(".pushsection .text\nxm_timer_entry:\n\tpushal\n\tpushl %esp\n\tcall xm_switch\n"                      \
		"1:\tmovl %eax, %esp\n" XM_TASK_LEFT_ "\tpopal\n\tiret\n"                                                               \
		"xm_yield_entry:\n\tpushal\n\tpushl %esp\n\tcall xm_switch_quietly\n\tjmp 1b\n.popsection");           \
	XM_HANDLER_RAW(XM_YIELD_VECTOR, xm_yield_entry);                                                               \
	__attribute__((used, noreturn)) static void xm_task_end(void)                                                  \
	{                                                                                                              \
		xm_cli();                                                                                              \
		xm_tasks_[xm_task_self()].state = XM_TASK_ENDED;                                                       \
		for (;;)                                                                                               \
			xm_yield();                                                                                    \
	}                                                                                                              \
	XM_STATIC_ unsigned int xm_task(void (*fn)(void))                                                                  \
	{                                                                                                              \
		unsigned int n = XM_TASK_VCPUS_MAX;                                                                    \
		while (xm_tasks_[n].state != XM_TASK_FREE)                                                             \
			n++;                                                                                           \
		struct xm_task *task = &xm_tasks_[n];                                                                  \
		unsigned int *top = task->stack + sizeof task->stack / sizeof *task->stack;                            \
		unsigned int cs;                                                                                       \
		__asm__("movl %%cs, %0" : "=r"(cs));                                                                   \
		*--top = (unsigned int)xm_task_end;                                                                    \
		*--top = 0x202; /* EFLAGS: IF */                                                                       \
		*--top = cs;                                                                                           \
		*--top = (unsigned int)fn;                                                                             \
		task->esp = (unsigned int)(top - 8); /* what POPA loads: zeros */                                      \
		task->vcpu = xm_vcpu();                                                                                \
		task->state = XM_TASK_READY;                                                                           \
		return n;                                                                                              \
	}                                                                                                              \
	XM_STATIC_ int xm_task_ended(unsigned int n) { return xm_load(&xm_tasks_[n].state) == XM_TASK_ENDED; }              \
	__attribute__((unused)) static int xm_task_to_run(void)                                                        \
	{                                                                                                              \
		for (unsigned int n = XM_TASK_VCPUS_MAX; n < XM_TASK_COUNT; n++)                                       \
			if (XM_TASK_MINE_(n) && xm_load(&xm_tasks_[n].state) == XM_TASK_READY)                         \
				return 1;                                                                              \
		return xm_task_self() != xm_vcpu();                                                                    \
	}                                                                                                              \
	XM_STATIC_ void xm_wait_for(unsigned int n)                                                                        \
	{                                                                                                              \
		while (!xm_task_ended(n))                                                                              \
			XM_TASK_WAIT_();                                                                               \
	}                                                                                                              \
	XM_STATIC_ void xm_tasks_quiesce(void)                                                                             \
	{                                                                                                              \
		unsigned int seen[XM_TASK_COUNT];                                                                      \
		for (unsigned int n = 0; n < XM_TASK_COUNT; n++)                                                       \
			seen[n] = xm_load(&xm_tasks_[n].quiet);                                                        \
		for (unsigned int n = 0; n < XM_TASK_COUNT; n++)                                                       \
			while (n != xm_task_self() && (n == xm_vcpu() || n >= XM_TASK_VCPUS_MAX) &&                    \
			       xm_tasks_[n].vcpu == xm_vcpu() && xm_tasks_[n].state != XM_TASK_ENDED &&                \
			       xm_tasks_[n].esp != 0 && xm_load(&xm_tasks_[n].quiet) == seen[n])                       \
				xm_yield();                                                                            \
	}

/*
 * A task for any vCPU can be taken again only when nobody stands on its stack: xm_left() runs on the stack of the task that came.
 */
#ifdef XM_TASKS_MIGRATE
#define XM_TASK_MIGRATION_CODE_                                                                                        \
	static unsigned int xm_leaving_[XM_TASK_VCPUS_MAX];                                                            \
	__attribute__((used)) static void xm_left(void)                                                                \
	{                                                                                                              \
		const unsigned int vcpu = xm_vcpu(), last = xm_leaving_[vcpu];                                         \
		xm_leaving_[vcpu] = xm_task_self();                                                                    \
		if (last != xm_task_self() && xm_tasks_[last].vcpu == XM_ANY_VCPU && xm_tasks_[last].state == XM_TASK_RUNNING) \
			xm_store(&xm_tasks_[last].state, XM_TASK_READY);                                               \
	}                                                                                                              \
	static unsigned int xm_task_anywhere(void (*fn)(void))                                                         \
	{                                                                                                              \
		const unsigned int n = xm_task(fn);                                                                    \
		xm_tasks_[n].vcpu = XM_ANY_VCPU;                                                                       \
		return n;                                                                                              \
	}
#else
#define XM_TASK_MIGRATION_CODE_
#endif

#define XM_TIMER(vcpu, max)                                                                                            \
	XM_HANDLER_RAW(XM_TIMER_VECTOR, xm_timer_entry);                                                               \
	XM_IRQ_SOURCE(vcpu, XM_TIMER_VECTOR, max)

XM_INLINE_ void xm_yield(void) { __asm__ __volatile__("int $0x81" : : : "memory", "cc"); }

#endif /* XMTASK_H */
