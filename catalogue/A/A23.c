/*
 * A23  Patching the patcher: nop_out() executes a site that is half rewritten
 *
 * source: ab144f5ec64c, provenance G
 *
 * No concurrency: writing goes through a page-table walk, and that calls pgd_val(), the operation being patched.
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#include "xmpatch.h"

static void pv_pgd_val(void) { xm_barrier(); }
XM_GAP(0x201);
__attribute__((noinline)) static void pgd_val(void) { XM_CALL_SITE(site, pv_pgd_val); }
XM_FORM_CALL(call_pv, site, pv_pgd_val);
XM_FORM_BYTES(native, "0x89, 0xc0, 0x0f, 0x1f, 0x00"); /* mov %eax,%eax; nop */
XM_FORMS(site, 5, call_pv, native);

static void text_poke(unsigned char *to, const unsigned char *bytes, unsigned int n)
{
	pgd_val(); /* lookup_address() */
	xm_copy(to, bytes, n);
}

static void apply_paravirt(void)
{
	unsigned char *const to = (unsigned char *)site;
#ifdef FIXED
	unsigned char buffer[5];
	xm_copy(buffer, native, 2);
	xm_copy(buffer + 2, native + 2, 3);
	text_poke(to, buffer, 5);
#else
	XM_BUILDING(to, 5);
	xm_copy(to, native, 2); /* the replacement, in place */
	text_poke(to + 2, native + 2, 3); /* nop_out() of the rest */
	XM_BUILT(to, 5);
#endif
	pgd_val();
}

XM_VCPU(apply_paravirt);
