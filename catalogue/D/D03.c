/*
 * D03  The hypervisor itself reloads a segment register after the batch
 *
 * source: 8b84ad942a8c (xen: fix 32-bit %gs across hypercalls), provenance G
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#include "xmlazy.h"
#include "gdt.h"

static unsigned int tls_of_previous = 1;

/* The hypercall's way out: guest segment registers come back from where the hypervisor saved them. */
static void flush_through_hypervisor(void)
{
	unsigned int selector;
	__asm__ __volatile__("movw %%fs, %w0" : "=r"(selector));
	xm_lazy_leave(XM_LAZY_CPU);
	load_fs(selector & 0xffff);
}

static void context_switch(void)
{
	load_gdt();
	gdt[6] = DESCRIPTOR_LOW(&tls_of_previous);
	gdt[7] = DESCRIPTOR_HIGH(&tls_of_previous);
	load_fs(TLS_SELECTOR);
	XM_ASSERT(tls_word() == tls_of_previous);
	xm_lazy_enter(XM_LAZY_CPU);
#ifdef FIXED
	load_fs(0); /* saved already */
#endif
	xm_set_descriptor(&gdt[6], 0, 0); /* the next task has no TLS */
	flush_through_hypervisor();
}

XM_VCPU(context_switch);
