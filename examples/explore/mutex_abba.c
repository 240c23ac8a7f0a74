/* Two mutexes that put waiters to sleep, taken in opposite orders: a deadlock in which nobody spins. */
#include "explore.h"

struct mutex {
	int taken;   /* 0 free, 1 taken, 2 taken and somebody may sleep */
	int sleeper; /* vCPU + 1 */
};
static struct mutex a, b;

static void lock(struct mutex *m)
{
	if (CAS(m->taken, 0, 1))
		return;
	ST(m->sleeper, (int)xm_vcpu() + 1);
	while (XCHG(m->taken, 2) != 0)
		XM_BLOCK();
}
static void unlock(struct mutex *m)
{
	if (XCHG(m->taken, 0) == 2)
		XM_KICK(LD(m->sleeper) - 1);
}
static void first(void)
{
	lock(&a);
	lock(&b);
	unlock(&b);
	unlock(&a);
}
static void second(void)
{
	lock(&b);
	lock(&a);
	unlock(&a);
	unlock(&b);
}

XM_VCPU(first);
XM_VCPU(second);
