/*
 * C25  text_poke from a kernel thread in lazy TLB mode brings a dying address space back to life
 *
 * source: abee7c494d8c, provenance W
 *
 * The thread borrows the address space and is lazy about it. It comes back from the temporary one as if it used it, so
 * whoever tears it down does not make it leave.
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#define XM_LEAVE_MM(self, old)                                                                                         \
	do {                                                                                                           \
		xm_tlbs[self].mm = &xm_kernel_mm;                                                                      \
		xm_write_cr3((unsigned int)xm_kernel_mm.directory);                                                    \
		xm_clear_mask(&(old)->vcpus, 1u << (self));                                                            \
	} while (0)
#include "xmmm.h"

static unsigned int directory[1024] XM_PAGE, poking[1024] XM_PAGE, swapper[1024] XM_PAGE;
static struct xm_mm mm = { directory, 0 }, poking_mm = { poking, 0 };
XM_SHOOTDOWN(2)

static void setup(void)
{
	xm_map_low(directory);
	xm_map_low(poking);
	xm_map_low(swapper);
	xm_kernel_mm.directory = swapper;
	mm.vcpus = 2; /* it runs there already */
}
XM_INIT(setup);

/* Everybody who is on it is told, then the tables go. */
static void exit_mmap(void)
{
	xm_flush_page(&mm, XM_ALL);
	XM_FREE(directory, 4);
}

static void kernel_thread(void)
{
	struct xm_mm *previous;
	xm_use_mm(&mm);
	xm_enter_lazy();
	xm_sti();
	xm_cli();
#ifdef FIXED
	if (xm_tlbs[1].state == XM_TLB_LAZY && xm_tlbs[1].mm != &xm_kernel_mm)
		XM_LEAVE_MM(1, &mm);
#endif
	previous = xm_tlbs[1].mm;
	xm_switch_mm(&poking_mm);
	xm_switch_mm(previous);
	xm_sti();
	xm_barrier();
	xm_leave();
}
XM_VCPU(exit_mmap);
XM_VCPU(kernel_thread);

/*
 * survivor store removed, xm_switch_mm, `tlb->state = XM_TLB_OK;`: who is taken for lazy leaves the tables instead of flushing
 * survivor call removed, kernel_thread, `xm_switch_mm(previous);`: it stays on tables that nobody frees
 */
