/* Two threads add each other's variable to their own, N times each. */
#include "explore.h"

static int i = 1, j = 1;

static void first(void)
{
	for (int k = 0; k < N; k++)
		ST(i, LD(i) + LD(j));
}
static void second(void)
{
	for (int k = 0; k < N; k++)
		ST(j, LD(j) + LD(i));
}

XM_VCPU(first);
XM_VCPU(second);
