/*
 * A46  Other runtimes change code by indirection through data
 *
 * source: .NET precode, Go, V8: from memory, provenance M
 *
 * variant indirection: --fetch byte
 */
#include "xmpatch.h"

static volatile unsigned int state;

static void old_method(void) { xm_barrier(); }
XM_GAP(0x201);
static void new_method(void) { XM_ASSERT(state == 1); }
static void (*volatile slot)(void) = old_method;

static void runtime(void)
{
	state = 1;
	slot = new_method;
}

static void thread(void)
{
	for (int n = 0; n < 2; n++) {
		void (*const target)(void) = slot;
		XM_ASSERT(target == old_method || target == new_method);
		target();
	}
}

XM_VCPU(runtime);
XM_VCPU(thread);

/*
 * survivor branch never taken, thread, `for (int n = 0; n < 2; n++) {`: one pass is as good as two
 */
