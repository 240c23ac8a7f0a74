/*
 * A20  LOCK prefixes are NOPs on UP and come back on hotplug: a task was preempted just after the NOP
 *
 * source: f88f07e0f0fd, provenance G
 *
 * variant 90: -DPREFIX=0x90
 * variant 3e: -DPREFIX=0x3e
 */
#include "xmpatch.h"
#include "xmtask.h"

static volatile unsigned int counter, online;

/* The prefix byte, then `incl counter`. */
#define TEXT_(n) #n
#define TEXT(n) TEXT_(n)
void atomic_inc(void);
extern unsigned char site[];
__asm__(".text\n.globl site\natomic_inc:\nsite: .byte " TEXT(PREFIX) "\n\tincl counter\n\tret\n");
XM_TASKS(1)
XM_TIMER(0, 1);

/* The other CPU comes up: the kernel becomes SMP. */
static void bring_up(void)
{
	xm_cli();
	xm_set_prefix(site, 0xf0);
	xm_sync_core();
	online = 1;
	xm_sti();
}

static void boot_cpu(void)
{
	const unsigned int other = xm_task(bring_up);
	xm_sti();
	atomic_inc();
	xm_cli();
	xm_wait_for(other);
}

static void second_cpu(void)
{
	while (!online)
		xm_pause();
	xm_sync_core();
	atomic_inc();
}

static void check(void) { XM_ASSERT(counter == 2); }

XM_VCPU(boot_cpu);
XM_VCPU(second_cpu);
XM_FINAL(check);

/*
 * survivor branch always taken, xm_switch_quietly, `XM_TASKS(1)`: nobody counts quiet states here
 * survivor store removed, xm_switch_quietly, `XM_TASKS(1)`: nobody counts quiet states here
 * survivor branch never taken, boot_cpu, `XM_TASKS(1)`: the other task goes on until it ends, once it has its turn
 */
