/* M increments of one counter by each thread, not locked. */
#include "explore.h"

static int x;

static void thread(void)
{
	for (int k = 0; k < M; k++)
		ST(x, LD(x) + 1);
}

XM_VCPUS(thread, N);
