/*
 * A vCPU that was offline comes back (xm_come_online of include/xmmm.h): nobody asked it meanwhile, so whatever it holds may be old. It goes
 * wrong where it trusts that, and where it flushes before others know that it is there to be asked.
 *
 * object:
 * object: -DTRUSTS
 * object: -DTOO_EARLY
 */
#include "xmmm.h"

XM_ONE_PAGE(2)

static void unmapper(void)
{
	xm_xchg(&table[0], 0);
	xm_flush_page(&mm, XM_USER);
	XM_UNMAPPED(XM_USER, 4096);
}
static void user(void)
{
	xm_use_mm(&mm);
	xm_sti();
	xm_try_load(XM_USER, 0);
	xm_leave();
#if defined(TRUSTS) || defined(TOO_EARLY)
#ifdef TOO_EARLY
	xm_use_mm(&mm);
#endif
	xm_lock(&xm_flush_lock);
	xm_gone_vcpus &= ~(1u << xm_vcpu());
	xm_unlock(&xm_flush_lock);
	xm_sti();
#else
	xm_come_online(&mm);
#endif
	xm_try_load(XM_USER, 0);
	xm_leave();
}
XM_VCPU(unmapper);
XM_VCPU(user);
