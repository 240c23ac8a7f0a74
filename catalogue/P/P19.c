/*
 * P19  Page tables of a guest: changed by hypercalls, written and trapped, or shadowed
 *
 * source: VMI documentation and its review, March 2006 ("direct / writable / shadowed page tables"; "I'm about to update a whole bunch of page tables" ...
 *         "I'm done and I might want to use them now"; VMI batches where Xen has writable page tables); provenance G
 *
 * A guest maps one page, then another, in the same place, and reads through it; then it tries to map a page of the hypervisor's. In the direct form each
 * update is a hypercall. Writable tables are read-only: a store faults, is made by the hypervisor in a single step and looked at behind it.
 * Shadowed tables are memory of the guest's, which the hypervisor copies when it is told of a flush.
 *
 * variant direct: -DDIRECT
 * variant writable: -DWRITABLE
 * variant shadowed: -DSHADOWED
 * variant direct-while-another-vcpu-walks: -DDIRECT -DTWO
 * variant writable-while-another-vcpu-walks: -DWRITABLE -DTWO
 * variant shadowed-while-another-vcpu-walks: -DSHADOWED -DTWO
 * variant direct-not-validated: -DDIRECT -DNOT_VALIDATED
 * variant writable-not-validated: -DWRITABLE -DNOT_VALIDATED
 * variant writable-left-open: -DWRITABLE -DLEFT_OPEN
 * variant shadowed-not-told: -DSHADOWED -DNOT_TOLD
 * variant direct-not-flushed: -DDIRECT -DNOT_FLUSHED
 */
#include "xmcheck.h"

#define LINEAR 0x400000u
static unsigned int directory[1024] XM_PAGE, low[1024] XM_PAGE;
/* What the machine walks, and what the guest writes. */
static volatile unsigned int table[1024] XM_PAGE;
#ifdef SHADOWED
static volatile unsigned int guest_table[1024] XM_PAGE;
#else
#define guest_table table
#endif
static volatile unsigned int pages[2][1024] XM_PAGE, secret[1024] XM_PAGE;
static volatile unsigned int traps;

/* ---- The hypervisor ---- */

static int is_allowed(unsigned int entry)
{
#ifdef NOT_VALIDATED
	(void)entry;
	return 1;
#else
	return (entry & ~0xfffu) == (unsigned int)pages[0] || (entry & ~0xfffu) == (unsigned int)pages[1];
#endif
}
static void write_protect(unsigned int on) { xm_write_cr0((xm_read_cr0() & ~0x10000u) | on << 16); }

#ifdef DIRECT
__attribute__((noinline)) static void hypercall_update(unsigned int index, unsigned int entry)
{
	write_protect(0);
	if (is_allowed(entry))
		table[index] = entry;
	write_protect(1);
}
#elif defined(WRITABLE)
static volatile unsigned int *written;
static unsigned int before;
/* The guest wrote to a table: once, with single steps on. */
static void page_fault(struct xm_frame *frame)
{
	const unsigned int at = xm_read_cr2();
	if (frame->error != 3 || (at & ~0xfffu) != (unsigned int)table)
		XM_FAIL();
	traps = traps + 1;
	written = (volatile unsigned int *)at;
	before = *written;
	write_protect(0);
	frame->eflags |= 0x100;
}
XM_HANDLER(14, page_fault);
static void stepped(struct xm_frame *frame)
{
	if (!is_allowed(*written))
		*written = before;
#ifndef LEFT_OPEN
	write_protect(1);
#endif
	frame->eflags &= ~0x100u;
}
XM_HANDLER(1, stepped);
#endif

/* The guest says that it is done, and which page it might use now. */
__attribute__((noinline)) static void hypercall_flush(unsigned int index)
{
#ifdef SHADOWED
	write_protect(0);
	if (is_allowed(guest_table[index]))
		table[index] = guest_table[index];
	write_protect(1);
#else
	(void)index;
#endif
#ifndef NOT_FLUSHED
	xm_invlpg(LINEAR + index * 4096);
#endif
}

/* ---- The guest ---- */

static void set_pte(unsigned int index, unsigned int entry)
{
#ifdef DIRECT
	hypercall_update(index, entry);
#else
	guest_table[index] = entry;
#endif
}
static unsigned int read_through(unsigned int index) { return *(volatile unsigned int *)(LINEAR + index * 4096); }

static void boot(void)
{
	pages[0][0] = 10;
	pages[1][0] = 11;
	secret[0] = 99;
	xm_map_low_pages(directory, low);
	low[(unsigned int)table >> 12] &= ~XM_PTE_RW;
	directory[LINEAR >> 22] = xm_pte(table, XM_PTE_KERNEL);
	table[0] = xm_pte(pages[0], XM_PTE_KERNEL);
}
XM_INIT(boot);

static void guest(void)
{
	xm_paging_on(directory, 0);
	XM_ASSERT(read_through(0) == 10);
	set_pte(0, xm_pte(pages[1], XM_PTE_KERNEL));
#ifndef NOT_TOLD
	hypercall_flush(0);
#endif
	XM_ASSERT(read_through(0) == 11);
	set_pte(0, xm_pte(secret, XM_PTE_KERNEL));
	hypercall_flush(0);
	XM_ASSERT(read_through(0) == 11);
#ifdef WRITABLE
	XM_ASSERT(traps == 2);
#endif
}
XM_VCPU(guest);
#ifdef TWO
static void other(void)
{
	xm_paging_on(directory, 0);
	XM_ASSERT(read_through(0) != secret[0]);
}
XM_VCPU(other);
#endif
