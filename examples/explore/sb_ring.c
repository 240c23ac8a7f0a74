/* Store buffering round a ring of N threads. */
#include "explore.h"

static int x[N];

static void thread(int me)
{
	ST(x[me], 1);
	F();
	LD(x[(me + 1) % N]);
}

XM_VCPUS(thread, N);
