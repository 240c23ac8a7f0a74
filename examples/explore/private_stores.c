/* M stores of each thread to places of its own, then a load of one that nobody writes: one class, whatever drains when. */
#include "explore.h"

static int p[N][M], x;

static void thread(int me)
{
	for (int k = 0; k < M; k++)
		ST(p[me][k], 1);
	LD(x);
}

XM_VCPUS(thread, N);
