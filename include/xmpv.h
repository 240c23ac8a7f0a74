/*
 * xmpv.h - paravirtual operations (pv_ops) as guest code: a table of functions, call sites that say which operation they make and which registers
 * it may clobber there, and what rewrites them.
 *
 *  struct xm_pv_op               function, the registers that it clobbers (XM_EAX | XM_ECX | XM_EDX), native code of the same effect (0: none).
 *                                Arguments are in EAX and EDX, the result is in EAX
 *  xm_pv_ops                     the table: XM_PV_OPS operations (default: 16)
 *  XM_PV_ANY(site, op) XM_PV_EAX(site, op) XM_PV_NONE(site, op)   assembly text: an indirect call at label `site`, of 6, 10 and 12 bytes: what the
 *                                site may not clobber is saved around it
 *  XM_PV_SITE(site, op, clobbers)  its entry in a table of struct xm_pv_site, as .parainstructions has them
 *
 *  xm_pv_patch(site, form)       rewrites a site as its operation now stands: XM_PV_DIRECT a call of the function, XM_PV_INLINE its native code,
 *                                nothing at all where the function is xm_pv_ident; padded with NOPs. Returns the form that it wrote, or XM_PV_LEFT:
 *                                the site is as it was, as nothing fits, or the function clobbers what the site may not, or XM_PV_INDIRECT was asked for
 *  xm_pv_form(site)              the form that the site has now
 * Without a rule: XM_PV_NO_CLOBBER_RULE, XM_PV_NO_LENGTH_RULE, XM_PV_NO_PADDING, XM_PV_IDENT_BY_NAME (an operation that is the identity natively is
 * taken for it whatever its function), defined before the include.
 *
 * Source: Linux 2.6.20 to 2.6.30, arch/i386/kernel/paravirt.c (paravirt_patch_default, paravirt_patch_call, paravirt_patch_insns).
 */
#ifndef XMPV_H
#define XMPV_H

#include "xmpatch.h"

#define XM_EAX 1u
#define XM_ECX 2u
#define XM_EDX 4u
#define XM_ANY (XM_EAX | XM_ECX | XM_EDX)

struct xm_pv_op {
	void (*fn)(void);
	unsigned int clobbers;
	const unsigned char *code;
	unsigned int bytes;
};
#ifndef XM_PV_OPS
#define XM_PV_OPS 16
#endif
__attribute__((used)) XM_STATIC_ volatile struct xm_pv_op xm_pv_ops[XM_PV_OPS];

#define XM_PV_LABEL_(site) ".globl " #site "\n" #site ":\n\t"
#define XM_PV_CALL_(op) "call *xm_pv_ops + 16 * " XM_TEXT_(op) "\n\t"
#define XM_PV_ANY(site, op) XM_PV_LABEL_(site) XM_PV_CALL_(op)
#define XM_PV_EAX(site, op) XM_PV_LABEL_(site) "pushl %ecx\n\tpushl %edx\n\t" XM_PV_CALL_(op) "popl %edx\n\tpopl %ecx\n\t"
#define XM_PV_NONE(site, op) XM_PV_LABEL_(site) "pushl %eax\n\tpushl %ecx\n\tpushl %edx\n\t" XM_PV_CALL_(op) "popl %edx\n\tpopl %ecx\n\tpopl %eax\n\t"

#define XM_PV_SITE_BYTES_MAX 12
struct xm_pv_site {
	unsigned char *at;
	unsigned int bytes, op, clobbers;
};
#define XM_PV_SITE(site, op, clobbers) { site, (clobbers) == XM_ANY ? 6 : (clobbers) == XM_EAX ? 10 : 12, op, clobbers }

#define XM_PV_INDIRECT 0u
#define XM_PV_DIRECT 1u
#define XM_PV_INLINE 2u

void xm_pv_ident(void);
__asm__(".pushsection .text\nxm_pv_ident: ret\n.popsection");

static const unsigned char xm_pv_nops[8][8] __attribute__((unused)) = {
	{ 0x90 },
	{ 0x66, 0x90 },
	{ 0x0f, 0x1f, 0x00 },
	{ 0x0f, 0x1f, 0x40, 0x00 },
	{ 0x0f, 0x1f, 0x44, 0x00, 0x00 },
	{ 0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00 },
	{ 0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00 },
	{ 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00 },
};
__attribute__((unused)) static void xm_pv_pad(unsigned char *at, unsigned int bytes)
{
	while (bytes > 0) {
		const unsigned int length = bytes < 8 ? bytes : 8;
		xm_copy(at, xm_pv_nops[length - 1], length);
		at += length;
		bytes -= length;
	}
}

#ifndef XM_PV_NO_CLOBBER_RULE
#define XM_PV_CLOBBERS_TOO_MUCH_(op, site) ((op).clobbers & ~(site)->clobbers)
#else
#define XM_PV_CLOBBERS_TOO_MUCH_(op, site) 0
#endif
#ifndef XM_PV_NO_LENGTH_RULE
#define XM_PV_FITS_(length, site) ((length) <= (site)->bytes)
#else
#define XM_PV_FITS_(length, site) 1
#endif
#ifndef XM_PV_IDENT_BY_NAME
#define XM_PV_IS_IDENT_(op) ((op).fn == xm_pv_ident)
#else
#define XM_PV_IS_IDENT_(op) ((op).bytes == 0 && (op).code != 0)
#endif

__attribute__((unused, noinline)) XM_STATIC_ unsigned int xm_pv_patch(const struct xm_pv_site *site, unsigned int form)
{
	const struct xm_pv_op op = { xm_pv_ops[site->op].fn, xm_pv_ops[site->op].clobbers, xm_pv_ops[site->op].code, xm_pv_ops[site->op].bytes };
	unsigned int length;
	if (form == XM_PV_INLINE && XM_PV_IS_IDENT_(op))
		length = 0;
	else if (form == XM_PV_INLINE && op.code != 0 && XM_PV_FITS_(op.bytes, site)) {
		length = op.bytes;
		xm_copy(site->at, op.code, length);
	} else if (form != XM_PV_INDIRECT && XM_PV_FITS_(5, site) && !XM_PV_CLOBBERS_TOO_MUCH_(op, site)) {
		length = 5;
		form = XM_PV_DIRECT;
		site->at[0] = 0xe8;
		xm_store((unsigned int *)(site->at + 1), (unsigned int)op.fn - (unsigned int)site->at - 5);
	} else
		return XM_PV_INDIRECT;
#ifndef XM_PV_NO_PADDING
	if (length < site->bytes)
		xm_pv_pad(site->at + length, site->bytes - length);
#endif
	xm_sync_core();
	return form;
}

#define XM_PV_LEFT 0u
/* A relative call is no native code: that works wherever it is copied to. The indirect call stands behind what is saved around it. */
XM_INLINE_ unsigned int xm_pv_form(const struct xm_pv_site *site)
{
	const unsigned char *const call = site->at + (site->bytes - 6) / 2;
	if (call[0] == 0xff && call[1] == 0x15 && *(const unsigned int *)(call + 2) == (unsigned int)&xm_pv_ops[site->op])
		return XM_PV_INDIRECT;
	return site->at[0] == 0xe8 ? XM_PV_DIRECT : XM_PV_INLINE;
}

#endif /* XMPV_H */

/*
 * survivor branch never taken, xm_pv_patch, `if (form == XM_PV_INLINE && XM_PV_IS_IDENT_(op))`: another form of the call does the same
 * survivor branch always taken, xm_pv_patch, `else if (form == XM_PV_INLINE...`: another form of the call does the same
 */
