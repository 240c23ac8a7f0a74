/* Lamport's fast mutex (1987): seven accesses where nobody else comes. Needs fences on a machine with store buffers. */
#include "explore.h"

static int wants[N], x, y = -1, sum;

static void acquire(int me)
{
	for (;;) {
		ST(wants[me], 1);
		ST(x, me);
		F();
		if (LD(y) != -1) {
			ST(wants[me], 0);
			F();
			while (LD(y) != -1)
				xm_pause();
			continue;
		}
		ST(y, me);
		F();
		if (LD(x) == me)
			return;
		ST(wants[me], 0);
		F();
		for (int j = 0; j < N; j++)
			while (LD(wants[j]))
				xm_pause();
		if (LD(y) == me)
			return;
		while (LD(y) != -1)
			xm_pause();
	}
}
static void thread(int me)
{
	for (int k = 0; k < M; k++) {
		acquire(me);
		const int seen = LD(sum);
		ST(sum, seen + 1);
		ST(y, -1);
		F();
		ST(wants[me], 0);
		F();
	}
}

#define THREAD(n) static void thread##n(void) { thread(n); } XM_VCPU(thread##n)
THREAD(0);
THREAD(1);
#if N > 2
THREAD(2);
#endif

static void check(void)
{
	ASSERT(sum == N * M);
}
XM_FINAL(check);
