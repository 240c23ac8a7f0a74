/*
 * xmprobe.h - kprobes: breakpoints that call a function and go on with a copy of what they replaced; for programs that xmcheck
 * explores.
 *
 *  XM_PROBE(name, site, bytes, hit)  at file scope: a probe of the instruction at `site`, or of a region of several (boosted and
 *                                optimised probes); void hit(void) is called in each pass. Its copies may not depend on where they
 *                                stand: no relative calls or jumps
 *  xm_probe_prepare(&name, kind) makes the copy, before the probe is armed: XM_PROBE_PLAIN is stepped over with TF, XM_PROBE_BOOSTED ends
 *                                in a jump back
 *  xm_probe_arm(&name, steps)    plants the breakpoint; XM_SYNC1: everybody runs it from here on
 *  xm_probe_disarm(&name, steps) removes it; XM_SYNC3: nobody hits it any more
 *  xm_probe_optimize(&name, steps)  a boosted one, armed with XM_SYNC1, of 5 bytes and more, becomes a jump to `name_detour`; call it when no
 *                                task has stood behind the first byte since (xm_tasks_quiesce()). XM_SYNC2, XM_SYNC3: before and after
 *                                the first byte of the jump
 *  xm_probe_unoptimize(&name, steps)  and back to the breakpoint
 *  xm_probe_bp(frame, &name)     for XM_BREAKPOINTS
 *  XM_PROBE_STEPS()              at file scope: the #DB handler of plain probes
 *
 * The copy of a plain probe runs with interrupts off, so a synchronisation of all waits for who is in it; a boosted one is left when
 * tasks have been quiescent.
 *
 * Source: Linux arch/x86/kernel/kprobes/core.c and opt.c.
 */
#ifndef XMPROBE_H
#define XMPROBE_H

#include "xmpatch.h"

#define XM_PROBE_PLAIN 0u
#define XM_PROBE_BOOSTED 1u
#define XM_PROBE_BYTES_MAX 16
#define XM_PROBE_SLOT_BYTES (XM_PROBE_BYTES_MAX + 5) /* the copy and a jump back */

struct xm_probe {
	unsigned char *at;
	unsigned int bytes;
	unsigned char *slot, *detour; /* the copy; what calls hit() and then runs it */
	void (*hit)(void);
	volatile unsigned int armed;
	unsigned int kind;
	unsigned char original[XM_PROBE_BYTES_MAX];
};

#define XM_PROBE(name, site, bytes, hit)                                                                               \
	extern const char site[];                                                                                      \
	extern unsigned char XM_JOIN_(name, _slot)[], XM_JOIN_(name, _detour)[];                                       \
	__asm__(".pushsection .text\n.globl " #name "_detour, " #name "_slot\n" #name "_detour: pushfl\n\tpushal\n\tcall " #hit \
		"\n\tpopal\n\tpopfl\n" #name "_slot: .skip " XM_TEXT_(XM_PROBE_SLOT_BYTES) ", 0xcc\n.popsection");  \
	static struct xm_probe name = { (unsigned char *)(site), (bytes), XM_JOIN_(name, _slot), XM_JOIN_(name, _detour), (hit), 0, 0, { 0 } }

XM_INLINE_ void xm_jump_(volatile unsigned char *bytes, const unsigned char *at, const unsigned char *target)
{
	bytes[0] = 0xe9;
	*(volatile unsigned int *)(bytes + 1) = (unsigned int)target - (unsigned int)at - 5;
}
XM_INLINE_ void xm_probe_prepare(struct xm_probe *probe, unsigned int kind)
{
	xm_copy(probe->original, probe->at, probe->bytes);
	xm_copy(probe->slot, probe->at, probe->bytes);
	probe->kind = kind;
	if (kind == XM_PROBE_BOOSTED)
		xm_jump_(probe->slot + probe->bytes, probe->slot + probe->bytes, probe->at + probe->bytes);
}

XM_INLINE_ void xm_probe_arm(struct xm_probe *probe, unsigned int steps)
{
	probe->armed = 1;
	xm_store(probe->at, XM_INT3);
	if (steps & XM_SYNC1)
		xm_sync_all();
}
XM_INLINE_ void xm_probe_disarm(struct xm_probe *probe, unsigned int steps)
{
	xm_store(probe->at, probe->original[0]);
	probe->armed = 0;
	if (steps & XM_SYNC3)
		xm_sync_all();
}

/* What is stepped over on each vCPU, and the flags that it goes on with. */
static struct xm_probe *volatile xm_stepped[XM_SYNC_VCPUS_MAX] __attribute__((unused));
static volatile unsigned int xm_stepped_flags[XM_SYNC_VCPUS_MAX] __attribute__((unused));
#define XM_STEP_FLAGS 0x300u /* TF, IF */

XM_INLINE_ int xm_probe_bp(struct xm_int3_frame *frame, struct xm_probe *probe)
{
	if (frame->eip - 1 != (unsigned int)probe->at)
		return 0;
	if (!probe->armed) { /* removed since it was hit */
		frame->eip = (unsigned int)probe->at;
		return 1;
	}
	probe->hit();
	frame->eip = (unsigned int)probe->slot;
	if (probe->kind == XM_PROBE_PLAIN) {
		xm_stepped[xm_vcpu()] = probe;
		xm_stepped_flags[xm_vcpu()] = frame->eflags & XM_STEP_FLAGS;
		frame->eflags = (frame->eflags & ~0x200u) | 0x100u;
	}
	return 1;
}
#define XM_STEP_HANDLER_                                                                                               \
	XM_STATIC_ void xm_step_handler(struct xm_frame *frame)                                                        \
	{                                                                                                              \
		struct xm_probe *const probe = xm_stepped[xm_vcpu()];                                                  \
		XM_ASSERT(probe && "a step that somebody asked for");                                                  \
		xm_stepped[xm_vcpu()] = 0;                                                                             \
		frame->eip += (unsigned int)probe->at - (unsigned int)probe->slot;                                     \
		frame->eflags = (frame->eflags & ~XM_STEP_FLAGS) | xm_stepped_flags[xm_vcpu()];                        \
	}
#define XM_PROBE_STEPS() XM_STEP_HANDLER_ XM_HANDLER(1, xm_step_handler)

XM_INLINE_ void xm_probe_optimize(struct xm_probe *probe, unsigned int steps)
{
	unsigned char code[5];
	xm_jump_(code, probe->at, probe->detour);
	xm_text_poke_tail(probe->at, code, 5, steps);
}
XM_INLINE_ void xm_probe_unoptimize(struct xm_probe *probe, unsigned int steps)
{
	xm_store(probe->at, XM_INT3);
	if (steps & XM_SYNC1)
		xm_sync_all();
	xm_copy(probe->at + 1, probe->original + 1, probe->bytes - 1);
	if (steps & XM_SYNC2)
		xm_sync_all();
}

#endif /* XMPROBE_H */
