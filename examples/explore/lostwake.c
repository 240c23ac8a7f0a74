/* A waiter announces itself, looks once more, and sleeps; without -DFENCE the wake-up is lost on x86. */
#include "explore.h"

static int cond, waiting, kick;

static void waiter(void)
{
	ST(waiting, 1);
	F();
	if (LD(cond) == 0)
		while (LD(kick) == 0)
			;
}
static void waker(void)
{
	ST(cond, 1);
	F();
	if (LD(waiting))
		ST(kick, 1);
}

XM_VCPU(waiter);
XM_VCPU(waker);
