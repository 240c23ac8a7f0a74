/* A test-and-set lock: XCHG until it was free. */
#include "explore.h"

static int l, cnt;

static void thread(void)
{
	for (int k = 0; k < M; k++) {
		while (XCHG(l, 1) != 0)
			;
		int c = LD(cnt);
		ST(cnt, c + 1);
		ASSERT(LD(cnt) == c + 1);
		ST(l, 0);
	}
}

XM_VCPUS(thread, N);
