/*
 * A27  kprobes relied on grace periods for the visibility of instructions
 *
 * source: 5c02ece81848, provenance W
 *
 * The breakpoint is there, everybody has been elsewhere since, so the bytes behind it are thought unused and become the
 * displacement of a jump. But a grace period orders data: who has not serialised may run the old first byte still.
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#include "xmpatch.h"

/* Two instructions (inc %eax; 4-byte nop) that become one jump to the detour, which does the same and comes back. */
void probed(void);
__asm__(".text\nprobed:\n.globl site\nsite: incl %eax\n\t.byte 0x0f, 0x1f, 0x40, 0x00\n\tret\n"
	"detour: incl %eax\n\t.byte 0x0f, 0x1f, 0x40, 0x00\n\tjmp site + 5\n.skip 0x201, 0x90\n");
XM_FORM_BYTES(original, "0x40, 0x0f, 0x1f, 0x40, 0x00");
XM_FORM_JMP(jump, site, detour);
XM_FORMS_INT3(site, 5, original, jump);
extern const char detour[];
XM_SYNC_GROUP(2)

__attribute__((used)) static void breakpoint(struct xm_int3_frame *frame) { frame->eip = (unsigned int)detour; }
XM_INT3_ENTRY(int3_entry, breakpoint);

static volatile unsigned int elsewhere; /* quiescent states of the executor */

static void optimizer(void)
{
	unsigned char *const to = (unsigned char *)site;
	unsigned int before;

	xm_store(to, XM_INT3); /* arm_kprobe() */
#ifdef FIXED
	xm_sync_others();
#else
	xm_lock_fence();
#endif
	before = elsewhere;
	while (!xm_gone[1] && elsewhere == before) /* synchronize_rcu_tasks() */
		xm_pause();
	xm_copy(to + 1, jump + 1, 4);
	xm_sync_others();
	xm_store(to, jump[0]);
	xm_sync_others();
}

static void executor(void)
{
	xm_sti();
	for (int n = 0; n < 2; n++) {
		__asm__ __volatile__("call probed" : : : "eax", "memory", "cc");
		xm_lock_inc(&elsewhere);
	}
	xm_offline();
}

XM_VCPU(optimizer);
XM_VCPU(executor);
