/* Dekker's lock, with its spin loops; without -DFENCE it fails on x86. */
#include "explore.h"

static int fl[2], turn, cnt;

static void thread(int me)
{
	int o = 1 - me;
	for (int k = 0; k < M; k++) {
		ST(fl[me], 1);
		F();
		while (LD(fl[o])) {
			if (LD(turn) != me) {
				ST(fl[me], 0);
				while (LD(turn) != me)
					;
				ST(fl[me], 1);
				F();
			}
		}
		int c = LD(cnt);
		ST(cnt, c + 1);
		ASSERT(LD(cnt) == c + 1);
		ST(turn, o);
		ST(fl[me], 0);
	}
}

XM_VCPUS(thread, 2);
