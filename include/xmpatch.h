/*
 * xmpatch.h - building blocks of live code patching, for programs that xmcheck explores.
 *
 * Every step is guest code: what is here is compiled into your object, runs on the vCPUs and is interleaved like the
 * rest of your program.
 *
 *  XM_NOP_SITE(site, name)         in code: a call site that holds a NOP of the table below, label `site`
 *  XM_FORM_CALL(form, site, fn)    at file scope: 5 bytes `call fn` as they stand at `site`
 *  XM_FORM_JMP(form, site, label)  `jmp label`, 5 bytes
 *  XM_FORM_NOP(form, name)         a NOP of the table
 *  XM_SYNC_GROUP(n)                at file scope: vCPUs 0 .. n-1 take part in xm_sync_others()
 *  XM_POKE_HANDLER()               at file scope: the #BP handler of xm_text_poke()
 *
 *  xm_copy(site, bytes, n)         byte by byte
 *  xm_sync_core()                  serialises the calling vCPU
 *  xm_sync_others()                IPI to every other online vCPU, waits until each has serialised
 *  xm_sync_all()                   the caller serialises too
 *  xm_offline()                    the calling vCPU takes no more part; call it last, with interrupts off
 *  xm_absent(vcpu)                 in XM_INIT: that vCPU does not take part yet
 *  xm_online()                     it does from here on, and runs what was patched meanwhile; then it may turn interrupts on
 *  xm_text_poke(site, bytes, n, steps)  Linux' text_poke_bp: an INT3 over the first byte, the others, the first;
 *                                  `steps` names the synchronisations that are made: XM_SYNC1 | XM_SYNC2 | XM_SYNC3; `bytes`: what xm_emulate() takes
 *  xm_text_poke_emulating(site, bytes, n, steps, emulate)  the same; who hits the INT3 does `emulate`: the form before, where
 *                                  the one after cannot be emulated
 *  xm_text_poke_write(site, bytes, n, steps)  the steps alone, for #BP handlers of one's own
 *
 * A site and the functions that it may lead to stand in one section (.text), or their distance is not known to the
 * assembler; functions that only forms name are __attribute__((used)), or the compiler drops them.
 *
 * Sources: Intel SDM vol. 3A 9.1.3 (cross-modifying code); Linux arch/x86/kernel/alternative.c, commit fd4363fff3d9.
 */
#ifndef XMPATCH_H
#define XMPATCH_H

#include "xmcheck.h"

/* ---- NOPs of the i386 by name: bytes ---- */

#define XM_P6_NOP5 "0x0f, 0x1f, 0x44, 0x00, 0x00"
#define XM_P6_NOP6 "0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00"
/* Two instructions each. */
#define XM_GENERIC_NOP5 "0x90, 0x8d, 0x74, 0x26, 0x00"
#define XM_K8_NOP5 "0x66, 0x66, 0x90, 0x66, 0x90"
/* jmp over the rest. */
#define XM_JMP_NOP5 "0xeb, 0x03, 0x90, 0x90, 0x90"
/* 32-bit: data16 xchg. One instruction. */
#define XM_DATA16_NOP5 "0x66, 0x66, 0x66, 0x66, 0x90"

/* ---- Sites and what may stand there ---- */

#define XM_BYTES_SITE(site, bytes) __asm__ __volatile__(".globl " #site "\n" #site ":\n\t.byte " bytes : : : "eax", "ecx", "edx", "memory", "cc")
#define XM_NOP_SITE(site, name) XM_BYTES_SITE(site, name)

/* At file scope, between functions: keeps them so many bytes apart, so that displacements differ in more than one byte. */
#define XM_GAP(bytes) __asm__(".pushsection .text\n\t.skip " #bytes ", 0x90\n.popsection")

#define XM_FORM(form, text)                                                                                            \
	extern const unsigned char form[];                                                                             \
	__asm__(".pushsection .rodata\n" #form ":\n\t" text "\n\t.type " #form ", @object\n\t.size " #form ", . - " #form \
		"\n.popsection")
#define XM_FORM_BYTES(form, bytes) XM_FORM(form, ".byte " bytes)
#define XM_FORM_NOP(form, name) XM_FORM_BYTES(form, name)
#define XM_FORM_CALL(form, site, fn) XM_FORM(form, ".byte 0xe8\n\t.long " #fn " - " #site " - 5")
#define XM_FORM_JMP(form, site, label) XM_FORM(form, ".byte 0xe9\n\t.long " #label " - " #site " - 5")

/* ---- Writing ---- */

/* One store a byte, in ascending order: the weakest that a plain copy promises. */
XM_INLINE_ void xm_copy(volatile void *to, const void *from, unsigned int bytes)
{
	for (unsigned int k = 0; k < bytes; k++)
		((volatile unsigned char *)to)[k] = ((const unsigned char *)from)[k];
}

/* ---- Core synchronisation ---- */

/* An IRET to the next instruction: serialises on every class (CPUID is not there on the 386). */
XM_INLINE_ void xm_sync_core(void)
{
	__asm__ __volatile__("pushfl\n\tpushl %%cs\n\tpushl $1f\n\tiret\n1:" : : : "memory", "cc");
}

#define XM_SYNC_VECTOR 0xf0
#define XM_SYNC_VCPUS_MAX 8

static volatile unsigned char xm_acknowledged[XM_SYNC_VCPUS_MAX] __attribute__((unused));
static volatile unsigned char xm_gone[XM_SYNC_VCPUS_MAX] __attribute__((unused));
XM_FIXED_ unsigned int xm_sync_vcpus_; /* 0 without XM_SYNC_GROUP: nobody else is there */

/*
 * It serialises before it answers: an NMI between the answer and the IRET at its end runs code already, while the patcher goes on.
 */
#define XM_SYNC_HANDLER_                                                                                               \
	XM_STATIC_ void xm_sync_handler(struct xm_frame *frame)                                                        \
	{                                                                                                              \
		(void)frame;                                                                                           \
		xm_sync_core();                                                                                        \
		xm_acknowledged[xm_vcpu()] = 1;                                                                        \
	}
#define XM_SYNC_GROUP(n)                                                                                               \
	XM_FIXED_ unsigned int xm_sync_vcpus_ = (n); XM_SYNC_HANDLER_ XM_HANDLER(XM_SYNC_VECTOR, xm_sync_handler);

/*
 * What was written is in memory before it is looked who takes part: who comes online later has serialised after that
 * (xm_online). Who comes online in between was not asked, and is not waited for.
 */
__attribute__((unused, noinline)) XM_STATIC_ void xm_sync_others(void)
{
	const unsigned int self = xm_vcpu();
	unsigned int asked = 0;
	xm_lock_fence();
	for (unsigned int v = 0; v < xm_sync_vcpus_; v++)
		if (v != self && !xm_gone[v]) {
			asked |= 1u << v;
			xm_acknowledged[v] = 0;
			XM_IPI(v, XM_SYNC_VECTOR);
		}
	for (unsigned int v = 0; v < xm_sync_vcpus_; v++)
		while ((asked >> v & 1) && !xm_gone[v] && !xm_acknowledged[v])
			xm_pause();
}
/* The caller too: a part need not see its own stores to code before (knob ownStores). */
XM_INLINE_ void xm_sync_all(void)
{
	xm_sync_others();
	xm_sync_core();
}

XM_INLINE_ void xm_offline(void)
{
	xm_cli();
	xm_gone[xm_vcpu()] = 1;
}
XM_INLINE_ void xm_absent(unsigned int vcpu) { xm_gone[vcpu] = 1; }
/* The store is in memory before what was fetched ahead is forgotten: an IRET waits for it. */
XM_INLINE_ void xm_online(void)
{
	xm_gone[xm_vcpu()] = 0;
	xm_sync_core();
}

/* ---- text_poke ---- */

#define XM_INT3 0xcc
#define XM_SYNC1 1u /* after the INT3 is there */
#define XM_SYNC2 2u /* after the other bytes are */
#define XM_SYNC3 4u /* after the first byte is */

/* What is being poked, and what who hits the INT3 meanwhile does instead: read by the handler. 0: nothing. */
static unsigned char *volatile xm_poked_site __attribute__((unused));
static const unsigned char *volatile xm_poked_bytes __attribute__((unused));

/* The three steps; what the #BP handler needs to know of them is the caller's business. The second and third alone: the INT3 is there. */
XM_INLINE_ void xm_text_poke_tail(const volatile void *site, const unsigned char *bytes, unsigned int n, unsigned int steps)
{
	unsigned char *const to = (unsigned char *)(unsigned int)site;
	xm_copy(to + 1, bytes + 1, n - 1);
	if (steps & XM_SYNC2)
		xm_sync_all();
	xm_store(to, bytes[0]);
	if (steps & XM_SYNC3)
		xm_sync_all();
}
XM_INLINE_ void xm_text_poke_write(const volatile void *site, const unsigned char *bytes, unsigned int n, unsigned int steps)
{
	xm_store((unsigned char *)(unsigned int)site, XM_INT3);
	if (steps & XM_SYNC1)
		xm_sync_all();
	xm_text_poke_tail(site, bytes, n, steps);
}
XM_INLINE_ void xm_text_poke_emulating(const volatile void *site, const unsigned char *bytes, unsigned int n, unsigned int steps,
				       const unsigned char *emulate)
{
	xm_poked_bytes = emulate;
	xm_poked_site = (unsigned char *)(unsigned int)site;
	xm_text_poke_write(site, bytes, n, steps);
	xm_poked_site = 0;
}
XM_INLINE_ void xm_text_poke(const volatile void *site, const unsigned char *bytes, unsigned int n, unsigned int steps)
{
	xm_text_poke_emulating(site, bytes, n, steps, bytes);
}

/*
 * #BP within ring 0 leaves no SS:ESP, and a call or RET that is emulated moves the interrupted stack by a word: the entry keeps
 * room for the frame to move down by one, and goes on with the frame that `iret` leads to.
 */
struct xm_int3_frame {
	unsigned int edi, esi, ebp, esp_of_frame, ebx, edx, ecx, eax;
	unsigned int *iret;
	unsigned int room;
	unsigned int eip, cs, eflags;
	unsigned int stack[]; /* as it was interrupted */
};
#define XM_INT3_ENTRY(entry, handler)                                                                                  \
	void entry(void);                                                                                              \
	__asm__(".pushsection .text\n" #entry ":\n\tpushl $0\n\tpushl %esp\n\taddl $4, (%esp)\n\tpushal\n\tpushl %esp\n\tcall " #handler \
		"\n\taddl $4, %esp\n\tpopal\n\tpopl %esp\n\tiret\n.popsection");                                       \
	XM_HANDLER_RAW(3, entry)

/* The interrupted code goes on as if it had called `target` with return address `next`. */
XM_INLINE_ void xm_emulate_call(struct xm_int3_frame *frame, unsigned int target, unsigned int next)
{
	frame->iret = &frame->room;
	frame->room = target;
	frame->eip = frame->cs;
	frame->cs = frame->eflags;
	frame->eflags = next;
}
XM_INLINE_ void xm_emulate_ret(struct xm_int3_frame *frame)
{
	const unsigned int target = frame->stack[0];
	frame->iret = &frame->cs;
	frame->stack[0] = frame->eflags;
	frame->eflags = frame->cs;
	frame->cs = target;
}

/* Carries out the instruction at `bytes`, meant for `site`: call, indirect call, jmp, RET, or a NOP of 5 bytes; what else is written needs a #BP handler of its own. */
XM_INLINE_ void xm_emulate(struct xm_int3_frame *frame, unsigned int site, const unsigned char *bytes)
{
	const unsigned int next = site + 5;
	if (bytes[0] == 0xe8)
		xm_emulate_call(frame, next + *(const unsigned int *)(bytes + 1), next);
	else if (bytes[0] == 0xff)
		xm_emulate_call(frame, **(unsigned int *const volatile *)(bytes + 2), site + 6);
	else if (bytes[0] == 0xe9)
		frame->eip = next + *(const unsigned int *)(bytes + 1);
	else if (bytes[0] == 0xc3)
		xm_emulate_ret(frame);
	else
		frame->eip = next;
}

/* Whether the breakpoint is that of xm_text_poke(); if so, it was carried out. */
XM_INLINE_ int xm_poke_bp(struct xm_int3_frame *frame)
{
	const unsigned int site = frame->eip - 1;
	if (site != (unsigned int)xm_poked_site)
		return 0;
	xm_emulate(frame, site, xm_poked_bytes);
	return 1;
}

#define XM_BREAKPOINTS(known)                                                                                          \
	__attribute__((used)) static void xm_breakpoint_(struct xm_int3_frame *frame)                                  \
	{                                                                                                              \
		const int xm_known_ = (known);                                                                         \
		XM_ASSERT(xm_known_ && "a breakpoint that somebody planted");                                          \
	}                                                                                                              \
	XM_INT3_ENTRY(xm_int3_entry, xm_breakpoint_)
#define XM_POKE_HANDLER() XM_BREAKPOINTS(xm_poke_bp(frame))

/*
 * ---- More ways to write ----
 *
 *  XM_P6_NOP1 .. 8, XM_K8_NOP1 .. 8, XM_GENERIC_NOP1 .. 8   bytes; K8 from 5 and generic 5 and 8 are two instructions
 *  XM_SITE_TABLE(table, entries...)  at file scope: XM_ENTRY(site, before, after, bytes) each, as .parainstructions,
 *                                  __mcount_loc or a jump table list them; ends with a 0
 *  xm_relink(site, call)           the displacement of the call or jump at `call`, by one store
 *  xm_set_prefix(site, byte)       a LOCK prefix comes (0xf0) or goes (0x3e)
 *  xm_poke_guarded(site, bytes, n) a jump to itself over the first 4 bytes, the others, the first 4
 *  XM_LAZY_STUB(stub, slot)        at file scope: a call site that calls `stub` is linked to what `slot` holds, by itself
 *  XM_BATCH_HANDLER(table)         at file scope: the #BP handler of xm_poke_batch()
 *  XM_BREAKPOINTS(known)           at file scope: a #BP handler of several parts, which get `frame`:
 *                                  xm_poke_bp(frame) || xm_batch_bp(frame, table) || xm_probe_bp(frame, &probe) ...
 *  xm_poke_batch(table, steps)     text_poke for all sites of a table together; `steps` as for xm_text_poke()
 *  xm_poke_batch_back(table, steps)  the same from `after` to `before`
 *  xm_stop_machine(n)              waits until vCPUs 1 .. n-1 are in xm_stopped(); xm_resume() lets them go on
 *  xm_stopped(sync)                with interrupts off; `sync`: who goes on has serialised
 */
#define XM_P6_NOP1 "0x90"
#define XM_P6_NOP2 "0x66, 0x90"
#define XM_P6_NOP3 "0x0f, 0x1f, 0x00"
#define XM_P6_NOP4 "0x0f, 0x1f, 0x40, 0x00"
#define XM_P6_NOP7 "0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00"
#define XM_P6_NOP8 "0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00"
#define XM_K8_NOP1 "0x90"
#define XM_K8_NOP2 "0x66, 0x90"
#define XM_K8_NOP3 "0x66, 0x66, 0x90"
#define XM_K8_NOP4 "0x66, 0x66, 0x66, 0x90"
#define XM_K8_NOP6 "0x66, 0x66, 0x90, 0x66, 0x66, 0x90"
#define XM_K8_NOP7 "0x66, 0x66, 0x66, 0x90, 0x66, 0x66, 0x90"
#define XM_K8_NOP8 "0x66, 0x66, 0x66, 0x90, 0x66, 0x66, 0x66, 0x90"
#define XM_GENERIC_NOP1 "0x90"
#define XM_GENERIC_NOP2 "0x89, 0xf6"
#define XM_GENERIC_NOP3 "0x8d, 0x76, 0x00"
#define XM_GENERIC_NOP4 "0x8d, 0x74, 0x26, 0x00"
#define XM_GENERIC_NOP6 "0x8d, 0xb6, 0x00, 0x00, 0x00, 0x00"
#define XM_GENERIC_NOP7 "0x8d, 0xb4, 0x26, 0x00, 0x00, 0x00, 0x00"
#define XM_GENERIC_NOP8 "0x90, 0x8d, 0xb4, 0x26, 0x00, 0x00, 0x00, 0x00"

struct xm_site {
	unsigned char *at;
	const unsigned char *before, *after;
	unsigned int bytes;
};
#define XM_ENTRY(site, before, after, bytes) { (unsigned char *)(site), (before), (after), (bytes) }
#define XM_SITE_TABLE(table, ...) static const struct xm_site table[] = { __VA_ARGS__, { 0, 0, 0, 0 } }

XM_INLINE_ void xm_relink(const volatile void *site, const unsigned char *call)
{
	xm_store((unsigned int *)((unsigned int)site + 1), *(const unsigned int *)(call + 1));
}
XM_INLINE_ void xm_set_prefix(const volatile void *site, unsigned char byte) { xm_store((unsigned char *)site, byte); }

XM_INLINE_ void xm_poke_guarded(const volatile void *site, const unsigned char *bytes, unsigned int n)
{
	xm_store((unsigned int *)site, 0xfeebfeebu);
	xm_copy((unsigned char *)(unsigned int)site + 4, bytes + 4, n - 4);
	xm_store((unsigned int *)site, *(const unsigned int *)bytes);
}

#define XM_LAZY_STUB(stub, slot)                                                                                       \
	void stub(void);                                                                                               \
	__asm__(".pushsection .text\n.globl " #stub "\n" #stub ": movl (%esp), %edx\n\tmovl " #slot ", %eax\n\tmovl %eax, %ecx\n\t" \
		"subl %edx, %ecx\n\tmovl %ecx, -4(%edx)\n\tjmp *%eax\n.popsection")

/* Whether the breakpoint is at a site of `table`: it was carried out as what the site becomes. */
static volatile unsigned int xm_batch_back __attribute__((unused));
XM_INLINE_ int xm_batch_bp(struct xm_int3_frame *frame, const struct xm_site *table)
{
	const unsigned int site = frame->eip - 1;
	for (const struct xm_site *one = table; one->at; one++)
		if ((unsigned int)one->at == site) {
			xm_emulate(frame, site, xm_batch_back ? one->before : one->after);
			return 1;
		}
	return 0;
}
#define XM_BATCH_HANDLER(table) XM_BREAKPOINTS(xm_batch_bp(frame, table))

/* To `after`, or back to `before`. */
XM_INLINE_ void xm_poke_batch_to(const struct xm_site *table, unsigned int steps, int back)
{
	const struct xm_site *one;
	xm_batch_back = (unsigned int)back;
	for (one = table; one->at; one++)
		xm_store(one->at, XM_INT3);
	if (steps & XM_SYNC1)
		xm_sync_all();
	for (one = table; one->at; one++)
		xm_copy(one->at + 1, (back ? one->before : one->after) + 1, one->bytes - 1);
	if (steps & XM_SYNC2)
		xm_sync_all();
	for (one = table; one->at; one++)
		xm_store(one->at, (back ? one->before : one->after)[0]);
	if (steps & XM_SYNC3)
		xm_sync_all();
}
XM_INLINE_ void xm_poke_batch(const struct xm_site *table, unsigned int steps) { xm_poke_batch_to(table, steps, 0); }
XM_INLINE_ void xm_poke_batch_back(const struct xm_site *table, unsigned int steps) { xm_poke_batch_to(table, steps, 1); }

static volatile unsigned char xm_has_stopped[XM_SYNC_VCPUS_MAX] __attribute__((unused));
static volatile unsigned char xm_resumed __attribute__((unused));
XM_INLINE_ void xm_stop_machine(unsigned int n)
{
	for (unsigned int v = 1; v < n; v++)
		while (!xm_has_stopped[v])
			xm_pause();
}
XM_INLINE_ void xm_resume(void) { xm_resumed = 1; }
XM_INLINE_ void xm_stopped(int sync)
{
	xm_cli();
	xm_has_stopped[xm_vcpu()] = 1;
	while (!xm_resumed)
		xm_pause();
	if (sync)
		xm_sync_core();
}

#endif /* XMPATCH_H */
