/*
 * E02  Ident patching: call *pv_mmu_ops.pte_val becomes NOPs
 *
 * source: 41edafdb78fe, provenance G
 *
 * variant boot-time: -DBOOT
 * variant live/torn: -DNOP=XM_P6_NOP6
 * variant live/parked: -DNOP=TWO_NOPS -DPARKED
 */
#include "xmstatic.h"
#include "xmtask.h"

#define TWO_NOPS "0x0f, 0x1f, 0x00, 0x0f, 0x1f, 0x00" /* several instructions inside the old call */
#ifndef NOP
#define NOP XM_P6_NOP6
#endif

/* The argument is in EAX, and so is the result. */
__asm__(".text\nidentity: ret\npv_pte_val:\n.globl site\nsite: call *pte_val_op\n\tret\n");
void identity(void);
__attribute__((used)) void (*volatile pte_val_op)(void) = identity;
XM_FORM_PV(indirect, pte_val_op);
XM_FORM_NOP(native, NOP);
#ifdef BOOT
XM_FORMS(site, 6, native);
#else
XM_FORMS(site, 6, indirect, native);
#endif

static unsigned int pte_val(unsigned int pte)
{
	__asm__ __volatile__("call pv_pte_val" : "+a"(pte) : : "memory", "cc");
	return pte;
}

static void apply_paravirt(void)
{
	xm_copy((void *)site, native, 6);
	xm_sync_core();
}

static void user(void)
{
	XM_ASSERT(pte_val(0x1067) == 0x1067);
	XM_ASSERT(pte_val(0x2067) == 0x2067);
}

#ifdef BOOT
XM_INIT(apply_paravirt); /* before anybody else runs */
XM_VCPUS(user, 2);
#elif defined(PARKED)
XM_TASKS(1)
XM_TIMER(0, 2);
/* Un-patched again: the NOPs become the call. */
static void restore(void)
{
	xm_cli();
	xm_copy((void *)site, indirect, 6);
	xm_sync_core();
	xm_sti();
}
static void task(void)
{
	apply_paravirt();
	const unsigned int other = xm_task(restore);
	xm_sti();
	user();
	xm_cli();
	xm_wait_for(other);
	user();
}
XM_VCPU(task);
#else
XM_VCPU(apply_paravirt);
XM_VCPU(user);
#endif
