/* A sequence lock: M updates of two words, N readers. */
#include "explore.h"

static int seq, d0, d1;

static void writer(void)
{
	for (int k = 1; k <= M; k++) {
		int s = LD(seq);
		ST(seq, s + 1);
		ST(d0, k);
		ST(d1, k);
		ST(seq, s + 2);
	}
}
static void reader(void)
{
	int s, a, b;
	do {
		while ((s = LD(seq)) & 1)
			;
		a = LD(d0);
		b = LD(d1);
	} while (LD(seq) != s);
	ASSERT(a == b);
}

XM_VCPU(writer);
XM_VCPUS(reader, N);
