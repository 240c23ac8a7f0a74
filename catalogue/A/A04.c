/*
 * A04  The displacement straddles a cache line: a torn call target
 *
 * source: Sun bugs 4506997 and 4479829 (HotSpot: threads saw garbage displacements); PLDI 2016 "Living on the edge"; provenance W
 *
 * variant straddling: -DBEFORE=61
 * variant same-bytes-aligned: -DBEFORE=59
 */
#include "xmpatch.h"

void old_function(void);
void new_function(void);
void call_it(void);

/* The opcode at offset BEFORE of a 64-byte line. */
#define TEXT_(n) #n
#define TEXT(n) TEXT_(n)
__asm__(".text\n.balign 64\n.fill " TEXT(BEFORE) ", 1, 0x90\n"
	".globl site\ncall_it:\nsite: call old_function\n\tret\n"
	".balign 4\nold_function: ret\n"
	".skip 0x10300, 0x90\nnew_function: ret\n");

XM_FORM_CALL(call_new, site, new_function);
XM_SITE(site, 5, old_function, new_function);

static void patcher(void) { xm_store((unsigned int *)(site + 1), *(const unsigned int *)(call_new + 1)); }

static void caller(void)
{
	call_it();
	call_it();
}

XM_VCPU(patcher);
XM_VCPU(caller);
