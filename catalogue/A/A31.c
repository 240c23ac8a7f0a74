/*
 * A31  Lazily self-patching call sites
 *
 * source: J. Fitzhardinge, xen-devel, 14 May 2009 (footnote), provenance G
 *
 * variant stable-slot-aligned: -DBEFORE=59
 * variant slot-update: -DBEFORE=59 -DUPDATE
 * variant straddle: -DBEFORE=61
 */
#include "xmpatch.h"

/* The site calls the stub, which links it to whatever the slot holds, as seen from its return address. */
#define TEXT_(n) #n
#define TEXT(n) TEXT_(n)
void call_it(void);
__asm__(".text\n.balign 64\n.fill " TEXT(BEFORE) ", 1, 0x90\n.globl site\ncall_it:\nsite: call stub\n\tret\n");
XM_LAZY_STUB(stub, slot);
XM_GAP(0x10300);

static volatile unsigned int newer[2]; /* the vCPU has been in the second handler */

static void first(void) { XM_ASSERT(!newer[xm_vcpu()] && "a link never goes back"); }
static void second(void) { newer[xm_vcpu()] = 1; }
#ifdef UPDATE
XM_SITE(site, 5, stub, first, second);
#else
XM_SITE(site, 5, stub, first);
#endif
__attribute__((used)) void (*volatile slot)(void) = first;

static void caller(void)
{
	call_it();
	call_it();
}
#ifdef UPDATE
static void installer(void) { slot = second; }
#endif

XM_VCPUS(caller, 2);
#ifdef UPDATE
XM_VCPU(installer);
#endif
