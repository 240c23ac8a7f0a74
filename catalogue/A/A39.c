/*
 * A39  A breakpoint inside an NMI handler: its IRET lets NMIs in early
 *
 * source: 3f3c8b8c4b2a, ccd49c239177, provenance M
 *
 * variant naive:
 * variant fixed: -DFIXED
 */
#include "xmnmi.h"

static volatile unsigned int inside, came, served;

static void breakpoint(struct xm_frame *frame) { (void)frame; }
XM_HANDLER(3, breakpoint);

/* Must not nest. */
static void body(void)
{
	XM_ASSERT(!inside);
	inside = 1;
	served = came;
	__asm__ __volatile__("int3" : : : "memory"); /* a probe, say */
	inside = 0;
}

#ifdef FIXED
XM_NMI_LATCHED(latched, body)
#else
static void latched(struct xm_frame *frame)
{
	(void)frame;
	body();
}
#endif
static void nmi(struct xm_frame *frame)
{
	came = came + 1;
	latched(frame);
}
XM_NMI(0, nmi, 2);

static void task(void)
{
	for (int n = 0; n < 3; n++)
		xm_pause();
}
static void check(void) { XM_ASSERT(served == came && "no NMI is lost"); }

XM_VCPU(task);
XM_FINAL(check);

/*
 * survivor store removed, nmi, `came = came + 1;`: it counts what the property compares with
 */
