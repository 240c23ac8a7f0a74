/*
 * D14  Multicalls fail in part
 *
 * source: Xen multicall interface; XSA-213 for entries that change the world; provenance W
 *
 * Every subset of the entries may fail; those behind a failed one are carried out all the same.
 *
 * variant assume-atomic:
 * variant checked: -DCHECKED
 */
#define XM_WITHOUT_MODES
#include "xmlazy.h"

static volatile unsigned int pte[2];

static void batch(struct xm_call *calls, unsigned int count)
{
	for (unsigned int n = 0; n < count; n++)
		if (XM_CHOOSE(2))
			calls[n].result = -1;
		else
			xm_hypervisor(&calls[n]);
}

static void guest(void)
{
	struct xm_call calls[2] = { { XM_OP_STORE, (unsigned int)&pte[0], 1, 0, 0 }, { XM_OP_STORE, (unsigned int)&pte[1], 1, 0, 0 } };
	unsigned int believed[2];
	batch(calls, 2);
#ifdef CHECKED
	for (unsigned int n = 0; n < 2; n++)
		believed[n] = calls[n].result == 0;
#else
	believed[0] = believed[1] = calls[0].result == 0; /* all or nothing */
#endif
	XM_ASSERT(pte[0] == believed[0] && pte[1] == believed[1]);
}

XM_VCPU(guest);
