/* A ticket lock, taken M times by each thread. */
#include "explore.h"

static int next, serving, cnt;

static void thread(void)
{
	for (int k = 0; k < M; k++) {
		int my = FADD(next, 1);
		while (LD(serving) != my)
			;
		int c = LD(cnt);
		ST(cnt, c + 1);
		ASSERT(LD(cnt) == c + 1);
		ST(serving, my + 1);
	}
}

XM_VCPUS(thread, N);
