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
#include "xmring.h"

static unsigned int tls_of_previous = 1, tls_of_next = 2;

static void context_switch(void)
{
	xm_rings_on();
#if defined(BEFORE) || !defined(WRONG)
	xm_tls_entry(0)[0] = XM_TLS_LOW(&tls_of_previous);
	xm_tls_entry(0)[1] = XM_TLS_HIGH(&tls_of_previous);
#endif
	xm_lazy_enter(XM_LAZY_CPU);
	xm_set_descriptor(xm_tls_entry(0), XM_TLS_LOW(&tls_of_next), XM_TLS_HIGH(&tls_of_next)); /* load_TLS() */
#ifdef WRONG
	xm_load_fs(XM_TLS(0));
	xm_lazy_leave(XM_LAZY_CPU);
#else
	xm_lazy_leave(XM_LAZY_CPU);
	xm_load_fs(XM_TLS(0));
#endif
	XM_ASSERT(xm_fs_word() == tls_of_next);
}

XM_VCPU(context_switch);
XM_LAZY_ENDS();
