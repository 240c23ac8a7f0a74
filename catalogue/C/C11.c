/*
 * C11  The load of CR3 is still in the queue when the old page tables are given up
 *
 * source: 9f79991d4186, provenance G
 *
 * What software believes (the mask) and what the hypervisor has loaded differ until the batch is issued.
 *
 * variant buggy:
 * variant fixed: -DFIXED
 */
#include "xmmm.h"

static unsigned int old_directory[1024] XM_PAGE, new_directory[1024] XM_PAGE;
static struct xm_mm old_mm = { old_directory, 0 }, new_mm = { new_directory, 0 };
/* What is loaded; changed where the batch is complete. */
static unsigned int *volatile current;
static unsigned int *queued;
static volatile unsigned int dropped;

static void setup(void)
{
	xm_map_low(old_directory);
	xm_map_low(new_directory);
	old_mm.vcpus = 2;
	current = old_directory;
}
XM_INIT(setup);

static void issue(void)
{
	if (!queued)
		return;
	xm_write_cr3((unsigned int)queued);
	current = queued;
	queued = 0;
}

static void drop_interrupt(struct xm_frame *frame)
{
	(void)frame;
	issue();
	dropped = 1;
}
XM_HANDLER(0xf2, drop_interrupt);

static void switcher(void)
{
	xm_paging_on(old_directory, 0);
	xm_sti();
	xm_cli();
	queued = new_directory;
	xm_set_mask(&new_mm.vcpus, 2);
	xm_clear_mask(&old_mm.vcpus, 2);
	xm_sti();
	xm_cli();
	issue();
	xm_sti();
#ifdef FIXED
	while (!dropped)
		xm_pause();
#endif
}

/* exit_mmap: when nobody is on them the tables are unpinned, and freed. */
static void exiter(void)
{
	while (old_mm.vcpus)
		xm_pause();
#ifdef FIXED
	if (current == old_directory)
		XM_IPI(1, 0xf2);
	else
		dropped = 1;
	while (!dropped)
		xm_pause();
#endif
	XM_FREE(old_directory, 4);
}
XM_VCPU(exiter);
XM_VCPU(switcher);

/*
 * survivor store removed, switcher, `current = queued;`: the exiter takes the old tables for loaded and asks once too often
 * survivor store removed, switcher, `queued = 0;`: the new tables are loaded once more
 * survivor CLI removed, switcher, `XM_INLINE_ void xm_cli...`: the interrupt issues the same batch, and what is then done again loads the same tables
 */
