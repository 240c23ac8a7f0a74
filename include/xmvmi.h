/*
 * xmvmi.h - the virtual machine interface of 2006 as guest code: a ROM between a kernel and whatever hypervisor there is.
 *
 *  XM_VMI_ROM(major, minor)      before the include: the version of the ROM. Major 2 delivers nothing implicitly; minor 1 has the calls that say so.
 *                                XM_VMI_FLUSHES, where defined: it flushes before it delivers
 *  xm_vmi_attach(major, minor)   what a guest asks first: whether a ROM of this major and at least this minor version is there
 *
 *  xm_vmi_set_deferred_mode(bits)    XM_VMI_CPU, XM_VMI_MMU: updates of these classes may be deferred. Clearing a bit flushes, setting does not
 *  xm_lazy_flush()                   carries out what was deferred
 *  xm_vmi(op, a, b, c)               an update (XM_OP_... of xmops.h). One that is not deferred flushes first: order is kept
 *
 *  xm_vmi_get_cr0() xm_vmi_set_cr0(v) xm_vmi_clts()      one shadowed register, whoever asks
 *
 *  xm_vmi_enable() xm_vmi_disable()  the guest's interrupt flag, which the ROM keeps; xm_vmi_get_mask(), xm_vmi_set_mask(flag).
 *                                    Opening it delivers what is pending, inside the call (major 1)
 *  XM_VMI_DEVICE(vcpu, fn, max)      at file scope: a device, and the guest's handler
 *  xm_vmi_enable_only()              (minor 1) opens the flag and delivers nothing; 0, or XM_VMI_NO_CALL
 *  xm_vmi_deliver()                  (minor 1) opens the flag and delivers what is pending; 0, or XM_VMI_NO_CALL
 *
 * Calls are what a kernel's call sites are translated to. Where a site is left as it is (IDENT) the native instruction runs: in ring 0 on the
 * machine itself; in ring 1 it traps, and the handler of XM_VMI_TRAPS() carries it out on the same shadow: MOV to and from CR0, CLTS, CLI, STI.
 * xm_vmi_traps counts these.
 */
#ifndef XMVMI_H
#define XMVMI_H

#define XM_VMI_CPU 1u
#define XM_VMI_MMU 2u
#define XM_VMI_NO_CALL (-38)
/* States of the flag; ENABLED: interrupts may come, and are delivered by the next xm_vmi_deliver(). */
#define XM_VMI_DISABLED 0u
#define XM_VMI_OPEN 1u
#define XM_VMI_ENABLED 2u

static struct {
	unsigned int deferred; /* classes */
	volatile unsigned int flag, pending;
	volatile unsigned int cr0; /* as the guest sees it */
} xm_vmi_state __attribute__((unused)) = { .flag = XM_VMI_OPEN };
static volatile unsigned int xm_vmi_traps __attribute__((unused));

/* The queue is that of xmlazy.h; what it takes for the mode is whether the class of `op` is deferred. */
#define XM_LAZY_MODE() (xm_vmi_state.deferred & (op == XM_OP_STORE || op == XM_OP_INVLPG ? XM_VMI_MMU : XM_VMI_CPU))
#define XM_WITHOUT_MODES
#include "xmlazy.h"
#include "xmring.h"

#ifndef XM_VMI_ROM
#define XM_VMI_ROM 1, 0
#endif
static const struct {
	unsigned int major, minor;
} xm_vmi_rom __attribute__((unused)) = { XM_VMI_ROM };
#define XM_VMI_CALL_ __attribute__((unused, noinline)) static

XM_VMI_CALL_ int xm_vmi_attach(unsigned int major, unsigned int minor) { return xm_vmi_rom.major == major && xm_vmi_rom.minor >= minor; }

/* ---- Deferred calls ---- */

XM_VMI_CALL_ void xm_vmi_set_deferred_mode(unsigned int bits)
{
	const unsigned int ends = xm_vmi_state.deferred & ~bits;
	xm_vmi_state.deferred = bits;
	/* Not before: an interrupt could still queue something. */
	if (ends)
		xm_lazy_flush();
}
XM_VMI_CALL_ void xm_vmi(unsigned int op, unsigned int a, unsigned int b, unsigned int c)
{
	if (!XM_LAZY_MODE())
		xm_lazy_flush();
	xm_operation(op, a, b, c);
}

/* ---- CR0 ---- */

XM_VMI_CALL_ unsigned int xm_vmi_get_cr0(void) { return xm_vmi_state.cr0; }
/* TS is the machine's too, unless that is set because the FPU holds the state of another guest: XM_VMI_FPU_LENT. */
#ifdef XM_VMI_FPU_LENT
#define XM_VMI_TS_(value) 1
#else
#define XM_VMI_TS_(value) ((value) >> 3 & 1)
#endif
XM_VMI_CALL_ void xm_vmi_carry_out_cr0(unsigned int value)
{
	xm_vmi_state.cr0 = value;
	xm_set_ts_now(XM_VMI_TS_(value));
}
#define XM_VMI_VECTOR_CR0 0x83
/* In ring 1 a call of the ROM goes on to the hypervisor, in ring 0. */
XM_INLINE_ void xm_vmi_set_cr0(unsigned int value)
{
	__asm__ __volatile__("int $0x83" : : "a"(value) : "memory");
}
XM_INLINE_ void xm_vmi_clts(void) { xm_vmi_set_cr0(xm_vmi_state.cr0 & ~8u); }

/* ---- The interrupt flag ---- */

static void xm_vmi_handler_(void);
/* The device may interrupt this too, and then delivers what is pending itself. The handler runs with the guest's flag closed. */
XM_VMI_CALL_ void xm_vmi_open_(void)
{
	xm_vmi_state.flag = XM_VMI_OPEN;
	while (xm_xchg(&xm_vmi_state.pending, 0)) {
		xm_vmi_state.flag = XM_VMI_DISABLED;
#ifdef XM_VMI_FLUSHES
		xm_lazy_flush();
#endif
		xm_vmi_handler_();
		xm_vmi_state.flag = XM_VMI_OPEN;
	}
}
XM_VMI_CALL_ void xm_vmi_arrive(struct xm_frame *frame)
{
	(void)frame;
	xm_vmi_state.pending = 1;
	if (xm_vmi_state.flag == XM_VMI_OPEN)
		xm_vmi_open_();
}
#define XM_VMI_DEVICE(vcpu, fn, max)                                                                                   \
	static void xm_vmi_handler_(void) { fn(); }                                                                    \
	XM_IRQ(vcpu, 0x40, xm_vmi_arrive, max)

XM_VMI_CALL_ unsigned int xm_vmi_get_mask(void) { return xm_vmi_state.flag; }
XM_VMI_CALL_ void xm_vmi_disable(void) { xm_vmi_state.flag = XM_VMI_DISABLED; }
XM_VMI_CALL_ void xm_vmi_closed_to_enabled_(void)
{
	if (xm_vmi_state.flag == XM_VMI_DISABLED)
		xm_vmi_state.flag = XM_VMI_ENABLED;
}
XM_VMI_CALL_ void xm_vmi_enable(void)
{
	if (xm_vmi_rom.major == 1)
		xm_vmi_open_();
	else
		xm_vmi_closed_to_enabled_();
}
XM_VMI_CALL_ void xm_vmi_set_mask(unsigned int flag)
{
	if (flag == XM_VMI_DISABLED)
		xm_vmi_disable();
	else
		xm_vmi_enable();
}
XM_VMI_CALL_ int xm_vmi_enable_only(void)
{
	if (xm_vmi_rom.minor < 1)
		return XM_VMI_NO_CALL;
	xm_vmi_closed_to_enabled_();
	return 0;
}
XM_VMI_CALL_ int xm_vmi_deliver(void)
{
	if (xm_vmi_rom.minor < 1)
		return XM_VMI_NO_CALL;
	xm_vmi_open_();
	return 0;
}

/* ---- What was left native, in ring 1 ---- */

XM_VMI_CALL_ void xm_vmi_by_call(struct xm_frame *frame) { xm_vmi_carry_out_cr0(frame->eax); }
XM_VMI_CALL_ void xm_vmi_trap(struct xm_frame *frame)
{
	const unsigned char *const code = (const unsigned char *)frame->eip;
	unsigned int *const registers[8] = { &frame->eax, &frame->ecx, &frame->edx, &frame->ebx, 0, &frame->ebp, &frame->esi, &frame->edi };
	if (xm_ring_of(frame) == 0)
		XM_FAIL();
	xm_vmi_traps = xm_vmi_traps + 1;
	if (code[0] == 0xfa || code[0] == 0xfb) { /* CLI, STI */
		xm_vmi_state.flag = code[0] == 0xfb;
		frame->eip += 1;
	} else if (code[0] == 0x0f && code[1] == 0x06) { /* CLTS */
		xm_vmi_carry_out_cr0(xm_vmi_state.cr0 & ~8u);
		frame->eip += 2;
	} else if (code[0] == 0x0f && (code[1] == 0x20 || code[1] == 0x22) && (code[2] & 0xf8) == 0xc0 && (code[2] & 7) != 4) { /* MOV r,CR0 and CR0,r */
		if (code[1] == 0x20)
			*registers[code[2] & 7] = xm_vmi_state.cr0;
		else
			xm_vmi_carry_out_cr0(*registers[code[2] & 7]);
		frame->eip += 3;
	} else
		XM_FAIL(); /* nothing that this hypervisor emulates */
}
#define XM_VMI_TRAPS()                                                                                                 \
	XM_HANDLER(XM_VMI_VECTOR_CR0, xm_vmi_by_call);                                                                 \
	XM_HANDLER(13, xm_vmi_trap)

#endif /* XMVMI_H */

/*
 * survivor store removed, xm_vmi_open_, `xm_vmi_state.flag = XM_VMI_OPEN;`: no interrupt comes behind the one
 * survivor store removed, xm_vmi_set_deferred_mode, `xm_vmi_state.deferred = bits;`: what is done at once need not be deferred
 */
