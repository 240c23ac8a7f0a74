/* Two who back off for each other, in step, for ever: a fair livelock. */
#include "explore.h"

static int flag[2];

static void polite(int me)
{
	for (;;) {
		ST(flag[me], 1);
		xm_mfence();
		if (LD(flag[1 - me]) == 0)
			break;
		ST(flag[me], 0);
	}
	ST(flag[me], 0);
}
static void first(void) { polite(0); }
static void second(void) { polite(1); }

XM_VCPU(first);
XM_VCPU(second);
