/*
 * A14  static_key_slow_inc(): the second caller returns before the first has finished patching
 *
 * source: 4c5ea0a9cd02 (fixes 706249c222f6), provenance W
 *
 * The code itself changes by one aligned store; when others see it is not this entry's matter.
 *
 * variant buggy: --fetch coherent
 * variant fixed: -DFIXED --fetch coherent
 */
#include "xmpatch.h"

/* 1 where the static branch is enabled: the jump over the branch becomes a NOP. */
unsigned int branch(void);
__asm__(".text\n.balign 4\nbranch: xorl %eax, %eax\n"
	".globl site\nsite: jmp 1f\n\tmovl $1, %eax\n1:\tret\n");
XM_FORM_BYTES(disabled, "0xeb, 0x05");
XM_FORM_BYTES(enabled, "0x66, 0x90");
XM_FORMS(site, 2, disabled, enabled);

static volatile int key;
static volatile unsigned int mutex;

static void patch(void)
{
	xm_store((unsigned short *)site, *(const unsigned short *)enabled);
}

static int increment_if_positive(void)
{
	int seen = key;
	while (seen > 0) {
		const int found = (int)xm_cmpxchg(&key, (unsigned int)seen, (unsigned int)seen + 1);
		if (found == seen)
			return 1;
		seen = found;
	}
	return 0;
}

static void static_key_slow_inc(void)
{
	if (increment_if_positive())
		return;
	while (xm_xchg(&mutex, 1))
		xm_pause();
#ifdef FIXED
	if (key == 0) {
		key = -1; /* the fast path wants more than that */
		patch();
		xm_lock_fence();
		key = 1;
	} else
		xm_lock_inc(&key);
#else
	if ((int)xm_xadd(&key, 1) == 0)
		patch();
#endif
	xm_store(&mutex, 0);
}

static void user(void)
{
	branch();
	static_key_slow_inc();
	XM_ASSERT(branch() == 1);
}

XM_VCPUS(user, 2);
