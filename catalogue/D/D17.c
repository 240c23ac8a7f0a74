/*
 * D17  A flush that does not wait for the updates that are still queued
 *
 * source: 4f06b0436b2d, provenance G
 *
 * variant wrong: -DDIRECT
 * variant right:
 */
#include "xmmm.h"

#define PAGE 0x400000u

static unsigned int directory[1024] XM_PAGE, table[1024] XM_PAGE, page[1024] XM_PAGE;
static struct {
	unsigned int *entry, value;
} queue[4];
static unsigned int queued;
XM_FIXUPS();

static void setup(void)
{
	xm_map_low(directory);
	xm_map(directory, table, PAGE, page, XM_PTE_KERNEL);
}
XM_INIT(setup);

static void set_pte(unsigned int *entry, unsigned int value)
{
	queue[queued].entry = entry;
	queue[queued++].value = value;
}

static void issue(void)
{
	for (unsigned int k = 0; k < queued; k++)
		xm_store(queue[k].entry, queue[k].value);
	queued = 0;
}

static void unmapper(void)
{
	xm_paging_on(directory, 0);
	set_pte(&table[0], 0);
#ifndef DIRECT
	issue();
#endif
	xm_invlpg(PAGE);
	issue();
	XM_UNMAPPED(PAGE, 4096);
	xm_try_load(PAGE, 0);
	XM_ASSERT(xm_load(&table[0]) == 0);
}
XM_VCPU(unmapper);
