/*
 * A41  The synchronising IPI deadlocks: its sender holds a lock that somebody waits for with interrupts off
 *
 * source: cf. a38a44c1a930 (rules of smp_call_function), provenance G
 *
 * variant mutant:
 * variant fixed: -DFIXED
 */
#include "xmpatch.h"

static volatile unsigned int text_mutex;
XM_SYNC_GROUP(2)

static void lock(void)
{
	while (xm_xchg(&text_mutex, 1))
		xm_pause();
	XM_PROGRESS();
}
static void unlock(void) { text_mutex = 0; }

static void patcher(void)
{
	lock();
	xm_sync_others();
	unlock();
}

static void other(void)
{
	xm_sti();
	xm_pause();
#ifndef FIXED
	xm_cli();
#endif
	lock();
	unlock();
	xm_offline();
}

XM_VCPU(patcher);
XM_VCPU(other);

/*
 * survivor call removed, patcher, `xm_sync_others();`: what it synchronises is not this entry's matter, only that nobody waits for ever
 */
