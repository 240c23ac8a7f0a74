/* Each waits for a flag that the other sets only after its own wait. */
#include "explore.h"

static int a, b;

static void first(void)
{
	while (!LD(a))
		;
	ST(b, 1);
}
static void second(void)
{
	while (!LD(b))
		;
	ST(a, 1);
}

XM_VCPU(first);
XM_VCPU(second);
