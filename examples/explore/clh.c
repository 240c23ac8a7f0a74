/* Craig, Landin and Hagersten's queue lock (1993): each spins on the node of the one before it, and goes on with that node. */
#include "explore.h"

static struct node {
	int busy;
} nodes[N + 1];
static volatile unsigned int tail = (unsigned int)&nodes[N];
static int sum;

static void thread(int me)
{
	struct node *mine = &nodes[me];
	for (int k = 0; k < M; k++) {
		ST(mine->busy, 1);
		struct node *const before = (struct node *)xm_xchg(&tail, (unsigned int)mine);
		while (LD(before->busy))
			xm_pause();
		const int seen = LD(sum);
		ST(sum, seen + 1);
		ST(mine->busy, 0);
		mine = before;
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
