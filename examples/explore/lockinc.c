/* M locked increments of one counter by each thread. */
#include "explore.h"

static int x;

static void thread(void)
{
	for (int k = 0; k < M; k++)
		FADD(x, 1);
}

XM_VCPUS(thread, N);
