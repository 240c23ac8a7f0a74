/* Peterson's lock; without -DFENCE it fails on x86. */
#include "explore.h"

static int fl[2], turn, cnt;

static void thread(int me)
{
	int o = 1 - me;
	for (int k = 0; k < M; k++) {
		ST(fl[me], 1);
		ST(turn, o);
		F();
		while (LD(fl[o]) == 1 && LD(turn) == o)
			;
		int c = LD(cnt);
		ST(cnt, c + 1);
		ASSERT(LD(cnt) == c + 1);
		ST(fl[me], 0);
	}
}

XM_VCPUS(thread, 2);
