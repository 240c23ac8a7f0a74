/*
 * P04  One shadowed CR0 and one interrupt flag: sites translated to calls, left native, trapped
 *
 * source: VMI documentation and its review, March 2006 (CLTS, SetCR0 and GetCR0 "operate on the same (shadowed) register"; IDENT translations;
 *         trap and emulate by default); provenance G
 *
 * A kernel in ring 1 (ring 0 with IDENT, as under hardware virtualisation) sets TS, uses CLTS, and saves, disables and restores interrupts, by the
 * calls of a ROM or by its native instructions.
 *
 * variant calls: -DCALLS
 * variant traps: -DTRAPS=9
 * variant traps-without-clts: -DTRAPS=10 -DREAD_MODIFY_WRITE
 * variant calls-beside-traps: -DMIXED -DTRAPS=5
 * variant ident-in-ring-0: -DRING_0
 * variant ident-clts-beside-a-shadow: -DRING_0 -DMIXED
 * variant smsw-does-not-trap: -DCALLS -DXM_VMI_FPU_LENT
 * variant popf-does-not-trap: -DCALLS -DPOPF
 */
#include "xmvmi.h"

XM_VMI_TRAPS();
static void interrupt(void) {}
XM_VMI_DEVICE(0, interrupt, 0);

static unsigned int kernel_stack[256], cr0_before;

/* ---- The sites, as they are translated ---- */

#if defined(CALLS)
#define GET_CR0() xm_vmi_get_cr0()
#define SET_CR0(value) xm_vmi_set_cr0(value)
#define CLTS() xm_vmi_clts()
#elif defined(MIXED)
#define GET_CR0() xm_vmi_get_cr0()
#define SET_CR0(value) xm_vmi_set_cr0(value)
#define CLTS() __asm__ __volatile__("clts" : : : "memory")
#else
#define GET_CR0() xm_read_cr0()
#define SET_CR0(value) xm_write_cr0(value)
#ifdef READ_MODIFY_WRITE
#define CLTS() SET_CR0(GET_CR0() & ~8u)
#else
#define CLTS() __asm__ __volatile__("clts" : : : "memory")
#endif
#endif
#ifdef RING_0
#define FLAG_IS_OPEN() (flags() >> 9 & 1)
#else
#define FLAG_IS_OPEN() (xm_vmi_get_mask() == XM_VMI_OPEN)
#endif
#ifdef CALLS
#define CLI() xm_vmi_disable()
#define STI() xm_vmi_enable()
#else
#define CLI() xm_cli()
#define STI() xm_sti()
#endif

static unsigned int flags(void)
{
	unsigned int value;
	__asm__ __volatile__("pushfl\n\tpopl %0" : "=r"(value));
	return value;
}

static void kernel(void)
{
	/* stts(), and clts() as later kernels spell it: without reading the register first. */
	SET_CR0(GET_CR0() | 8);
	XM_ASSERT(GET_CR0() & 8);
	CLTS();
	XM_ASSERT(GET_CR0() == cr0_before);
#ifdef XM_VMI_FPU_LENT
	unsigned int status;
	__asm__ __volatile__("smsw %0" : "=r"(status));
	XM_ASSERT((status & 8) == (GET_CR0() & 8));
#endif
	STI();
	CLI();
	XM_ASSERT(!FLAG_IS_OPEN());
#ifdef POPF
	__asm__ __volatile__("pushl %0\n\tpopfl" : : "r"(flags() | 0x200) : "memory", "cc");
#else
	STI();
#endif
	XM_ASSERT(FLAG_IS_OPEN());
	CLI();
	XM_ASSERT(!FLAG_IS_OPEN());
#ifndef TRAPS
#define TRAPS 0
#endif
	XM_ASSERT(xm_vmi_traps == TRAPS); /* one for each native site in ring 1 */
	xm_end();
}

static void boot(void)
{
	xm_rings_on();
	xm_open_gate(XM_VMI_VECTOR_CR0, 1);
	cr0_before = xm_read_cr0() & ~8u;
	xm_vmi_state.cr0 = xm_read_cr0();
#ifdef RING_0
	kernel();
#else
	xm_go(1, kernel, kernel_stack + 256);
#endif
}

XM_VCPU(boot);

/*
 * survivor branch never taken, xm_vmi_arrive, `if (xm_vmi_state.flag == XM_VMI_OPEN)`: in ring 0 interrupts are the machine's, and this one does nothing
 * survivor store removed, boot, `((volatile unsigned int *)idt.base)...`: a gate for calls, which a kernel that leaves its sites native does not make
 */
