/* Each thread pushes one node onto a Treiber stack. */
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
}

XM_VCPUS(thread, N);
