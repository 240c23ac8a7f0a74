/*
 * A02  A call is relinked by one aligned 4-byte store to its displacement
 *
 * source: J. Fitzhardinge, xen-devel, 14 May 2009 ("hard to see how something other than the old or new function"), provenance G
 *
 * variant aligned/aligned-chunks: --fetch independent:4
 * variant aligned/coherent-line: --fetch single
 * variant byte-granular-adversarial-fetch: --fetch byte
 */
#include "xmpatch.h"

void old_function(void);
void new_function(void);

/* The opcode at 3 (mod 4): the displacement is one aligned dword. Low and high byte of the two displacements differ. */
__asm__(".text\n.balign 64\n.skip 3, 0x90\n"
	".globl site\nsite: call old_function\n\tret\n"
	".balign 4\nold_function: ret\n"
	".skip 300, 0x90\nnew_function: ret\n");
void call_it(void);
__asm__(".set call_it, site");

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
