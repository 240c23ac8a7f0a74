/*
 * What a lock has to hold, and how to check one of yours: CPUS vCPUs take it SECTIONS times each. With MARKED the lock says what it
 * does (XM_LOCK_MARKS), so that the order of entering and the last access are checked too; with IRQ an interrupt on vCPU 0 takes it as
 * well, wherever interrupts are on.
 *
 *     gcc -m32 -ffreestanding -fno-pic -O2 -I include -DXM_LOCK_TICKET -DMARKED -c examples/locks/check.c
 *     xmcheck check check.o
 *
 * objects: TICKET TICKET16 DEC BYTE MCS WRITE XEN PV_TICKET KVM_TICKET QUEUED PV_QUEUED
 * object:
 * object: -DMARKED
 * object: -DMARKED -DSECTIONS=2
 * object: -DIRQ
 * object: -DCPUS=3
 * object: -DCPUS=3 -DMARKED
 * object: -DCPUS=4
 */
#ifndef CPUS
#define CPUS 2
#endif
#ifndef SECTIONS
#define SECTIONS 1
#endif
#ifdef MARKED
#define XM_LOCK_MARKS
#endif
#define XM_LOCK_VCPUS CPUS
#define XM_SPINS 1
#include "xmanylock.h"

XM_ANY_LOCK(lock);
static volatile unsigned int data __attribute__((aligned(64))), interrupts;

static void section(void)
{
#ifndef MARKED
	XM_ENTER(&lock);
#endif
	data++;
#ifndef MARKED
	XM_LEAVE(&lock);
#endif
}

static void cpu(int self)
{
	(void)self;
	for (int n = 0; n < SECTIONS; n++) {
#ifdef IRQ
		const unsigned int flags = xm_irq_save();
#endif
		XM_TAKE(lock, self);
		section();
		XM_GIVE(lock, self);
#ifdef IRQ
		xm_irq_restore(flags);
#endif
	}
}

#ifdef IRQ
static void interrupt(struct xm_frame *frame)
{
	(void)frame;
	interrupts++;
	XM_TAKE_2(lock, 0);
	section();
	XM_GIVE_2(lock, 0);
}
XM_IRQ(0, 0x40, interrupt, 1);
static void first(int self)
{
	xm_sti();
	cpu(self);
	xm_cli();
}
XM_VCPU(first);
XM_VCPUS(cpu, CPUS - 1);
#else
XM_VCPUS(cpu, CPUS);
#endif

static void all_counted(void) { XM_ASSERT(data == CPUS * SECTIONS + interrupts); }
XM_FINAL(all_counted);
XM_OBJECT(lock);

/*
 * survivor branch always taken, cpu, `if (flags & 0x200)`: interrupts stay off, and nothing waits for one
 * survivor store removed, cpu, `self->lock = interrupted;`: what is left of a wait brings at worst a kick that nobody needs
 * survivor store removed, cpu, `self->lock = 0;`: what is left of a wait brings at worst a kick that nobody needs
 * survivor LOCK removed, cpu, `__asm__ __volatile__("lock incw...`: of two vCPUs one spins at a time
 * survivor branch never taken, cpu, `if (xm_pv_ticket_is_(lock, mine)) {`: the loop around it looks again
 */
