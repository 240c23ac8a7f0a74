/*
 * Store buffering, the reordering that x86 does show: each vCPU stores its own flag and then reads the
 * other's. Without a fence both may read 0. With -DFENCE neither order is possible but the sequential ones.
 *
 *     xmcheck check examples/sb.o --expect violated
 *     xmcheck check examples/sb-fence.o
 *     xmcheck check examples/sb.o --memory sc
 */
#include "xmcheck.h"

#ifdef FENCE
#define fence() xm_mfence()
#else
#define fence() xm_barrier()
#endif

static unsigned int x, y, seen_y, seen_x;

static void left(void)
{
	xm_store(&x, 1);
	fence();
	seen_y = xm_load(&y);
}

static void right(void)
{
	xm_store(&y, 1);
	fence();
	seen_x = xm_load(&x);
}

static void check(void) { XM_ASSERT(seen_x || seen_y); }

XM_VCPU(left);
XM_VCPU(right);
XM_FINAL(check);
XM_OBJECT(x);
XM_OBJECT(y);
