/*
 * C01  i386 flush_tlb_others: a request block, a mask of who has to answer, an IPI
 *
 * source: 8c40ad02e5b0^ (arch/i386/kernel/smp.c), cleanup 1bdae4583e7a, provenance G
 *
 * The shooter claims that the page is gone; another vCPU of the address space uses it all the while.
 *
 * variant protocol:
 * variant mutants/answers-before-it-flushes: -DANSWERS_FIRST
 * variant mutants/does-not-flush: -DNO_FLUSH
 * variant mutants/does-not-wait: -DNO_WAIT
 */
#ifdef ANSWERS_FIRST
#define XM_ANSWER(self)                                                                                                \
	do {                                                                                                           \
		xm_clear_mask(&xm_flush_vcpus, 1u << (self));                                                          \
		xm_do_flush(self);                                                                                     \
	} while (0)
#elif defined(NO_FLUSH)
#define XM_ANSWER(self) xm_clear_mask(&xm_flush_vcpus, 1u << (self))
#endif
#include "xmmm.h"

XM_ONE_PAGE(2)

static void shooter(void)
{
	xm_use_mm(&mm);
	xm_store(&table[0], 0);
#ifdef NO_WAIT
	xm_invlpg(XM_USER);
	if (mm.vcpus & 2) {
		xm_flush_mm = &mm;
		xm_flush_linear = XM_USER;
		xm_set_mask(&xm_flush_vcpus, 2);
		XM_IPI(1, XM_SHOOTDOWN_VECTOR);
	}
#else
	xm_flush_page(&mm, XM_USER);
#endif
	XM_UNMAPPED(XM_USER, 4096);
}

static void user(void)
{
	xm_use_mm(&mm);
	xm_sti();
	xm_try_load(XM_USER, 0);
	xm_try_load(XM_USER, 0);
	xm_leave();
}
XM_VCPU(shooter);
XM_VCPU(user);

/*
 * survivor store removed, shooter, `xm_store(&table[0], 0);`: of a page that stays mapped no translation is stale
 * survivor LOCK removed, user, `__asm__ __volatile__("lock orl...`: what it may lose is the bit of the shooter, who asks nobody to ask itself
 */
