/*
 * xmcheck.h - declarations for programs that xmcheck runs and explores.
 *
 *     gcc -m32 -ffreestanding -fno-pic -fno-stack-protector -O2 -g -c prog.c
 *     xmcheck check prog.o
 *
 * gcc or clang, -O0 to -O3, -march=i386 and later, with or without -g. The code runs as it was compiled. On
 * hardware the calls to the checker are multi-byte NOPs, so that an object can also be run as it is.
 *
 *
 * THE MACHINE A PROGRAM FINDS
 *
 *  - 32-bit protected mode, ring 0, paging off; CS 0x08, DS ES FS SS 0x10: flat, 4 GB. There is a GDT, an IDT
 *    and a TSS per vCPU, and you may load your own.
 *  - Each vCPU starts at its entry function (XM_VCPU), which gets the number of the vCPU, from 0, as its first
 *    argument: `void f(int vcpu)` or `void f(void)`. All of them start together, on what the XM_INIT
 *    function left in memory. Returning from the entry function ends the vCPU. When all have ended and all
 *    stores have reached memory, the XM_FINAL function runs alone.
 *  - Each has a stack of 16 KB with an unmapped page below it. GS covers 256 bytes of its own: the vCPU's
 *    number at %gs:0, the linear address of these bytes at %gs:4, the rest is yours and zero.
 *  - EFLAGS is 2: interrupts are OFF at the entry; call xm_sti() where they may arrive. In handlers they are off.
 *  - Code may be read, written and executed; .data and .bss read and written; constants only read. Anything else
 *    is a wild access, which is a violation; so is an exception for which there is no XM_HANDLER.
 *  - memcpy, memmove, memset, memcmp (byte by byte: the weakest that C promises) and the integer helpers of
 *    libgcc are supplied. There is no C library.
 *
 *
 * DECLARATIONS, AT FILE SCOPE
 *
 *  XM_INIT(fn)                      runs alone on vCPU 0, before the others start
 *  XM_VCPU(fn)                      the next vCPU runs fn; vCPUs are numbered in the order of these lines
 *  XM_VCPUS(fn, n)                  the next n vCPUs do
 *  XM_FINAL(fn)                     runs alone on vCPU 0, after all have ended
 *  XM_HANDLER(vector, fn)           void fn(struct xm_frame *): exceptions and IPIs
 *  XM_HANDLER_RAW(vector, fn)       the gate leads straight to fn, which ends in IRET: assembly, or
 *                                   __attribute__((interrupt)) with gcc -mgeneral-regs-only
 *  XM_IRQ(vcpu, vector, fn, max)    an interrupt that may arrive at `vcpu` (or XM_EVERY_VCPU) between any two
 *                                   instructions, `max` times in one run (0: any number), and its handler
 *  XM_IRQ_SOURCE(vcpu, vector, max) the same for a vector that has its handler already
 *  XM_NMI(vcpu, fn, max)            a non-maskable interrupt
 *  XM_NMI_SOURCE(vcpu, max)
 *  XM_SITE(site, bytes, targets...) the instruction at label `site`, of so many bytes, is rewritten while it
 *                                   may run, and may only ever lead to one of `targets`: functions, or
 *                                   `site + bytes` where falling through (a NOP) is allowed. Declares `extern const char site[]`: do not declare it otherwise
 *  XM_SITE_INT3(site, bytes, ...)   the same where an INT3 at the site is a legal state in between
 *  XM_FORMS(site, bytes, forms...)  instead of targets: arrays of so many bytes each; whatever is executed inside the
 *                                   site must be an instruction of one of them, where it stands in it. For sites of
 *                                   several instructions, prefixes, jumps, indirect calls
 *  XM_FORMS_INT3(site, bytes, ...)  the same where an INT3 at the site is a legal state in between
 *  XM_OBJECT(variable)              names memory for monitors and reports
 *
 *
 * IN CODE
 *
 *  XM_ASSERT(cond)      a violation where cond is 0
 *  XM_FAIL()            a violation where it is reached
 *  XM_ASSUME(cond)      executions where cond is 0 do not count
 *  XM_CHOOSE(n)         any of 0 .. n-1: the checker tries all (on hardware: n)
 *  XM_REACH()           must be reached by some execution
 *  XM_PROGRESS()        the program got somewhere: what liveness checks look for
 *  XM_ENTER(&obj)       from here on the caller owns obj alone, until XM_LEAVE(&obj); a second owner is a violation (more: XM_ARRIVE, at the end)
 *  XM_FREE(ptr, bytes)  any access from here on is a violation, until XM_ALLOC(ptr, bytes)
 *  XM_PATCHED(site, bytes) from here on nobody may execute anything but these bytes at the site; XM_PATCHED(site, 0)
 *                       before it is rewritten again
 *  XM_UNMAPPED(ptr, bytes) the old translations of these linear pages are gone from every vCPU, until XM_MAPPED(ptr, bytes):
 *                       an access through one is a violation
 *  XM_BLOCK()           wait until somebody kicks this vCPU; a kick that came earlier counts, once (XM_HALT(): or until an interrupt was taken)
 *  XM_KICK(vcpu)
 *  XM_POLL(&byte)       a hypervisor blocks this vCPU until the byte (physical address) is not 0, or an interrupt was taken
 *  XM_IPI(vcpu, vector) makes an interrupt pending there; XM_SEND_NMI(vcpu) an NMI
 *  XM_LOG(text, value)  shows in timelines
 *  XM_BEGIN("name")     XM_END("name"): an interval that `xmcheck cost` measures, per vCPU
 *  XM_CALL_SITE(site, fn)  a 5-byte `call fn` with label `site` at its opcode. fn takes no arguments and returns
 *                       nothing. The label is global, so put it into a function that is not inlined.
 *  xm_vcpu()            number of the calling vCPU
 *
 * Nothing declared may go unused, XM_FAIL apart: an assertion, XM_REACH, site or handler that no execution reaches makes the
 * verdict `unknown (vacuous)`, because "holds" would say nothing about it. Code that the compiler dropped,
 * such as an unused `static inline` function, declares nothing.
 *
 * xm_load, xm_store and the functions after them, at the end of this file, are single instructions.
 */
#ifndef XMCHECK_H
#define XMCHECK_H

#ifndef __i386__
#error "xmcheck checks i386 code: compile with -m32"
#endif
#if defined(__PIC__) || defined(__PIE__)
#error "xmcheck links at fixed addresses: compile with -fno-pic -fno-pie"
#endif

/* ---- Calls to the checker: nopl 0x584D0000+number(%eax), arguments in EAX, EDX, ECX, result in EAX ---- */

#define XM_CALL_EXIT 0
#define XM_CALL_ASSERT 1
#define XM_CALL_ASSUME 2
#define XM_CALL_CHOOSE 3
#define XM_CALL_IPI 4
#define XM_CALL_NMI 5
#define XM_CALL_PROGRESS 6
#define XM_CALL_REACH 7
#define XM_CALL_ENTER 8
#define XM_CALL_LEAVE 9
#define XM_CALL_FREE 10
#define XM_CALL_ALLOC 11
#define XM_CALL_BLOCK 12
#define XM_CALL_KICK 13
#define XM_CALL_VCPU 14
#define XM_CALL_LOG 15
#define XM_CALL_PATCHED 16
#define XM_CALL_POLL 17
#define XM_CALL_UNMAPPED 18
#define XM_CALL_MAPPED 19

/* Spelled in bytes: assemblers would choose a shorter form, or refuse it for -march=i386. */
#define XM_NOPL_(number) ".byte 0x0f, 0x1f, 0x80\n\t.long 0x584D0000 + " XM_TEXT_(number) "\n\t"
#define XM_TEXT_(x) XM_TEXT2_(x)
#define XM_TEXT2_(x) #x
#define XM_JOIN_(a, b) XM_JOIN2_(a, b)
#define XM_JOIN2_(a, b) a##b

/* A call that takes two values, and whose result (if it has one) replaces the first. */
#define XM_CALL_(number, eax, edx)                                                                                     \
	(__extension__({                                                                                               \
		unsigned int xm_eax_ = (unsigned int)(eax);                                                            \
		__asm__ __volatile__(XM_NOPL_(number) : "+a"(xm_eax_) : "d"(edx) : "memory");                          \
		xm_eax_;                                                                                               \
	}))

/* ---- Records: section .xmcheck, 32 bytes each; src/guest/records.ts describes them ---- */

#define XM_KIND_INIT 1
#define XM_KIND_VCPU 2
#define XM_KIND_FINAL 3
#define XM_KIND_HANDLER 4
#define XM_KIND_IRQ 5
#define XM_KIND_NMI 6
#define XM_KIND_SITE 7
#define XM_KIND_OBJECT 8
#define XM_KIND_ASSERT 9
#define XM_KIND_ASSUME 10
#define XM_KIND_CHOOSE 11
#define XM_KIND_PROGRESS 12
#define XM_KIND_REACH 13
#define XM_KIND_FORMS 14
#define XM_KIND_FAIL 15

#define XM_RECORD_TAG 0x584D0100u
#define XM_HANDLER_RAW_FLAG 0x10000u
#define XM_SITE_INT3_FLAG 0x10000u
#define XM_EVERY_VCPU 0xffffu

struct xm_record {
	unsigned int tag;   /* XM_RECORD_TAG + kind */
	unsigned int order; /* compilers may emit variables in any order */
	const char *text;
	const char *file;
	unsigned int line;
	const void *object;
	unsigned int a;
	const void *b;
};

#define XM_RECORD_(kind, text, object, a, b) XM_RECORD2_(kind, text, object, a, b, __COUNTER__)
#define XM_RECORD2_(kind, text, object, a, b, n)                                                                       \
	__extension__ static const struct xm_record XM_JOIN_(xm_record_, n)                                            \
	    __attribute__((section(".xmcheck"), used, aligned(4))) = {                                                 \
		XM_RECORD_TAG + (kind), (n), (text), __FILE__, __LINE__, (const void *)(object), (a), (const void *)(b) \
	}

#define XM_INIT(fn) XM_RECORD_(XM_KIND_INIT, #fn, fn, 0, 0)
#define XM_VCPU(fn) XM_RECORD_(XM_KIND_VCPU, #fn, fn, 1, 0)
#define XM_VCPUS(fn, n) XM_RECORD_(XM_KIND_VCPU, #fn, fn, n, 0)
#define XM_FINAL(fn) XM_RECORD_(XM_KIND_FINAL, #fn, fn, 0, 0)
#define XM_HANDLER(vector, fn) XM_RECORD_(XM_KIND_HANDLER, #fn, fn, vector, 0)
#define XM_HANDLER_RAW(vector, fn) XM_RECORD_(XM_KIND_HANDLER, #fn, fn, (vector) | XM_HANDLER_RAW_FLAG, 0)
#define XM_IRQ_SOURCE(vcpu, vector, max) XM_RECORD_(XM_KIND_IRQ, 0, 0, (vector) | (unsigned int)(vcpu) << 16, max)
#define XM_IRQ(vcpu, vector, fn, max)                                                                                  \
	XM_HANDLER(vector, fn);                                                                                        \
	XM_IRQ_SOURCE(vcpu, vector, max)
#define XM_NMI_SOURCE(vcpu, max) XM_RECORD_(XM_KIND_NMI, 0, 0, (unsigned int)(vcpu) << 16, max)
#define XM_NMI(vcpu, fn, max)                                                                                          \
	XM_HANDLER(2, fn);                                                                                             \
	XM_NMI_SOURCE(vcpu, max)
#define XM_SITE(site, bytes, ...) XM_SITE_(site, bytes, 0, __VA_ARGS__)
#define XM_SITE_INT3(site, bytes, ...) XM_SITE_(site, bytes, XM_SITE_INT3_FLAG, __VA_ARGS__)
#define XM_SITE_(site, bytes, flags, ...)                                                                              \
	extern const char site[];                                                                                      \
	__extension__ static const void *const XM_JOIN_(xm_targets_of_, site)[] = { __VA_ARGS__, 0 };                  \
	XM_RECORD_(XM_KIND_SITE, #site, site, (bytes) | (flags), XM_JOIN_(xm_targets_of_, site))
#define XM_FORMS(site, bytes, ...) XM_FORMS_(site, bytes, 0, __VA_ARGS__)
#define XM_FORMS_INT3(site, bytes, ...) XM_FORMS_(site, bytes, XM_SITE_INT3_FLAG, __VA_ARGS__)
#define XM_FORMS_(site, bytes, flags, ...)                                                                             \
	extern const char site[];                                                                                      \
	__extension__ static const void *const XM_JOIN_(xm_forms_of_, site)[] = { __VA_ARGS__, 0 };                    \
	XM_RECORD_(XM_KIND_FORMS, #site, site, (bytes) | (flags), XM_JOIN_(xm_forms_of_, site))
#define XM_OBJECT(variable) XM_RECORD_(XM_KIND_OBJECT, #variable, &(variable), sizeof(variable), 0)

/* ---- Check points: the record's address, in EDX, is the identity of the point ---- */

/*
 * The record is emitted beside the code that refers to it, so that it goes when the compiler drops the code,
 * and once however often the compiler copies the code (.ifndef).
 */
#define XM_POINT_(kind, number, eax, text) XM_POINT2_(kind, number, eax, text, __COUNTER__)
#define XM_POINT2_(kind, number, eax, text, n)                                                                         \
	(__extension__({                                                                                               \
		unsigned int xm_eax_ = (unsigned int)(eax);                                                            \
		__asm__ __volatile__(".ifndef .Lxm_point_" XM_TEXT_(n) "\n\t"                                          \
				     ".pushsection .xmcheck, \"a\", @progbits\n\t"                                     \
				     ".balign 4\n"                                                                     \
				     ".Lxm_point_" XM_TEXT_(n) ":\n\t"                                                 \
				     ".long 0x584D0100 + " XM_TEXT_(kind) ", " XM_TEXT_(n) ", %c1, %c2, "              \
				     XM_TEXT_(__LINE__) ", 0, 0, 0\n\t"                                                \
				     ".popsection\n\t"                                                                 \
				     ".endif\n\t"                                                                      \
				     "movl $.Lxm_point_" XM_TEXT_(n) ", %%edx\n\t" XM_NOPL_(number)                    \
				     : "+a"(xm_eax_)                                                                   \
				     : "i"(text), "i"(__FILE__)                                                        \
				     : "edx", "memory");                                                               \
		xm_eax_;                                                                                               \
	}))

#define XM_ASSERT(cond) ((void)XM_POINT_(XM_KIND_ASSERT, XM_CALL_ASSERT, !!(cond), #cond))
#define XM_FAIL() ((void)XM_POINT_(XM_KIND_FAIL, XM_CALL_ASSERT, 0, "XM_FAIL()"))
#define XM_ASSUME(cond) ((void)XM_POINT_(XM_KIND_ASSUME, XM_CALL_ASSUME, !!(cond), #cond))
#define XM_CHOOSE(n) XM_POINT_(XM_KIND_CHOOSE, XM_CALL_CHOOSE, n, #n)
#define XM_PROGRESS() ((void)XM_POINT_(XM_KIND_PROGRESS, XM_CALL_PROGRESS, 0, "progress"))
#define XM_REACH() ((void)XM_POINT_(XM_KIND_REACH, XM_CALL_REACH, 0, "reach"))

#define XM_ENTER(object) ((void)XM_CALL_(XM_CALL_ENTER, object, 0))
#define XM_LEAVE(object) ((void)XM_CALL_(XM_CALL_LEAVE, object, 0))
#define XM_FREE(pointer, bytes) ((void)XM_CALL_(XM_CALL_FREE, pointer, bytes))
#define XM_ALLOC(pointer, bytes) ((void)XM_CALL_(XM_CALL_ALLOC, pointer, bytes))
#define XM_PATCHED(site, bytes) ((void)XM_CALL_(XM_CALL_PATCHED, site, bytes))
#define XM_UNMAPPED(pointer, bytes) ((void)XM_CALL_(XM_CALL_UNMAPPED, pointer, bytes))
#define XM_MAPPED(pointer, bytes) ((void)XM_CALL_(XM_CALL_MAPPED, pointer, bytes))
#define XM_BLOCK() ((void)XM_CALL_(XM_CALL_BLOCK, 0, 0))
#define XM_POLL(byte) ((void)XM_CALL_(XM_CALL_POLL, byte, 0))
#define XM_KICK(vcpu) ((void)XM_CALL_(XM_CALL_KICK, vcpu, 0))
#define XM_IPI(vcpu, vector) ((void)XM_CALL_(XM_CALL_IPI, vcpu, vector))
#define XM_SEND_NMI(vcpu) ((void)XM_CALL_(XM_CALL_NMI, vcpu, 0))
#define XM_LOG(text, value) ((void)XM_CALL_(XM_CALL_LOG, value, text))

#define XM_BEGIN(name) XM_LOG("begin " name, 0)
#define XM_END(name) XM_LOG("end " name, 0)

#define XM_CALL_SITE(site, fn)                                                                                         \
	__asm__ __volatile__(".globl " #site "\n" #site ":\n\t.byte 0xe8\n\t.long %c0 - (. + 4)"                       \
			     :                                                                                         \
			     : "i"(fn)                                                                                 \
			     : "eax", "ecx", "edx", "memory", "cc")

/* ---- What a handler that was declared with XM_HANDLER gets; changes take effect when it returns ---- */

struct xm_frame {
	unsigned int edi, esi, ebp, esp_of_frame, ebx, edx, ecx, eax;
	unsigned int vector;
	unsigned int error; /* 0 for vectors without one */
	unsigned int eip, cs, eflags;
	/* The interrupted stack begins here: there is no change of stack within ring 0. */
};

/* ---- Single instructions. How functions and data of the headers are defined: a library has them otherwise (src/guest/runtime/blocks.c) ---- */
#define XM_INLINE_ static __inline__ __attribute__((always_inline, unused))
#define XM_STATIC_ static
#define XM_FIXED_ static const
/* One access of the variable's size, neither merged, repeated nor removed. */
#define xm_load(pointer) (*(const volatile __typeof__(*(pointer)) *)(pointer))
#define xm_store(pointer, value) ((void)(*(volatile __typeof__(*(pointer)) *)(pointer) = (value)))

/* Keeps the compiler, not the CPU, from moving accesses across. */
#define xm_barrier() __asm__ __volatile__("" : : : "memory")

XM_INLINE_ unsigned int xm_vcpu(void) { return XM_CALL_(XM_CALL_VCPU, 0, 0); }

XM_INLINE_ unsigned int xm_xchg(volatile void *p, unsigned int value)
{
	__asm__ __volatile__("xchgl %0, %1" : "+r"(value), "+m"(*(volatile unsigned int *)p) : : "memory");
	return value;
}
/* Returns the value before. 486 and later. */
XM_INLINE_ unsigned int xm_xadd(volatile void *p, unsigned int value)
{
	__asm__ __volatile__("lock xaddl %0, %1" : "+r"(value), "+m"(*(volatile unsigned int *)p) : : "memory", "cc");
	return value;
}
/* Returns the value found; it was replaced where that is `expected`. 486 and later. */
XM_INLINE_ unsigned int xm_cmpxchg(volatile void *p, unsigned int expected, unsigned int value)
{
	__asm__ __volatile__("lock cmpxchgl %2, %1"
			     : "+a"(expected), "+m"(*(volatile unsigned int *)p)
			     : "r"(value)
			     : "memory", "cc");
	return expected;
}
XM_INLINE_ void xm_lock_inc(volatile void *p)
{
	__asm__ __volatile__("lock incl %0" : "+m"(*(volatile unsigned int *)p) : : "memory", "cc");
}
/* 1 where the result is 0. */
XM_INLINE_ unsigned char xm_lock_dec(volatile void *p)
{
	unsigned char zero;
	__asm__ __volatile__("lock decl %0\n\tsete %1"
			     : "+m"(*(volatile unsigned int *)p), "=qm"(zero)
			     :
			     : "memory", "cc");
	return zero;
}
/* MFENCE is SSE2; xm_lock_fence does the same on every CPU. */
XM_INLINE_ void xm_mfence(void) { __asm__ __volatile__("mfence" : : : "memory"); }
XM_INLINE_ void xm_lock_fence(void) { __asm__ __volatile__("lock addl $0, (%%esp)" : : : "memory", "cc"); }
XM_INLINE_ void xm_pause(void) { __asm__ __volatile__("rep; nop" : : : "memory"); }
/* CPUID, for its effect: serialises the instruction stream of the calling vCPU. */
XM_INLINE_ void xm_cpuid_sync(void)
{
	unsigned int eax = 0, ecx = 0;
	__asm__ __volatile__("cpuid" : "+a"(eax), "+c"(ecx) : : "ebx", "edx", "memory");
}
XM_INLINE_ void xm_cli(void) { __asm__ __volatile__("cli" : : : "memory"); }
XM_INLINE_ void xm_sti(void) { __asm__ __volatile__("sti" : : : "memory"); }
XM_INLINE_ void xm_hlt(void) { __asm__ __volatile__("hlt" : : : "memory"); }

/*
 * ---- Paging: your own tables, in your own memory ----
 *
 *     static unsigned int directory[1024] XM_PAGE, table[1024] XM_PAGE, page[1024] XM_PAGE;
 *     static void setup(void)
 *     {
 *             xm_map_low(directory);                          the low 4 MB, where the program is, as they are
 *             xm_map(directory, table, 0x400000, page, XM_PTE_KERNEL);
 *     }
 *     XM_INIT(setup);
 *     static void f(void) { xm_paging_on(directory, 0); ... }   every vCPU for itself, and anew in XM_FINAL
 *
 * What is freed with XM_FREE, and named in reports, is memory by its address in the low 4 MB.
 */
#define XM_PAGE __attribute__((aligned(4096)))
#define XM_PTE_P 0x001u
#define XM_PTE_RW 0x002u
#define XM_PTE_US 0x004u
#define XM_PTE_A 0x020u
#define XM_PTE_D 0x040u
#define XM_PTE_PS 0x080u
#define XM_PTE_G 0x100u
/* As Linux maps kernel memory: accessed and dirty from the start. */
#define XM_PTE_KERNEL (XM_PTE_P | XM_PTE_RW | XM_PTE_A | XM_PTE_D)
#define XM_CR4_PSE 0x10u
#define XM_CR4_PAE 0x20u
#define XM_CR4_PGE 0x80u

#define XM_CONTROL_(n)                                                                                                 \
	XM_INLINE_ unsigned int xm_read_cr##n(void)                                                                    \
	{                                                                                                              \
		unsigned int value;                                                                                    \
		__asm__ __volatile__("movl %%cr" #n ", %0" : "=r"(value) : : "memory");                                \
		return value;                                                                                          \
	}                                                                                                              \
	XM_INLINE_ void xm_write_cr##n(unsigned int value)                                                             \
	{                                                                                                              \
		__asm__ __volatile__("movl %0, %%cr" #n : : "r"(value) : "memory");                                    \
	}
XM_CONTROL_(0)
XM_CONTROL_(2)
XM_CONTROL_(3)
XM_CONTROL_(4)
#undef XM_CONTROL_

/* Linear address. */
XM_INLINE_ void xm_invlpg(unsigned int linear)
{
	__asm__ __volatile__("invlpg (%0)" : : "r"(linear) : "memory");
}
/* Drops all translations but global ones; global ones too. */
XM_INLINE_ void xm_flush(void) { xm_write_cr3(xm_read_cr3()); }
XM_INLINE_ void xm_flush_all(void)
{
	const unsigned int cr4 = xm_read_cr4();
	xm_write_cr4(cr4 ^ XM_CR4_PGE);
	xm_write_cr4(cr4);
}
/* Entry for a page or a table of the program's. */
#define xm_pte(pointer, flags) ((unsigned int)(pointer) | (flags))
XM_INLINE_ void xm_map_low(unsigned int *directory) { directory[0] = XM_PTE_KERNEL | XM_PTE_PS; }
XM_INLINE_ void xm_map(unsigned int *directory, unsigned int *table, unsigned int linear, const volatile void *page, unsigned int flags)
{
	directory[linear >> 22] = xm_pte(table, XM_PTE_KERNEL | XM_PTE_US);
	table[linear >> 12 & 1023] = xm_pte(page, flags);
}
/* `cr4` besides PSE. Write protection holds for ring 0 too. Pentium and later. */
XM_INLINE_ void xm_paging_on(const void *directory, unsigned int cr4)
{
	xm_write_cr4(XM_CR4_PSE | cr4);
	xm_write_cr3((unsigned int)directory);
	xm_write_cr0(xm_read_cr0() | 0x80010000u);
}

/*
 * ---- Locks: what is checked of them besides who owns them ----
 *
 *  XM_ARRIVE(&obj)   the caller is about to come for obj
 *  XM_QUEUED(&obj)   it has a place in obj's queue: who arrives from here on enters after it, or `fifo-order` is violated
 *  XM_RELEASE(&obj)  as XM_LEAVE(&obj), in front of the instruction that releases it; once another has entered obj, which may be gone
 *                    by then, the caller touches it no more (`access-after-release`), until it arrives again
 *
 *     XM_ARRIVE(&lock);  draw a ticket  XM_QUEUED(&lock);  wait  XM_ENTER(&lock);  ...  XM_RELEASE(&lock);  hand over
 *
 *  XM_HALT()         as XM_BLOCK(), but an interrupt that was taken ends it too: HLT under a hypervisor whose kicks count (KVM)
 *  XM_STI_HALT()     XM_STI_POLL(&byte): with STI right in front, so that no interrupt comes in between
 */
#define XM_CALL_ARRIVE 20
#define XM_CALL_QUEUED 21
#define XM_CALL_RELEASE 22
#define XM_CALL_HALT 23
#define XM_ARRIVE(object) ((void)XM_CALL_(XM_CALL_ARRIVE, object, 0))
#define XM_QUEUED(object) ((void)XM_CALL_(XM_CALL_QUEUED, object, 0))
#define XM_RELEASE(object) ((void)XM_CALL_(XM_CALL_RELEASE, object, sizeof(*(object))))
#define XM_HALT() ((void)XM_CALL_(XM_CALL_HALT, 0, 0))
#define XM_STI_(number, eax)                                                                                           \
	do {                                                                                                           \
		unsigned int xm_eax_ = (unsigned int)(eax);                                                            \
		__asm__ __volatile__("sti\n\t" XM_NOPL_(number) : "+a"(xm_eax_) : : "memory");                         \
	} while (0)
#define XM_STI_HALT() XM_STI_(XM_CALL_HALT, 0)
#define XM_STI_POLL(byte) XM_STI_(XM_CALL_POLL, byte)

/* Interrupts off; whether they were on. */
XM_INLINE_ unsigned int xm_irq_save(void)
{
	unsigned int flags;
	__asm__ __volatile__("pushfl\n\tpopl %0\n\tcli" : "=r"(flags) : : "memory");
	return flags;
}
XM_INLINE_ void xm_irq_restore(unsigned int flags)
{
	if (flags & 0x200)
		xm_sti();
}

/*
 * ---- Code that is written: what may be claimed of it ----
 *
 *  XM_CALLS(site, functions...)  at file scope: each pass over that site calls exactly one of these functions, once, be the
 *                       call executed there, emulated, or made by the #BP handler itself; needs XM_SITE or XM_FORMS too
 *  XM_BUILDING(ptr, bytes)  this code is being written, and may not be executed (an INT3 at its first byte may) until
 *                       XM_BUILT(ptr, bytes)
 */
#define XM_KIND_CALLS 16
#define XM_CALL_BUILDING 24
#define XM_CALL_BUILT 25
#define XM_CALLS(site, ...)                                                                                            \
	__extension__ static const void *const XM_JOIN_(xm_calls_of_, site)[] = { __VA_ARGS__, 0 };                    \
	XM_RECORD_(XM_KIND_CALLS, #site, site, 0, XM_JOIN_(xm_calls_of_, site))
#define XM_BUILDING(pointer, bytes) ((void)XM_CALL_(XM_CALL_BUILDING, pointer, bytes))
#define XM_BUILT(pointer, bytes) ((void)XM_CALL_(XM_CALL_BUILT, pointer, bytes))

/*
 * A hypercall that is code here, and how many operations it asks for: `xmcheck cost` charges it where the program has XM_COUNT_HYPERCALLS.
 */
#ifdef XM_COUNT_HYPERCALLS
#define XM_HYPERCALL_(what, operations) XM_LOG("hypercall " what, operations)
#else
#define XM_HYPERCALL_(what, operations) ((void)0)
#endif

/* In code of a hypervisor that takes the calling vCPU off its pCPU: here it is off. `xmcheck cost` comes to it by the vCPU's XM_NMI. */
#define XM_OFF_CPU() XM_LOG("off cpu", 0)

/*
 * ---- Memory types and caches ----
 *
 *  PCD, PWT and PAT of an entry select a memory type, as on hardware (the PAT register is that of reset: PCD is uncached). What is
 *  accessed uncached may be in no cache, or `cache-alias` is violated: every vCPU that could have fetched it through another
 *  translation has to flush its translations, then its caches. The large page of xm_map_low is such a translation.
 */
#define XM_PTE_PWT 0x008u
#define XM_PTE_PCD 0x010u
#define XM_PTE_PAT 0x080u /* of a 4 KB page */
/* As xm_map_low, in pages of 4 KB, whose entries can be changed one by one. */
XM_INLINE_ void xm_map_low_pages(unsigned int *directory, unsigned int *table)
{
	for (unsigned int n = 0; n < 1024; n++)
		table[n] = n << 12 | XM_PTE_KERNEL;
	directory[0] = xm_pte(table, XM_PTE_KERNEL);
}
/* The own caches; the line at `p` in all caches (Pentium 4 and later). */
XM_INLINE_ void xm_wbinvd(void) { __asm__ __volatile__("wbinvd" : : : "memory"); }
XM_INLINE_ void xm_clflush(const volatile void *p)
{
	__asm__ __volatile__("clflush %0" : : "m"(*(const volatile char *)p) : "memory");
}

/*
 * ---- Fewer pCPUs than vCPUs ----
 *
 *  XM_PCPUS(n)       at file scope: a hypervisor has n pCPUs for all vCPUs; --set pcpus=N goes before it (0: one each)
 *  XM_YIELD()        gives the pCPU up where others wait for one; its stores are in memory before
 *  XM_STEAL_TIME(array)  at file scope: as KVM does, the hypervisor sets the first byte of array[vCPU] to XM_STEAL_PREEMPTED where it takes
 *                    that vCPU's pCPU away, which it may do at any time then, for other guests, or where the vCPU sleeps; and to 0 before
 *                    the vCPU runs again. If XM_STEAL_FLUSH is set there, it drops the vCPU's translations before it runs
 */
#define XM_KIND_PCPUS 17
#define XM_PCPUS(n) XM_RECORD_(XM_KIND_PCPUS, #n, 0, n, 0)
#define XM_KIND_STEAL 21
#define XM_STEAL_PREEMPTED 1u
#define XM_STEAL_FLUSH 2u
#define XM_STEAL_TIME(array) XM_RECORD_(XM_KIND_STEAL, #array, array, sizeof((array)[0]), sizeof(array))
#define XM_CALL_YIELD 26
#define XM_YIELD() ((void)XM_CALL_(XM_CALL_YIELD, 0, 0))

/*
 * ---- Updates that are queued ----
 *
 *  XM_PENDING(ptr, bytes)  an update of these words (an entry of a page table, a descriptor) is queued: reading, walking, loading from or
 *                       writing them is a violation (`pending-write`), until XM_SETTLED(ptr, bytes), which whoever carries it out says first
 */
#define XM_CALL_PENDING 27
#define XM_CALL_SETTLED 28
#define XM_PENDING(pointer, bytes) ((void)XM_CALL_(XM_CALL_PENDING, pointer, bytes))
#define XM_SETTLED(pointer, bytes) ((void)XM_CALL_(XM_CALL_SETTLED, pointer, bytes))

/*
 * ---- Queues, modes, and what a guest believes of registers ----
 *
 *  XM_LENT(ptr, bytes)  a queued call refers to this memory: writing it, freeing it or returning from the function that has it on its stack is a
 *                       violation (`argument-changed`), until XM_SETTLED
 *  XM_UNFILLED(ptr, bytes)  a slot that is not filled: reading it is a violation (`unfilled-slot`), until XM_SETTLED
 *  XM_MODE_ON(&name, which)  this vCPU enters mode `which` (lazy MMU, lazy CPU ...), and is in one of that name at a time; XM_MODE_OFF(&name, which)
 *                       leaves it, on the same vCPU, before that ends (`mode-entered-twice`, `mode-unpaired`)
 *
 * At file scope:
 *
 *  XM_FORBIDS(name, functions...)  while a vCPU is in a mode of that name, it executes none of these functions, be it from an interrupt (`forbidden-call`).
 *                       Declare them noinline: what the compiler has inlined has no entry to watch
 *  XM_OWN(vcpu, variable)  only this vCPU accesses the variable (`foreign-access`)
 *  XM_BELIEF(vcpu, word, what)  whoever loads `word` takes it for XM_IS_CR3 (or the like) of the vCPU: they are the same then (`belief`)
 *  XM_BELIEF_IF(vcpu, word, bits, what, value)  any of `bits` in `word` says that it is `value`, none of them that it is not
 *  XM_BELIEF_MAY(vcpu, word, bits, what, value)  none of `bits` says that it is not `value`; with them it may be: who has to be told of a flush
 *
 * Memory by its address in the low 4 MB. LOCKed instructions update a word; all other loads consult it.
 */
#define XM_CALL_LENT 29
#define XM_CALL_UNFILLED 30
#define XM_CALL_MODEON 31
#define XM_CALL_MODEOFF 32
#define XM_LENT(pointer, bytes) ((void)XM_CALL_(XM_CALL_LENT, pointer, bytes))
#define XM_UNFILLED(pointer, bytes) ((void)XM_CALL_(XM_CALL_UNFILLED, pointer, bytes))
#define XM_MODE_ON(name, which) ((void)XM_CALL_(XM_CALL_MODEON, name, which))
#define XM_MODE_OFF(name, which) ((void)XM_CALL_(XM_CALL_MODEOFF, name, which))

#define XM_KIND_BELIEF 18
#define XM_KIND_OWN 19
#define XM_KIND_FORBIDS 20
#define XM_FORBIDS(name, ...) XM_FORBIDS_(name, __COUNTER__, __VA_ARGS__)
#define XM_FORBIDS_(name, n, ...)                                                                                      \
	__extension__ static const void *const XM_JOIN_(xm_forbidden_in_, n)[] = { __VA_ARGS__, 0 };                   \
	XM_RECORD_(XM_KIND_FORBIDS, #name, &(name), 0, XM_JOIN_(xm_forbidden_in_, n))
#define XM_OWN(vcpu, variable) XM_RECORD_(XM_KIND_OWN, #variable, &(variable), vcpu, sizeof(variable))

#define XM_IS_CR0 0
#define XM_IS_CR3 1
#define XM_IS_CR4 2
#define XM_IS_TS 3 /* CR0.TS, 0 or 1 */
#define XM_IS_IF 4 /* EFLAGS.IF, 0 or 1 */
#define XM_IS_IOPL 5 /* 0 to 3 */
#define XM_IS_DR7 6
#define XM_IS_FS 7 /* the selector */
#define XM_IS_GS 8
#define XM_IS_FS_BASE 9 /* of the segment that is loaded, whatever the table holds by now */
#define XM_IS_GS_BASE 10
#define XM_BELIEF(vcpu, word, what) XM_BELIEF_(vcpu, word, __COUNTER__, what, 0, ~0u, 0)
#define XM_BELIEF_IF(vcpu, word, bits, what, value) XM_BELIEF_(vcpu, word, __COUNTER__, what, 1, bits, value)
#define XM_BELIEF_MAY(vcpu, word, bits, what, value) XM_BELIEF_(vcpu, word, __COUNTER__, what, 2, bits, value)
#define XM_BELIEF_(vcpu, word, n, what, how, bits, value)                                                              \
	static const unsigned int XM_JOIN_(xm_belief_of_, n)[] = { what, how, bits, (unsigned int)(value) };           \
	XM_RECORD_(XM_KIND_BELIEF, #word, &(word), (vcpu) | sizeof(word) << 16, XM_JOIN_(xm_belief_of_, n))

#define XM_IS_LDT 11 /* the selector in LDTR */
#define XM_IS_LDT_BASE 12

/*
 * XM_DIRTY_BITS(table)  at file scope: entries whose dirty bits count: what a page walk has set there is not overwritten by a vCPU that has not
 *                       read the entry since (`lost-dirty`), be it by a plain store of what it read before
 */
#define XM_KIND_DIRTY 22
#define XM_DIRTY_BITS(table) XM_RECORD_(XM_KIND_DIRTY, #table, &(table), sizeof(table), 0)

/*
 * A vCPU that has done its part and stays to answer interrupts: for (;;) xm_hlt();  That is idling, no lost wake-up, as the loop leads nowhere
 * else; the program has ended where all others have, or idle too.
 */

#endif /* XMCHECK_H */
