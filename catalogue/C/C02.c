/*
 * C02  An IPI overtakes the request block: WRMSR to the x2APIC is not a fence
 *
 * source: d6f0f39b7d05, ce4e240c279a, provenance G
 *
 * variant xapic:
 * variant x2apic-no-fence: --set ipiDrains=no
 * variant fence: -DFENCE --set ipiDrains=no
 */
#include "xmmm.h"

#define PAGE 0x400000u

static unsigned int directory[1024] XM_PAGE, table[1024] XM_PAGE, page[1024] XM_PAGE;
static struct xm_mm mm = { directory, 0 };
static volatile unsigned int request, answered;
XM_FIXUPS();

static void setup(void)
{
	xm_map_low(directory);
	xm_map(directory, table, PAGE, page, XM_PTE_KERNEL);
}
XM_INIT(setup);

static void flush_interrupt(struct xm_frame *frame)
{
	(void)frame;
	xm_flush_local(request);
	answered = 1;
}
XM_HANDLER(0xf0, flush_interrupt);

static void shooter(void)
{
	xm_xchg(&table[0], 0);
	request = PAGE;
#ifdef FENCE
	xm_lock_fence();
#endif
	XM_IPI(1, 0xf0);
	while (!answered)
		xm_pause();
	XM_UNMAPPED(PAGE, 4096);
}

static void user(void)
{
	xm_use_mm(&mm);
	xm_sti();
	while (!answered)
		xm_pause();
	xm_try_load(PAGE, 0);
}
XM_VCPU(shooter);
XM_VCPU(user);

/*
 * survivor XCHG: only its load, shooter, `__asm__ __volatile__("xchgl...`: of a page that stays mapped no translation is stale
 */
