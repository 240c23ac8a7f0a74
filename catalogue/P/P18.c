/*
 * P18  Conventions of calls through the table: how many arguments are in registers, and in which
 *
 * source: VMI documentation and its review, March 2006 ("#define VMICALL __attribute__((regparm(3)))", "in Linux it's FASTCALL", "FASTCALL is regparm(2), I
 *         think"); "Paravirt cpu batching", December 2006 (operations are pointers to fastcall functions); provenance G
 *
 * A ROM is compiled by one convention, the kernel calls it by one. There are calls of two arguments (an entry of a page table) and of three (a descriptor).
 *
 * variant both-regparm-3:
 * variant kernel-regparm-2-two-arguments: -DKERNEL=2 -DTWO
 * variant kernel-regparm-2-three-arguments: -DKERNEL=2
 * variant kernel-fastcall-of-gcc: -DKERNEL=1
 * variant kernel-on-the-stack: -DKERNEL=0
 * variant both-regparm-2: -DKERNEL=2 -DROM=2
 */
#include "xmpatch.h"

#if ROM == 2
#define VMICALL __attribute__((regparm(2)))
#else
#define VMICALL __attribute__((regparm(3)))
#endif
#if KERNEL == 2
#define FASTCALL __attribute__((regparm(2))) /* EAX, EDX */
#elif KERNEL == 1
#define FASTCALL __attribute__((fastcall)) /* ECX, EDX; the function takes the rest off the stack */
#elif defined(KERNEL)
#define FASTCALL __attribute__((cdecl))
#else
#define FASTCALL __attribute__((regparm(3))) /* EAX, EDX, ECX, as Linux has it */
#endif

static volatile unsigned int table[2], descriptors[2][2];

/* ---- The ROM ---- */

__attribute__((noinline, used)) VMICALL static void rom_set_pte(unsigned int entry, unsigned int value) { table[entry & 1] = value; }
#ifndef TWO
__attribute__((noinline, used)) VMICALL static void rom_set_descriptor(unsigned int entry, unsigned int low, unsigned int high)
{
	descriptors[entry & 1][0] = low;
	descriptors[entry & 1][1] = high;
}
#endif

/* ---- The kernel, which knows addresses only ---- */

static const struct {
	void *set_pte, *set_descriptor;
} rom = {
	rom_set_pte,
#ifdef TWO
	0,
#else
	rom_set_descriptor,
#endif
};
/* What callers leave in registers that no argument is in. */
#define SPOIL() __asm__ __volatile__("movl $-1, %%eax\n\tmovl $-1, %%ecx\n\tmovl $-1, %%edx" : : : "eax", "ecx", "edx", "memory")

static void kernel(void)
{
	FASTCALL void (*volatile set_pte)(unsigned int, unsigned int) = rom.set_pte;
	for (unsigned int n = 0; n < 2; n++) {
		SPOIL();
		set_pte(n, 10 + n);
	}
	XM_ASSERT(table[0] == 10 && table[1] == 11);
#ifndef TWO
	FASTCALL void (*volatile set_descriptor)(unsigned int, unsigned int, unsigned int) = rom.set_descriptor;
	for (unsigned int n = 0; n < 2; n++) {
		SPOIL();
		set_descriptor(n, 20 + n, 30 + n);
	}
	for (unsigned int n = 0; n < 2; n++)
		XM_ASSERT(descriptors[n][0] == 20 + n && descriptors[n][1] == 30 + n);
#endif
}
XM_VCPU(kernel);
