/*
 * P09  Entry code has no stack: operations that are called, branched to, jumped to
 *
 * source: xen-ia64-devel, December 2007 (a static calling convention for the interrupt vector table: return address in a register); "Paravirt cpu
 *         batching", December 2006 (operations that are "jmp to, not actually called"); provenance G
 *
 * At an entry such as SYSENTER's ESP is whatever it was. A paravirtualised operation is made there all the same, and the way out (as SYSEXIT: EDX is
 * where, ECX the stack) is one too.
 *
 * variant called: -DCALL
 * variant branch-with-the-return-address-in-a-register: -DBRANCH
 * variant native-code-inline: -DINLINE
 * variant way-out-called: -DINLINE -DCALLED_OUT
 */
#include "xmcheck.h"

#define NO_STACK 0xf0000000u

__attribute__((used)) static volatile unsigned int flags_of_guest = 0x200;

#if defined(CALL)
#define OPERATION "call pv_save\n\t"
__asm__(".text\npv_save: movl flags_of_guest, %eax\n\tret\n");
#elif defined(BRANCH)
#define OPERATION "movl $1f, %%ecx\n\tjmp pv_save\n\t1:"
__asm__(".text\npv_save: movl flags_of_guest, %eax\n\tjmp *%ecx\n");
#else
#define OPERATION "movl flags_of_guest, %%eax\n\t"
#endif
#ifdef CALLED_OUT
#define WAY_OUT "call pv_sysexit\n\t"
#else
#define WAY_OUT "jmp pv_sysexit\n\t"
#endif
__asm__(".text\npv_sysexit: movl %ecx, %esp\n\tjmp *%edx\n");

static void entry(void)
{
	unsigned int flags;
	__asm__ __volatile__("pushl %%ebp\n\tmovl %%esp, %%ebx\n\tmovl %1, %%esp\n\t" OPERATION
			     "movl %%ebx, %%ecx\n\tmovl $2f, %%edx\n\t" WAY_OUT "2: popl %%ebp"
			     : "=&a"(flags)
			     : "i"(NO_STACK)
			     : "ebx", "ecx", "edx", "memory", "cc");
	XM_ASSERT(flags == flags_of_guest);
}

XM_VCPU(entry);
