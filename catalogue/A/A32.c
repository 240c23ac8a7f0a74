/*
 * A32  Default stub, then relink: publish state, pointer and sites in the right order, and retire the old handler last
 *
 * source: H. P. Anvin's proposal, xen-devel, May 2009; static_call trampolines are its descendant; provenance G
 *
 * variant right-order-plus-grace: -DGRACE
 * variant no-grace:
 */
#include "xmpatch.h"

static volatile unsigned int ready, elsewhere;

static void old_handler(void) { xm_barrier(); }
__attribute__((used)) static void old_handler_end(void) {}
XM_GAP(0x201);
static void new_handler(void) { XM_ASSERT(ready); }
/* The displacement is an aligned dword. */
void call_it(void);
__asm__(".text\n.balign 4\n.skip 3, 0x90\n.globl site\ncall_it:\nsite: call old_handler\n\tret\n");
XM_SITE(site, 5, old_handler, new_handler);
XM_FORM_CALL(call_new, site, new_handler);
XM_SYNC_GROUP(2)

static void installer(void)
{
	ready = 1;
	xm_relink(site, call_new);
#ifdef GRACE
	/* Nobody fetches the old call any more; then, who was in the old handler has left it. Neither is enough alone. */
	xm_sync_others();
	const unsigned int before = elsewhere;
	while (!xm_gone[1] && elsewhere == before)
		xm_pause();
#endif
	XM_FREE(old_handler, 1);
}

static void caller(void)
{
	xm_sti();
	call_it();
	elsewhere = 1;
	call_it();
	xm_offline();
}

XM_VCPU(installer);
XM_VCPU(caller);

/*
 * survivor store removed, xm_sync_handler, `XM_SYNC_GROUP(2)`: the wait for it ends with the other vCPU too, which goes offline
 * survivor store removed, caller, `elsewhere = 1;`: the wait for it ends with the other vCPU too, which goes offline
 */
