/*
 * A22  ... and NMIs during boot-time patching
 *
 * source: 8f4e956b313d; Xen 5191c1ef51b0; provenance G
 *
 * variant buggy:
 * variant flag: -DFLAG
 * variant in-nmi: -DIN_NMI
 */
#include "xmpatch.h"

#define GENERIC XM_P6_NOP5
#define REPLACEMENT "0x3e, 0x8d, 0x74, 0x26, 0x00"
__attribute__((noinline)) static void watched(void) { XM_BYTES_SITE(site, GENERIC); }
XM_FORM_BYTES(generic, GENERIC);
XM_FORM_BYTES(replacement, REPLACEMENT);
XM_FORMS(site, 5, generic, replacement);

static void patch(void) { xm_copy((void *)site, replacement, 5); }

static volatile unsigned int patching, requested;

static void nmi(struct xm_frame *frame)
{
	(void)frame;
#ifdef FLAG
	if (patching)
		return;
#endif
#ifdef IN_NMI
	/* No other NMI gets through until the IRET. */
	if (requested) {
		requested = 0;
		patch();
		return;
	}
#endif
	watched();
}
XM_NMI(0, nmi, 2);

static void boot(void)
{
#ifdef IN_NMI
	requested = 1;
	XM_SEND_NMI(0);
	while (requested)
		xm_pause();
#else
	patching = 1;
	patch();
	patching = 0;
#endif
	watched();
}

XM_VCPU(boot);

/*
 * survivor store removed, boot, `patching = 0;`: an NMI that comes later has nothing to do but to execute the site
 * survivor branch always taken, boot, `while (requested)`: the NMI that it sends itself has been taken by then
 * survivor branch never taken, boot, `while (requested)`: the NMI that it sends itself has been taken by then
 */
