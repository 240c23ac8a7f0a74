/* Lamport's bakery (1974): a ticket without atomic instructions. Needs fences on a machine with store buffers. */
#include "explore.h"

static int choosing[N], number[N], sum;

static void thread(int me)
{
	for (int k = 0; k < M; k++) {
		int mine = 0;
		ST(choosing[me], 1);
		F();
		for (int j = 0; j < N; j++) {
			const int other = LD(number[j]);
			if (other > mine)
				mine = other;
		}
		ST(number[me], ++mine);
		F();
		ST(choosing[me], 0);
		F();
		for (int j = 0; j < N; j++) {
			while (LD(choosing[j]))
				xm_pause();
			for (;;) {
				const int other = LD(number[j]);
				if (other == 0 || other > mine || (other == mine && j >= me))
					break;
				xm_pause();
			}
		}
		const int seen = LD(sum);
		ST(sum, seen + 1);
		ST(number[me], 0);
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
