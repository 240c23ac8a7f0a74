/* Each thread pushes its node onto a Treiber stack, and pops one. */
#include "explore.h"

static int top, nxt[N + 1];

static void thread(int vcpu)
{
	int me = vcpu + 1;
	for (;;) {
		int o = LD(top);
		ST(nxt[me], o);
		if (CAS(top, o, me))
			break;
	}
	for (;;) {
		int o = LD(top);
		if (!o)
			break;
		int n = LD(nxt[o]);
		if (CAS(top, o, n))
			break;
	}
}

XM_VCPUS(thread, N);
