/*
 * D03  The hypervisor itself reloads a segment register after the batch
 *
 * source: 8b84ad942a8c (xen: fix 32-bit %gs across hypercalls), provenance G
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#include "xmlazy.h"
#include "xmring.h"

static unsigned int tls_of_previous = 1;

/* The hypercall's way out: guest segment registers come back from where the hypervisor saved them. */
static void flush_through_hypervisor(void)
{
	unsigned int selector;
	__asm__ __volatile__("movw %%fs, %w0" : "=r"(selector));
	xm_lazy_leave(XM_LAZY_CPU);
	xm_load_fs(selector & 0xffff);
}

static void context_switch(void)
{
	xm_rings_on();
	xm_tls_entry(0)[0] = XM_TLS_LOW(&tls_of_previous);
	xm_tls_entry(0)[1] = XM_TLS_HIGH(&tls_of_previous);
	xm_load_fs(XM_TLS(0));
	XM_ASSERT(xm_fs_word() == tls_of_previous);
	xm_lazy_enter(XM_LAZY_CPU);
#ifdef FIXED
	xm_load_fs(0); /* saved already */
#endif
	xm_set_descriptor(xm_tls_entry(0), 0, 0); /* the next task has no TLS */
	flush_through_hypervisor();
	XM_ASSERT(xm_tls_entry(0)[0] == 0 && xm_tls_entry(0)[1] == 0);
}

XM_VCPU(context_switch);
XM_LAZY_ENDS();
