/*
 * A29  The slot of a boosted kprobe is freed while a preempted task executes in it
 *
 * source: c39df470e048, b4c6c34a530b, provenance G
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#include "xmpatch.h"
#include "xmtask.h"

void probed(void);
__asm__(".text\nprobed:\n.globl site\nsite: incl %eax\n\tret\n"
	"slot: incl %eax\n\tjmp site + 1\nslot_end:\n");
extern unsigned char slot[], slot_end[];
XM_FORM_BYTES(original, "0x40");
XM_FORMS_INT3(site, 1, original);
XM_TASKS(1)
XM_TIMER(0, 1);

/* Boosted: no trap at the end of the slot, a jump leads back. */
__attribute__((used)) static void breakpoint(struct xm_int3_frame *frame) { frame->eip = (unsigned int)slot; }
XM_INT3_ENTRY(int3_entry, breakpoint);

static void unregister(void)
{
	xm_store((unsigned char *)site, original[0]);
	xm_sync_core();
#ifdef FIXED
	xm_tasks_quiesce();
#endif
	XM_FREE(slot, (unsigned int)(slot_end - slot));
}

static void executor(void)
{
	const unsigned int other = xm_task(unregister);
	xm_store((unsigned char *)site, XM_INT3);
	xm_sync_core();
	xm_sti();
	__asm__ __volatile__("call probed" : : : "eax", "memory", "cc");
	xm_cli();
	xm_wait_for(other);
	__asm__ __volatile__("call probed" : : : "eax", "memory", "cc");
}

XM_VCPU(executor);
