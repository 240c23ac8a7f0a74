/* Dekker's entry, tried once: both must not get in. Without -DFENCE they do on x86. */
#include "explore.h"

static int fl[2], in;

static void thread(int me)
{
	for (int k = 0; k < M; k++) {
		ST(fl[me], 1);
		F();
		if (LD(fl[1 - me]) == 0) {
			ST(in, me + 1);
			ASSERT(LD(in) == me + 1);
		}
		ST(fl[me], 0);
	}
}

XM_VCPUS(thread, 2);
