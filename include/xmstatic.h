/*
 * xmstatic.h - code that is chosen by data and then written down: static calls, static keys, operations of pv_ops; for programs that
 * xmcheck explores.
 *
 * Static calls: a trampoline holds `jmp fn`, or RET where there is no function; sites that are listed become direct calls.
 *  XM_STATIC_CALL(name, fn, sites...)  at file scope: function `name`, label `name_trampoline` for XM_FORMS, key `name_key`. Sites, each
 *                                 declared by XM_FORMS or XM_SITE before: XM_STATIC_SITE(site) for XM_CALL_SITE(site, name),
 *                                 XM_STATIC_TAIL(site) for a jump to it; or XM_NO_SITES
 *  XM_STATIC_CALL_NULL(name, sites...)  begins without a function
 *  xm_static_call_update(name, fn, steps)  trampoline first, then each site; `fn` may be 0; `steps` as for xm_text_poke()
 *
 * Static keys: branches that are NOPs or jumps, all of a key together.
 *  xm_static_branch(site)         in code: 0, or 1 while the key is enabled
 *  XM_BRANCH_FORMS(site)          at file scope: what may stand there
 *  XM_STATIC_KEY(name, sites...)  at file scope: a key, with XM_BRANCH(site) for each of its sites
 *  xm_static_key_inc(&name, steps), xm_static_key_dec(&name, steps)  one more, or one less, wants it enabled; who returns from the
 *                                 first has it enabled everywhere. XM_KEY_BUSY in `steps`: nobody is told so before it is
 *  xm_key_bp(frame, &name)        for XM_BREAKPOINTS
 *
 * Operations: an indirect call of 6 bytes becomes a direct one with a NOP, or native code.
 *  XM_PV_CALL(site, op)           in code: `call *op`
 *  XM_FORM_PV(form, op)           at file scope: the same as a form
 *  XM_FORM_PV_DIRECT(form, site, fn)  `call fn`, a NOP (native code: XM_FORM_BYTES, with a NOP of xmpatch.h behind it)
 *  While others run: xm_text_poke_emulating(site, form, 6, steps, the form with the indirect call).
 *
 * Sources: Linux kernel/static_call_inline.c, arch/x86/kernel/static_call.c, kernel/jump_label.c (4c5ea0a9cd02: XM_KEY_BUSY),
 * arch/x86/kernel/paravirt.c.
 */
#ifndef XMSTATIC_H
#define XMSTATIC_H

#include "xmpatch.h"

/* ---- Static calls ---- */

struct xm_static_site {
	unsigned char *at;
	unsigned int tail;
};
struct xm_static_call {
	void (*volatile function)(void);
	unsigned char *trampoline;
	const struct xm_static_site *sites;
};
#define XM_STATIC_SITE(site) { (unsigned char *)(site), 0 }
#define XM_STATIC_TAIL(site) { (unsigned char *)(site), 1 }
#define XM_NO_SITES { 0, 0 }

#define XM_STATIC_CALL_(name, fn, code, ...)                                                                           \
	void name(void);                                                                                               \
	extern const char XM_JOIN_(name, _trampoline)[];                                                               \
	__asm__(".pushsection .text\n.globl " #name ", " #name "_trampoline\n.type " #name ", @function\n" #name ":\n" #name "_trampoline: " code \
		"\n.size " #name ", 5\n.popsection");                                                                  \
	static const struct xm_static_site XM_JOIN_(name, _sites)[] = { __VA_ARGS__, { 0, 0 } };                       \
	static struct xm_static_call XM_JOIN_(name, _key) = { (fn), (unsigned char *)XM_JOIN_(name, _trampoline), XM_JOIN_(name, _sites) }
#define XM_STATIC_CALL(name, fn, ...) XM_STATIC_CALL_(name, fn, ".byte 0xe9\n\t.long " #fn " - . - 4", __VA_ARGS__)
#define XM_STATIC_CALL_NULL(name, ...) XM_STATIC_CALL_(name, 0, ".byte 0xc3, 0xcc, 0xcc, 0xcc, 0xcc", __VA_ARGS__)
/* What stands where there is no function, in place of a call, and of a jump. */
#define XM_STATIC_NONE XM_P6_NOP5
#define XM_STATIC_RET "0xc3, 0xcc, 0xcc, 0xcc, 0xcc"

/* The bytes are used again for the next site: nobody looks at them any more once the third synchronisation is over. */
__attribute__((unused, noinline)) static void xm_static_write_(unsigned char *at, void (*fn)(void), unsigned int tail, unsigned int steps)
{
	static const unsigned char none[] = { 0x0f, 0x1f, 0x44, 0x00, 0x00 }, ret[] = { 0xc3, 0xcc, 0xcc, 0xcc, 0xcc };
	static volatile unsigned char bytes[5];
	if (fn) {
		bytes[0] = tail ? 0xe9 : 0xe8;
		*(volatile unsigned int *)(bytes + 1) = (unsigned int)fn - (unsigned int)at - 5;
	} else
		xm_copy(bytes, tail ? ret : none, 5);
	xm_text_poke(at, (const unsigned char *)bytes, 5, steps);
}
__attribute__((unused, noinline)) XM_STATIC_ void xm_static_call_update_(struct xm_static_call *call, void (*fn)(void), unsigned int steps)
{
	call->function = fn;
	xm_static_write_(call->trampoline, fn, 1, steps);
	for (const struct xm_static_site *one = call->sites; one->at; one++)
		xm_static_write_(one->at, fn, one->tail, steps);
}
#define xm_static_call_update(name, fn, steps) xm_static_call_update_(&XM_JOIN_(name, _key), fn, steps)

/* ---- Static keys ---- */

struct xm_static_key {
	volatile int enabled; /* how many want it; -1: it is being enabled */
	volatile unsigned int mutex;
	const struct xm_site *sites;
};
#define XM_KEY_BUSY 8u

#define xm_static_branch(site)                                                                                         \
	(__extension__({                                                                                               \
		__label__ xm_on_;                                                                                      \
		int xm_is_on_ = 0;                                                                                     \
		__asm__ __volatile__ goto(".globl " #site ", " #site "_on\n\t.set " #site "_on, %l0\n" #site ":\n\t.byte " XM_P6_NOP5 : : : "memory" : xm_on_); \
		if (0)                                                                                                 \
		xm_on_:                                                                                                \
			xm_is_on_ = 1;                                                                                 \
		xm_is_on_;                                                                                             \
	}))
#define XM_BRANCH_FORMS(site)                                                                                          \
	extern const char site[];                                                                                      \
	XM_FORM_NOP(site##_nop, XM_P6_NOP5);                                                                           \
	XM_FORM_JMP(site##_jmp, site, site##_on);                                                                      \
	XM_FORMS_INT3(site, 5, site##_nop, site##_jmp)
#define XM_BRANCH(site) XM_ENTRY(site, site##_nop, site##_jmp, 5)
#define XM_STATIC_KEY(name, ...)                                                                                       \
	XM_SITE_TABLE(XM_JOIN_(name, _sites), __VA_ARGS__);                                                            \
	static struct xm_static_key name = { 0, 0, XM_JOIN_(name, _sites) }

/* Adds `step` unless less than `least` are there. */
XM_INLINE_ int xm_key_add_(volatile int *enabled, int step, int least)
{
	int seen = *enabled;
	while (seen >= least) {
		const int found = (int)xm_cmpxchg(enabled, (unsigned int)seen, (unsigned int)(seen + step));
		if (found == seen)
			return 1;
		seen = found;
	}
	return 0;
}
XM_INLINE_ void xm_key_lock_(struct xm_static_key *key)
{
	while (xm_xchg(&key->mutex, 1))
		xm_pause();
}
XM_INLINE_ void xm_static_key_inc(struct xm_static_key *key, unsigned int steps)
{
	if (xm_key_add_(&key->enabled, 1, 1))
		return;
	xm_key_lock_(key);
	if (key->enabled == 0) {
		key->enabled = steps & XM_KEY_BUSY ? -1 : 1;
		xm_poke_batch(key->sites, steps);
		if (steps & XM_KEY_BUSY) /* what was written is in memory before: stores stay in order */
			key->enabled = 1;
	} else
		xm_lock_inc(&key->enabled);
	xm_store(&key->mutex, 0);
}
/* Who takes the last one away keeps others out until the code is as it was. */
XM_INLINE_ void xm_static_key_dec(struct xm_static_key *key, unsigned int steps)
{
	if (xm_key_add_(&key->enabled, -1, 2))
		return;
	xm_key_lock_(key);
	if (xm_lock_dec(&key->enabled))
		xm_poke_batch_back(key->sites, steps);
	xm_store(&key->mutex, 0);
}
XM_INLINE_ int xm_key_bp(struct xm_int3_frame *frame, const struct xm_static_key *key) { return xm_batch_bp(frame, key->sites); }

/* ---- Operations of pv_ops ---- */

#define XM_PV_CALL(site, op) __asm__ __volatile__(".globl " #site "\n" #site ":\n\tcall *" #op : : : "eax", "ecx", "edx", "memory", "cc")
#define XM_FORM_PV(form, op) XM_FORM(form, ".byte 0xff, 0x15\n\t.long " #op)
#define XM_FORM_PV_DIRECT(form, site, fn) XM_FORM(form, ".byte 0xe8\n\t.long " #fn " - " #site " - 5\n\t.byte 0x90")

#endif /* XMSTATIC_H */
