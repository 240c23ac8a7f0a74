/*
 * A37  COW break under self-modifying code: the instruction and the data TLB disagree
 *
 * source: 4ce072f1faf2, provenance G
 *
 * The store of new code goes to the copy; the fetch that follows may still come from the original.
 *
 * variant unified-tlb: --set tlbSplit=unified
 * variant split:
 * variant fixed: -DFIXED
 */
#include "xmmm.h"

#define CODE 0x400000u
#define READ_ONLY (XM_PTE_P | XM_PTE_A | XM_PTE_D)

static unsigned int directory[1024] XM_PAGE, table[1024] XM_PAGE;
static struct xm_mm mm = { directory, 0 };
XM_SHOOTDOWN(2)

/* `movl $1, %eax; ret`, and the copy of its page. */
extern unsigned char original[], copy[];
__asm__(".pushsection .text.pages, \"ax\", @progbits\n\t.balign 4096\noriginal:\n\tmovl $1, %eax\n\tret\n\t"
	".balign 4096\ncopy:\n\tmovl $1, %eax\n\tret\n\t.balign 4096\n\t.popsection");

static void setup(void)
{
	xm_map_low(directory);
	xm_map(directory, table, CODE, original, READ_ONLY);
	mm.vcpus = 2;
}
XM_INIT(setup);

/* The page is read-only until the other one has broken it: try again. */
static void fault(struct xm_frame *frame) { (void)frame; }
XM_HANDLER(14, fault);

static void breaker(void)
{
#ifdef FIXED
	xm_xchg(&table[0], 0);
	xm_flush_page(&mm, CODE);
	xm_store(&table[0], xm_pte(copy, XM_PTE_KERNEL));
#else
	xm_xchg(&table[0], xm_pte(copy, XM_PTE_KERNEL));
	xm_flush_page(&mm, CODE);
#endif
}

static void jit(void)
{
	unsigned int result;
	xm_use_mm(&mm);
	xm_sti();
	xm_store((unsigned char *)CODE + 1, 2);
	__asm__ __volatile__("call *%1" : "=a"(result) : "r"(CODE) : "memory", "cc");
	XM_ASSERT(result == 2);
	xm_leave();
}
XM_VCPU(breaker);
XM_VCPU(jit);
