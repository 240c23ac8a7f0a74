/*
 * A14  static_key_slow_inc(): the second caller returns before the first has finished patching
 *
 * source: 4c5ea0a9cd02 (fixes 706249c222f6), provenance W
 *
 * When others see the code that was written is not this entry's matter: no synchronisations.
 *
 * variant buggy: -DSTEPS=0 --fetch coherent
 * variant fixed: -DSTEPS=XM_KEY_BUSY --fetch coherent
 */
#include "xmstatic.h"

__attribute__((noinline)) static unsigned int branch(void) { return xm_static_branch(site); }
XM_BRANCH_FORMS(site);
XM_STATIC_KEY(key, XM_BRANCH(site));
XM_BREAKPOINTS(xm_key_bp(frame, &key));

static void user(void)
{
	branch();
	xm_static_key_inc(&key, STEPS);
	XM_ASSERT(branch() == 1);
}

XM_VCPUS(user, 2);

static void counted(void) { XM_ASSERT(xm_load(&key.enabled) == 2); }
XM_FINAL(counted);
