/*
 * P05  The same batches by the calls of Xen, of KVM, of a VMI ROM, and by a function call: one hypervisor below
 *
 * source: "Paravirt cpu batching", December 2006 (one hook for VMI's queue and Xen's multicalls); VMI review, March 2006; provenance G
 *
 * A kernel in ring 1 remaps a page and switches context in lazy mode. Its hypercalls are INT, VMCALL or a call; who carries them out, and what has
 * happened afterwards, is the same.
 *
 * variant xen-multicall: -DXEN
 * variant kvm-mmu-op: -DKVM
 * variant vmi-deferred-calls: -DVMI
 * variant vmi-one-class-deferred: -DVMI -DCALLS=5
 * variant vmi-both-classes-deferred: -DVMI -DCALLS=1
 * variant function-in-ring-0: -DDIRECT
 * variant number-of-another-abi: -DKVM -DNUMBER_OF_XEN
 */
#define XM_WITH_PAGING
#include "xmhyper.h"
#if defined(XEN)
XM_HYPERVISOR(xen);
#define XM_ISSUE(calls, count) xm_hypercall(XM_XEN_MULTICALL, 0, &(struct xm_batch){ calls, count })
#elif defined(KVM) && defined(NUMBER_OF_XEN)
XM_HYPERVISOR(kvm);
#define XM_ISSUE(calls, count) xm_vmcall(XM_XEN_MULTICALL, (unsigned int)&(struct xm_batch){ calls, count }, 0)
#elif defined(KVM)
XM_HYPERVISOR(kvm);
#define XM_ISSUE(calls, count) xm_vmcall(XM_KVM_MMU_OP, (unsigned int)&(struct xm_batch){ calls, count }, 0)
#elif defined(VMI)
XM_HYPERVISOR(vmi);
#define XM_ISSUE(calls, count) xm_hypercall(XM_VMI_FLUSH, 0, &(struct xm_batch){ calls, count })
#endif
#ifdef VMI
#include "xmvmi.h"
static void interrupt(void) {}
XM_VMI_DEVICE(0, interrupt, 0);
#define BEGIN(mode, class) xm_vmi_set_deferred_mode(class)
#define END(mode) xm_vmi_set_deferred_mode(0)
#define UPDATE(op, a, b, c) xm_vmi(op, (unsigned int)(a), b, c)
#else
#include "xmlazy.h"
#include "xmring.h"
#define BEGIN(mode, class) xm_lazy_enter(mode)
#define END(mode) xm_lazy_leave(mode)
#define UPDATE(op, a, b, c) xm_operation(op, (unsigned int)(a), b, c)
#endif

/* Hypercalls: one for each part; with the first class deferred throughout, a flush and one for each of the other; one for both. */
#ifndef CALLS
#define CALLS 2
#endif
#if CALLS == 1
#define FIRST (XM_VMI_MMU | XM_VMI_CPU)
#else
#define FIRST XM_VMI_MMU
#endif

static volatile unsigned int first[1024] XM_PAGE, second[1024] XM_PAGE, next_table[1024] XM_PAGE, next_directory[1024] XM_PAGE;
static volatile unsigned int tls_of_next = 7;
static unsigned int kernel_stack[512];

static unsigned int status(void)
{
	unsigned int word;
	__asm__ __volatile__("smsw %0" : "=r"(word));
	return word;
}
static unsigned int flags(void)
{
	unsigned int value;
	__asm__ __volatile__("pushfl\n\tpopl %0" : "=r"(value));
	return value;
}

static void tables(void)
{
	first[0] = 1;
	second[0] = 2;
	xm_map_table[0] = xm_pte(first, XM_PTE_KERNEL);
	next_table[0] = next_table[1] = xm_pte(second, XM_PTE_KERNEL);
	next_directory[0] = xm_page_directory[0];
	next_directory[XM_MAP_BASE >> 22] = xm_pte(next_table, XM_PTE_KERNEL);
}
XM_INIT(tables);

static void kernel(void)
{
	volatile unsigned int *const mapped = (volatile unsigned int *)XM_MAP_BASE;
	XM_ASSERT(mapped[0] == 1);
	BEGIN(XM_LAZY_MMU, FIRST);
	UPDATE(XM_OP_STORE, &xm_map_table[0], xm_pte(second, XM_PTE_KERNEL), 0);
	UPDATE(XM_OP_INVLPG, mapped, 0, 0);
	UPDATE(XM_OP_STORE, &xm_map_table[1], xm_pte(first, XM_PTE_KERNEL), 0);
#if CALLS == 2
	END(XM_LAZY_MMU);
	XM_ASSERT(mapped[0] == 2 && mapped[1024] == 1);
	BEGIN(XM_LAZY_CPU, XM_VMI_CPU);
#endif
	UPDATE(XM_OP_CR3, next_directory, 0, 0);
#if CALLS == 5
	XM_ASSERT(xm_map_table[1] == xm_pte(first, XM_PTE_KERNEL)); /* what was deferred before is carried out before */
#endif
	UPDATE(XM_OP_DESCRIPTOR, xm_tls_entry(0), XM_TLS_LOW(&tls_of_next), XM_TLS_HIGH(&tls_of_next));
	UPDATE(XM_OP_TS, 1, 0, 0);
	UPDATE(XM_OP_IOPL, 3, 0, 0);
	END(XM_LAZY_CPU);
	xm_load_fs(XM_TLS(0));
	XM_ASSERT(xm_fs_word() == tls_of_next);
	XM_ASSERT(mapped[0] == 2 && mapped[1024] == 2);
	XM_ASSERT(xm_lazy.count == 0 && xm_lazy.mode == XM_LAZY_NONE);
	XM_ASSERT(status() & 8);
	XM_ASSERT((flags() >> 12 & 3) == 3);
	XM_ASSERT(xm_map_table[0] == xm_pte(second, XM_PTE_KERNEL));
	XM_ASSERT(xm_hypercalls == CALLS);
	xm_end();
}

static void boot(void)
{
	xm_rings_on();
	xm_set_ts_now(0);
	xm_map_on();
#ifdef DIRECT
	kernel();
#else
	xm_open_gate(XM_HV_TRAP, 1);
	xm_set_iopl_now(1);
	xm_go(1, kernel, kernel_stack + 512);
#endif
}

XM_VCPU(boot);
