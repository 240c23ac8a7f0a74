/*
 * A ticket lock, three vCPUs, two rounds each. The monitor sees to mutual exclusion, the final check to lost
 * updates. Build with -DBROKEN to take the LOCK prefix away and see what happens.
 *
 *     xmcheck check examples/ticket.o
 *     xmcheck check examples/ticket-broken.o
 */
#include "xmcheck.h"

#define VCPUS 3
#define ROUNDS 2

struct ticket_lock {
	unsigned short owner, next;
};

static struct ticket_lock lock;
static unsigned int counter;

static void ticket_lock(struct ticket_lock *l)
{
	unsigned short ticket = 1;
#ifdef BROKEN
	__asm__ __volatile__("xaddw %0, %1" : "+r"(ticket), "+m"(l->next) : : "memory", "cc");
#else
	__asm__ __volatile__("lock xaddw %0, %1" : "+r"(ticket), "+m"(l->next) : : "memory", "cc");
#endif
	while (xm_load(&l->owner) != ticket)
		xm_pause();
	XM_ENTER(&lock);
}

static void ticket_unlock(struct ticket_lock *l)
{
	XM_LEAVE(&lock);
	/* Only the owner writes `owner`, and x86 stores stay in order: a plain increment releases. */
	xm_barrier();
	xm_store(&l->owner, l->owner + 1);
}

static void worker(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		ticket_lock(&lock);
		counter++;
		ticket_unlock(&lock);
		XM_PROGRESS();
	}
}

static void check(void) { XM_ASSERT(counter == VCPUS * ROUNDS); }

XM_VCPUS(worker, VCPUS);
XM_FINAL(check);
XM_OBJECT(lock);
XM_OBJECT(counter);
