/* Flanagan and Godefroid's indexer (POPL 2005): N threads put 4 messages each into a hash table; they meet from N = 12 on. */
#include "explore.h"

#define SIZE 128
#define MAX 4

static int table[SIZE];

static void thread(int me)
{
	for (int m = 1; m <= MAX; m++) {
		int w = m * 11 + me, h = (w * 7) % SIZE;
		while (!CAS(table[h], 0, w))
			h = (h + 1) % SIZE;
	}
}

XM_VCPUS(thread, N);
