/* One writer, N readers of one variable. */
#include "explore.h"

static int x;

static void writer(void) { ST(x, 42); }
static void reader(void) { LD(x); }

XM_VCPU(writer);
XM_VCPUS(reader, N);
