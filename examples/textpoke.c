/*
 * Linux' text_poke_bp (commit fd4363fff3d9): a call is rewritten behind an INT3, in three steps with a
 * synchronisation of every other vCPU after each. Who meets the INT3 makes the new call from the #BP handler.
 *
 *     xmcheck check examples/textpoke.o
 *     xmcheck check examples/textpoke-nosync.o --expect violated      (without the IPIs)
 */
#include "xmcheck.h"

#define SYNC_VECTOR 0xf0
#define BREAKPOINT 3
#define PATCHER 0
#define EXECUTOR 1
#define CALLS 2

void old_target(void);
void new_target(void);
__asm__(".section .text.targets, \"ax\"\nold_target: ret\nnew_target: ret\n.previous");

__attribute__((noinline, used)) static void call_it(void) { XM_CALL_SITE(poke_site, old_target); }
XM_SITE_INT3(poke_site, 5, old_target, new_target);

/* What the handler needs to emulate the new call: it cannot push, its own frame is in the way. */
__attribute__((noinline)) void emulated_call(void);
__asm__(".section .text.emulated, \"ax\"\nemulated_call: pushl $poke_site + 5\njmp new_target\n.previous");

static unsigned int poking, acknowledged, finished;

static void breakpoint(struct xm_frame *frame)
{
	XM_ASSERT(frame->eip == (unsigned int)poke_site + 1 && xm_load(&poking));
	frame->eip = (unsigned int)emulated_call;
}

/* The IRET at its end serialises; saying so is enough. */
__attribute__((unused)) static void sync_handler(struct xm_frame *frame)
{
	(void)frame;
	xm_store(&acknowledged, 1);
}

static void sync_others(void)
{
#ifndef NOSYNC
	xm_store(&acknowledged, 0);
	XM_IPI(EXECUTOR, SYNC_VECTOR);
	while (!xm_load(&acknowledged) && !xm_load(&finished))
		xm_pause();
#endif
}

static void patcher(void)
{
	const unsigned int displacement = (unsigned int)new_target - (unsigned int)(poke_site + 5);
	unsigned char *site = (unsigned char *)poke_site;

	xm_store(&poking, 1);
	xm_store(site, 0xcc);
	sync_others();
	xm_store((unsigned int *)(site + 1), displacement);
	sync_others();
	xm_store(site, 0xe8);
	sync_others();
	xm_store(&poking, 0);
}

static void executor(void)
{
	xm_sti();
	for (int n = 0; n < CALLS; n++)
		call_it();
	xm_cli();
	xm_store(&finished, 1);
}

XM_VCPU(patcher);
XM_VCPU(executor);
XM_HANDLER(BREAKPOINT, breakpoint);
#ifndef NOSYNC
XM_HANDLER(SYNC_VECTOR, sync_handler);
#endif
XM_OBJECT(poking);
