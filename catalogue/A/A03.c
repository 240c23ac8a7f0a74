/*
 * A03  Message passing through code: the flag says "patched", the executor runs the old bytes
 *
 * source: Intel SDM vol. 3A 9.1.3, cross-modifying code, provenance W
 *
 * variant with-sync:
 * variant without: -DNO_SYNC
 * variant mfence-instead: -DNO_SYNC -DMFENCE
 */
#include "xmpatch.h"

static volatile unsigned int flag;

static void new_function(void) { xm_barrier(); }
static void old_function(void) { XM_FAIL(); } /* reached by an executor that was told that the code is new */
__attribute__((noinline)) static void call_it(void) { XM_CALL_SITE(site, old_function); }
XM_FORM_CALL(call_new, site, new_function);
#ifdef NO_SYNC
XM_SITE(site, 5, old_function, new_function);
#else
XM_SITE(site, 5, new_function);
#endif

static void patcher(void)
{
	xm_copy((void *)site, call_new, 5);
	flag = 1;
}

static void executor(void)
{
	while (!flag)
		xm_pause();
#ifndef NO_SYNC
	xm_sync_core();
#endif
#ifdef MFENCE
	xm_lock_fence();
#endif
	call_it();
}

XM_VCPU(patcher);
XM_VCPU(executor);
