/*
 * xmring.h - rings 0, 1 and 3, and thread-local segments, for programs that xmcheck explores: a GDT of the guest's own with flat
 * segments for each ring and three TLS entries.
 *
 *  xm_rings_on()                   loads that GDT; each vCPU that uses rings or TLS calls it first
 *  XM_CODE_OF(ring) XM_DATA_OF(ring) XM_TLS(n)    selectors
 *  xm_tls_entry(n)                 address of a TLS descriptor; XM_TLS_LOW(base), XM_TLS_HIGH(base): its two words, 4 KB of data, DPL 3
 *  xm_load_fs(selector) xm_load_gs(selector)    xm_fs_word() xm_gs_word(): the word at offset 0
 *  xm_tss()                        the TSS of this vCPU: word 1 is ESP0, where interrupts from other rings land
 *  xm_go(ring, fn, top)            goes on in another ring, at fn, with that stack, by IRET; EFLAGS as they are. It does not come back: what
 *                                  brings the vCPU to ring 0 again is an interrupt or a fault (XM_HANDLER)
 *  xm_open_gate(vector, ring)      lets INT `vector` be executed in that ring
 *  xm_outer(frame)                 in a handler: ESP and SS of the ring that was interrupted; xm_ring_of(frame): which one it was
 *  xm_end()                        ends the vCPU, from wherever it is
 */
#ifndef XMRING_H
#define XMRING_H

#include "xmcheck.h"

#ifndef XM_RING_VCPUS
#define XM_RING_VCPUS 4
#endif
/* Descriptors: null; code and data of ring 0, where the environment has them; of ring 1; of ring 3; TLS. */
#define XM_CODE_OF(ring) ((ring) == 0 ? 0x08u : (ring) == 1 ? 0x19u : 0x2bu)
#define XM_DATA_OF(ring) (XM_CODE_OF(ring) + 8)
#define XM_TLS(n) (0x3bu + (n) * 8)
#define XM_TLS_LOW(base) (((unsigned int)(base) & 0xffff) << 16 | 0x0fff)
#define XM_TLS_HIGH(base) (((unsigned int)(base) & 0xff000000) | ((unsigned int)(base) >> 16 & 0xff) | 0x0040f300)

static volatile unsigned int xm_gdt[20] __attribute__((aligned(8), unused)) = {
	0,	0,	    0xffff, 0x00cf9b00, 0xffff, 0x00cf9300, 0xffff, 0x00cfbb00, 0xffff, 0x00cfb300, 0xffff, 0x00cffb00, 0xffff, 0x00cff300,
};
static volatile unsigned int *xm_tss_[XM_RING_VCPUS] __attribute__((unused));

struct xm_table_pointer {
	unsigned short limit;
	unsigned int base;
} __attribute__((packed));

XM_INLINE_ volatile unsigned int *xm_tls_entry(unsigned int n) { return &xm_gdt[(XM_TLS(n) >> 3) * 2]; }
XM_INLINE_ volatile unsigned int *xm_tss(void) { return xm_tss_[xm_vcpu()]; }

__attribute__((unused)) static void xm_rings_on(void)
{
	const struct xm_table_pointer ours = { sizeof xm_gdt - 1, (unsigned int)xm_gdt };
	struct xm_table_pointer before;
	unsigned short task;
	__asm__ __volatile__("sgdt %0\n\tstr %1" : "=m"(before), "=r"(task));
	/* The TSS stays the one that was loaded; its base is in the descriptor. */
	const unsigned int *const descriptor = (const unsigned int *)(before.base + task);
	xm_tss_[xm_vcpu()] = (volatile unsigned int *)((descriptor[1] & 0xff000000) | (descriptor[1] & 0xff) << 16 | descriptor[0] >> 16);
	__asm__ __volatile__("lgdt %0" : : "m"(ours) : "memory");
}

#define XM_SEGMENT_(name)                                                                                              \
	XM_INLINE_ void xm_load_##name(unsigned int selector)                                                          \
	{                                                                                                              \
		__asm__ __volatile__("movl %0, %%" #name : : "r"(selector) : "memory");                                \
	}                                                                                                              \
	XM_INLINE_ unsigned int xm_##name##_word(void)                                                                 \
	{                                                                                                              \
		unsigned int word;                                                                                     \
		__asm__ __volatile__("movl %%" #name ":0, %0" : "=r"(word) : : "memory");                              \
		return word;                                                                                           \
	}
XM_SEGMENT_(fs)
XM_SEGMENT_(gs)
#undef XM_SEGMENT_

__attribute__((unused, noreturn, noinline)) static void xm_go(unsigned int ring, void (*fn)(void), unsigned int *top)
{
	__asm__ __volatile__("movl %0, %%ds\n\tmovl %0, %%es\n\tpushl %0\n\tpushl %1\n\tpushfl\n\tpushl %2\n\tpushl %3\n\tiret"
			     :
			     : "r"(XM_DATA_OF(ring)), "r"(top), "r"(XM_CODE_OF(ring)), "r"(fn)
			     : "memory");
	__builtin_unreachable();
}
__attribute__((unused)) static void xm_open_gate(unsigned int vector, unsigned int ring)
{
	struct xm_table_pointer idt;
	__asm__ __volatile__("sidt %0" : "=m"(idt));
	((volatile unsigned int *)idt.base)[2 * vector + 1] |= ring << 13;
}
struct xm_outer {
	unsigned int esp, ss;
};
XM_INLINE_ struct xm_outer *xm_outer(struct xm_frame *frame) { return (struct xm_outer *)(frame + 1); }
XM_INLINE_ unsigned int xm_ring_of(const struct xm_frame *frame) { return frame->cs & 3; }
XM_INLINE_ void xm_end(void) { (void)XM_CALL_(XM_CALL_EXIT, 0, 0); }

#endif /* XMRING_H */

/*
 * survivor branch always taken, xm_go, `: "r"(XM_DATA_OF(ring))...`: all go to one ring
 * survivor store removed, xm_rings_on, `xm_tss_[xm_vcpu()]...`: only who enters another ring or does I/O there needs it
 */
