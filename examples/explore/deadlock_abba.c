/* Two spinlocks taken in opposite orders: a deadlock. */
#include "explore.h"

static int l1, l2;

static void first(void)
{
	while (XCHG(l1, 1))
		;
	while (XCHG(l2, 1))
		;
	ST(l2, 0);
	ST(l1, 0);
}
static void second(void)
{
	while (XCHG(l2, 1))
		;
	while (XCHG(l1, 1))
		;
	ST(l1, 0);
	ST(l2, 0);
}

XM_VCPU(first);
XM_VCPU(second);
