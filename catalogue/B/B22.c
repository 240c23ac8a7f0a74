/*
 * B22  The release is the last access: done flags, and implementations that touch the lock behind it
 *
 * source: general rule; CVE-style reports of completions on the stack; provenance G
 *
 * variant bad/debug-owner: -DDEBUG_OWNER
 * variant bad/statistics: -DSTATISTICS
 * variant good:
 */
#include "xmlock.h"

static struct object {
	struct xm_ticket_lock lock;
	volatile unsigned int owner, done, releases;
} object;

static void release(struct object *o)
{
#ifndef DEBUG_OWNER
	o->owner = 0;
#endif
#ifndef STATISTICS
	o->releases++;
#endif
	xm_ticket_unlock(&o->lock);
#ifdef DEBUG_OWNER
	o->owner = 0;
#endif
#ifdef STATISTICS
	o->releases++;
#endif
}

static void signaller(void)
{
	xm_ticket_lock(&object.lock);
	object.done = 1;
	release(&object);
}

static void owner(void)
{
	for (;;) {
		xm_ticket_lock(&object.lock);
		if (object.done)
			break;
		xm_ticket_unlock(&object.lock);
	}
	XM_ASSERT(object.done);
	xm_ticket_unlock(&object.lock);
	XM_FREE(&object, sizeof object);
}

XM_VCPU(signaller);
XM_VCPU(owner);

/*
 * survivor store removed, signaller, `o->releases++;`: statistics, which only the next release reads
 * survivor store removed, owner, `__asm__ __volatile__("incb...`: the lock is gone with its object, nobody takes it again
 */
