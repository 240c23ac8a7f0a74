/* A reader looks for the last zero of an array, N writers each add to their neighbour's element. */
#include "explore.h"

static int a[N + 1];

static void reader(void)
{
	int i = N;
	while (LD(a[i]) != 0)
		i--;
}
static void writer(int me) { ST(a[me], LD(a[me - 1]) + 1); }

XM_VCPU(reader);
XM_VCPUS(writer, N);
