/*
 * A35  One-byte probes: why a single byte is the only patch that is safe everywhere
 *
 * source: Solaris DTrace fbt on the i386; Linux arm_kprobe; provenance M
 *
 * variant control/int3: -DBYTE=0xcc -DNEXT=MOV
 * variant control/lock-prefix: -DBYTE=0xf0 -DNEXT=MOV
 * variant f0-before-lockable-insn: -DBYTE=0xf0 -DNEXT=INC
 */
#include "xmpatch.h"

/* push %ebp, whose byte becomes the trap; then mov %esp,%ebp, which takes no LOCK, or inc (%esp), which does. */
#define MOV "0x89, 0xe5"
#define INC "0xff, 0x04, 0x24"
#define TEXT_(n) #n
#define TEXT(n) TEXT_(n)
void probed(void);
__asm__(".text\nprobed:\n.globl site\nsite: pushl %ebp\n\t.byte " NEXT "\n\tpopl %ebp\n\tret\n");
XM_FORM_BYTES(original, "0x55, " NEXT);
#if BYTE == 0xcc
XM_FORMS_INT3(site, 1, original);
#else
XM_FORM_BYTES(trapping, "0xf0, 0x89, 0xe5"); /* #UD by definition */
XM_FORMS(site, 3, original, trapping);
#endif
XM_SYNC_GROUP(2)

/* Probe fired: push %ebp, then on behind it. */
__attribute__((used)) static void trap(struct xm_int3_frame *frame)
{
	const unsigned int next = (unsigned int)site + 1;
#if BYTE == 0xcc
	XM_ASSERT(frame->eip == next);
#else
	XM_ASSERT(frame->eip == (unsigned int)site);
#endif
	xm_emulate_call(frame, next, frame->ebp); /* a push and a jump, as a call is */
}
XM_INT3_ENTRY(int3_entry, trap);
#if BYTE != 0xcc
XM_HANDLER_RAW(6, int3_entry);
#endif

static void tracer(void)
{
	unsigned char *const to = (unsigned char *)site;
	xm_store(to, BYTE);
	xm_sync_others();
	xm_store(to, original[0]);
	xm_sync_others();
}

static void executor(void)
{
	xm_sti();
	probed();
	probed();
	xm_offline();
}

XM_VCPU(tracer);
XM_VCPU(executor);

/*
 * survivor store removed, xm_sync_handler, `XM_SYNC_GROUP(2)`: the wait for it ends with the other vCPU too, which goes offline
 * survivor store removed, tracer, `xm_store(to, original[0]);`: the breakpoint that stays is met, and the call emulated
 */
