/*
 * A38  The return to user mode is not always core-serialising (SYSEXIT): JIT code and migration
 *
 * source: ac1ab12a3e6e (sync_core_before_usermode), provenance H
 *
 * The thread was in the kernel while the JIT rewrote the code, so membarrier() had nobody to interrupt: the kernel owes it a
 * serialisation on the way out, and IRET would be one.
 *
 * variant sysexit-only:
 * variant with-sync: -DSYNC
 */
#include "xmpatch.h"

#define IA32_SYSENTER_CS 0x174

static volatile unsigned int published;

static void old_code(void) { XM_FAIL(); }
XM_GAP(0x201);
static void new_code(void) { xm_barrier(); }
__attribute__((noinline)) static void jit_code(void) { XM_CALL_SITE(site, old_code); }
XM_FORM_CALL(call_new, site, new_code);
#ifdef SYNC
XM_SITE(site, 5, new_code);
#else
XM_SITE(site, 5, old_code, new_code);
#endif

static void jit(void)
{
	xm_copy((void *)site, call_new, 5);
	published = 1; /* after membarrier() */
}

static void thread(void)
{
	/* In the kernel: SYSEXIT goes to CPL 3, flat, with ESP from ECX and EIP from EDX. */
	__asm__ __volatile__("wrmsr" : : "a"(8), "d"(0), "c"(IA32_SYSENTER_CS));
	while (!published)
		xm_pause();
#ifdef SYNC
	xm_sync_core();
#endif
	__asm__ __volatile__("movl %%esp, %%ecx\n\tmovl $1f, %%edx\n\tsysexit\n1:" : : : "ecx", "edx", "memory");
	jit_code();
}

XM_VCPU(jit);
XM_VCPU(thread);
