/*
 * Static calls, static keys and operations of pv_ops. Which vCPUs run is said by blocks.test.ts.
 *
 * object: -DCALL
 * object: -DNONE
 * object: -DKEY
 * object: -DKEY -DUSERS
 * object: -DTO=direct
 * object: -DTO=native
 */
#include "xmstatic.h"

#define ALL (XM_SYNC1 | XM_SYNC2 | XM_SYNC3 | XM_KEY_BUSY)
XM_SYNC_GROUP(2)

#if defined(CALL) || defined(NONE)
static volatile unsigned int calls;
static void first(void) { calls++; }
XM_GAP(0x201);
static void second(void) { calls++; }
void call_it(void);
XM_FORM_JMP(jump_first, operation_trampoline, first);
#ifdef CALL
#define FUNCTION second
__asm__(".pushsection .text\n.globl site\ncall_it:\nsite: call operation\n\tret\n.popsection");
XM_FORM_JMP(jump, operation_trampoline, second);
XM_FORM_CALL(before, site, operation);
XM_FORM_CALL(after, site, second);
#else
#define FUNCTION 0
__asm__(".pushsection .text\n.globl site\ncall_it:\nsite: .byte 0xe9\n\t.long operation - . - 4\n.popsection");
XM_FORM_BYTES(jump, XM_STATIC_RET);
XM_FORM_JMP(before, site, operation);
XM_FORM_BYTES(after, XM_STATIC_RET);
#endif
XM_FORMS_INT3(operation_trampoline, 5, jump_first, jump);
XM_FORMS_INT3(site, 5, before, after);
#ifdef CALL
XM_STATIC_CALL(operation, first, XM_STATIC_SITE(site));
#else
XM_STATIC_CALL(operation, first, XM_STATIC_TAIL(site));
#endif
XM_POKE_HANDLER();

static void run(void)
{
	const unsigned int old = calls;
	__asm__ __volatile__("call call_it" : : : "eax", "ecx", "edx", "memory", "cc");
#ifdef CALL
	XM_ASSERT(calls == old + 1);
#else
	XM_ASSERT(calls == old || calls == old + 1);
#endif
}
XM_INLINE_ void patch(unsigned int steps)
{
	xm_static_call_update(operation, FUNCTION, steps);
	XM_ASSERT(operation_key.function == FUNCTION);
	XM_PATCHED(operation_trampoline, jump);
	XM_PATCHED(site, after);
}
#elif defined(KEY)
__attribute__((noinline)) static unsigned int one(void) { return xm_static_branch(branch_one); }
__attribute__((noinline)) static unsigned int two(void) { return xm_static_branch(branch_two); }
XM_BRANCH_FORMS(branch_one);
XM_BRANCH_FORMS(branch_two);
XM_STATIC_KEY(key, XM_BRANCH(branch_one), XM_BRANCH(branch_two));
XM_BREAKPOINTS(xm_key_bp(frame, &key));

static void run(void)
{
	one();
	two();
}
XM_INLINE_ void patch(unsigned int steps)
{
	xm_static_key_inc(&key, steps);
	XM_PATCHED(branch_one, branch_one_jmp);
	XM_PATCHED(branch_two, branch_two_jmp);
}
#ifdef USERS
/* Two of them, who are not interested in when others see the code. */
XM_INLINE_ void use(unsigned int steps)
{
	xm_static_key_inc(&key, steps);
	XM_ASSERT(one() && two());
	xm_static_key_dec(&key, steps);
}
void user(void) { use(XM_KEY_BUSY); }
void careless_user(void) { use(0); }
static void check(void) { XM_ASSERT(xm_load(&key.enabled) || (!one() && !two())); }
XM_FINAL(check);
XM_VCPUS(user, 2);
#endif
#else
static volatile unsigned int done;
static void operation(void) { done++; }
void (*volatile table)(void) = operation;
__attribute__((noinline)) static void call_it(void) { XM_PV_CALL(site, table); }
XM_FORM_PV(indirect, table);
XM_FORM_PV_DIRECT(direct, site, operation);
XM_FORM_BYTES(native, "0xff, 0x05\n\t.long done"); /* incl done */
XM_FORMS_INT3(site, 6, indirect, TO);
XM_POKE_HANDLER();

static void run(void)
{
	const unsigned int before = done;
	call_it();
	XM_ASSERT(done == before + 1);
}
XM_INLINE_ void patch(unsigned int steps)
{
	xm_text_poke_emulating(site, TO, 6, steps, indirect);
	XM_PATCHED(site, TO);
}
#endif

#ifndef USERS
/* Another vCPU runs the code, once. */
void apart(void) { patch(ALL); }
void without_first(void) { patch(ALL & ~XM_SYNC1); }
void without_second(void) { patch(ALL & ~XM_SYNC2); }
void without_third(void) { patch(ALL & ~XM_SYNC3); }
void caller(void)
{
	xm_sti();
	run();
	xm_offline();
}

/* An interrupt of the vCPU that patches does. */
static void interrupt(struct xm_frame *frame)
{
	(void)frame;
	run();
}
XM_IRQ(0, 0x40, interrupt, 1);
void same(void)
{
	xm_absent(1);
	xm_sti();
	patch(ALL);
	xm_cli();
}
XM_VCPU(same);
#endif
