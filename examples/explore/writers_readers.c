/* N writers of distinct values, M readers, one variable. */
#include "explore.h"

static int x;

static void writer(int me) { ST(x, me + 1); }
XM_VCPUS(writer, N);
#if M > 0
static void reader(void) { LD(x); }
XM_VCPUS(reader, M);
#endif
