/*
 * Who is told that code was patched runs what it was patched to: in an NMI handler that interrupts the synchronising IPI, and on a vCPU
 * that comes online meanwhile.
 *
 * object:
 * object: -DONLINE
 */
#include "xmpatch.h"

unsigned int code(void);
__asm__(".text\n.globl site\ncode:\nsite: movl $1, %eax\n\tret\n");
XM_FORM_BYTES(old, "0xb8, 1, 0, 0, 0");
XM_FORM_BYTES(new, "0xb8, 2, 0, 0, 0");
XM_FORMS(site, 5, old, new);
XM_SYNC_GROUP(2)

static volatile unsigned int told;

static void look(void)
{
	const unsigned int seen = told;
	const unsigned int value = code();
	XM_ASSERT(!seen || value == 2);
}

static void patch(void)
{
	xm_store((unsigned char *)site + 1, new[1]);
	xm_sync_others();
	told = 1;
}

#ifndef ONLINE
static void nmi(struct xm_frame *frame)
{
	(void)frame;
	look();
}
XM_NMI(1, nmi, 1);
static void interrupted(void)
{
	xm_sti();
	xm_pause();
	xm_pause();
	xm_cli();
}
XM_VCPU(patch);
XM_VCPU(interrupted);
#else
static void before(void) { xm_absent(1); }
static void comes_online(void)
{
	xm_online();
	xm_sti();
	look();
	xm_offline();
}
XM_INIT(before);
XM_VCPU(patch);
XM_VCPU(comes_online);
#endif
