/*
 * B04  Interrupts are enabled again while spinning on a ticket lock
 *
 * source: 314cdbefd1fd (its commit message states the consequence), provenance G
 *
 * A byte lock may: nothing is claimed while interrupts are on. Who has drawn a ticket may not.
 *
 * variant byte: -DBYTE
 * variant ticket:
 */
#include "xmlock.h"

#ifdef BYTE
static volatile unsigned char lock;
static void acquire(int enable)
{
	while (xm_xchg8(&lock, 1)) {
		if (enable)
			xm_sti();
		while (lock)
			xm_pause();
		xm_cli();
	}
}
static void release(void) { lock = 0; }
#else
static struct xm_ticket_lock lock;
static void acquire(int enable)
{
	const unsigned char mine = xm_ticket_draw(&lock);
	if (enable)
		xm_sti();
	while (lock.head != mine)
		xm_pause();
	xm_cli();
}
static void release(void) { xm_ticket_unlock(&lock); }
#endif

static void interrupt(struct xm_frame *frame)
{
	(void)frame;
	acquire(0);
	release();
	XM_PROGRESS();
}
XM_IRQ(0, 0x40, interrupt, 1);

static void contender(void)
{
	acquire(1);
	release();
	XM_PROGRESS();
}
static void other(void)
{
	acquire(0);
	release();
	XM_PROGRESS();
}

XM_VCPU(contender);
XM_VCPU(other);
