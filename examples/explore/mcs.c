/* An MCS lock; threads are numbered from 1, 0 is nobody. */
#include "explore.h"

static int tail, cnt, nxt[N + 1], locked[N + 1];

static void thread(int vcpu)
{
	int me = vcpu + 1;
	for (int k = 0; k < M; k++) {
		ST(nxt[me], 0);
		ST(locked[me], 1);
		int p = XCHG(tail, me);
		if (p) {
			ST(nxt[p], me);
			while (LD(locked[me]))
				;
		}
		int c = LD(cnt);
		ST(cnt, c + 1);
		ASSERT(LD(cnt) == c + 1);
		int n = LD(nxt[me]);
		if (n == 0) {
			if (CAS(tail, me, 0))
				continue;
			while ((n = LD(nxt[me])) == 0)
				;
		}
		ST(locked[n], 0);
	}
}

XM_VCPUS(thread, N);
