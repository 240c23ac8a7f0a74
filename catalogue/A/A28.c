/*
 * A28  Optimised kprobe: a jump of 5 bytes over several instructions
 *
 * source: afd66255b9a4, c0f7ac3a9edd (2010); a30b85df7d59 (2017, synchronize_rcu_tasks); provenance H
 *
 * variant no-weak-wait:
 * variant tasks-wait: -DTASKS_WAIT
 */
#include "xmpatch.h"
#include "xmtask.h"

void probed(void);
__asm__(".text\nprobed:\n.globl site\nsite: incl %eax\n\t.byte 0x0f, 0x1f, 0x40, 0x00\n\tret\n"
	"detour: incl %eax\n\t.byte 0x0f, 0x1f, 0x40, 0x00\n\tjmp site + 5\n.skip 0x201, 0x90\n");
XM_FORM_BYTES(original, "0x40, 0x0f, 0x1f, 0x40, 0x00");
XM_FORM_JMP(jump, site, detour);
XM_FORMS_INT3(site, 5, original, jump);
extern const char detour[];
XM_TASKS(1)
XM_TIMER(0, 1);

__attribute__((used)) static void breakpoint(struct xm_int3_frame *frame) { frame->eip = (unsigned int)detour; }
XM_INT3_ENTRY(int3_entry, breakpoint);

static void optimizer(void)
{
	unsigned char *const to = (unsigned char *)site;

	xm_store(to, XM_INT3);
	xm_sync_core();
#ifdef TASKS_WAIT
	xm_tasks_quiesce(); /* no task is parked in the region any more */
#endif
	/* (Interrupt handlers and CPUs with interrupts off have passed through the scheduler: it ran this task.) */
	xm_copy(to + 1, jump + 1, 4);
	xm_sync_core();
	xm_store(to, jump[0]);
	xm_sync_core();
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
