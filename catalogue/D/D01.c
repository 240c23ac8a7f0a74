/*
 * D01  Context switch in lazy CPU mode: the flush must precede the TLS segment loads
 *
 * source: J. Fitzhardinge, lazy CPU mode, 2007 (9226d125d94c), provenance G
 *
 * variant wrong/stale-base: -DWRONG -DBEFORE
 * variant wrong/not-present: -DWRONG
 * variant right:
 */
#include "xmlazy.h"
#include "gdt.h"

static unsigned int tls_of_previous = 1, tls_of_next = 2;

static void context_switch(void)
{
	load_gdt();
#if defined(BEFORE) || !defined(WRONG)
	gdt[6] = DESCRIPTOR_LOW(&tls_of_previous);
	gdt[7] = DESCRIPTOR_HIGH(&tls_of_previous);
#endif
	xm_lazy_enter(XM_LAZY_CPU);
	xm_set_descriptor(&gdt[6], DESCRIPTOR_LOW(&tls_of_next), DESCRIPTOR_HIGH(&tls_of_next)); /* load_TLS() */
#ifdef WRONG
	load_fs(TLS_SELECTOR);
	xm_lazy_leave(XM_LAZY_CPU);
#else
	xm_lazy_leave(XM_LAZY_CPU);
	load_fs(TLS_SELECTOR);
#endif
	XM_ASSERT(tls_word() == tls_of_next);
}

XM_VCPU(context_switch);
