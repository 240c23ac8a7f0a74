/*
 * P03  Where deferred updates meet interrupts: implicit and explicit delivery, and versions of the interface that differ in it
 *
 * source: VMI documentation and its review, March 2006 (SetDeferredMode, EnableInterrupts, DeliverInterrupts, minor and major numbers); provenance G
 *
 * The guest defers the update of a page-table entry and opens its interrupt flag; the handler of the device looks through the entry.
 *
 * variant implicit-delivery: -DROM=1,0
 * variant implicit-delivery-rom-flushes: -DROM=1,0 -DROM_FLUSHES
 * variant implicit-delivery-guest-flushes: -DROM=1,0 -DGUEST_FLUSHES
 * variant mode-cleared-first: -DROM=1,0 -DCLEARS_MODE
 * variant more-is-deferred-first: -DROM=1,0 -DDEFERS_MORE
 * variant explicit-delivery: -DROM=1,1 -DEXPLICIT
 * variant explicit-delivery-too-early: -DROM=1,1 -DEXPLICIT -DEARLY
 * variant explicit-guest-on-older-rom: -DROM=1,0 -DEXPLICIT -DUNCHECKED
 * variant explicit-guest-on-older-rom-asks-first: -DROM=1,0 -DEXPLICIT
 * variant implicit-guest-on-newer-minor: -DROM=1,1 -DGUEST_FLUSHES
 * variant implicit-guest-on-newer-major: -DROM=2,1 -DGUEST_FLUSHES -DUNCHECKED
 * variant implicit-guest-on-newer-major-asks-first: -DROM=2,1 -DGUEST_FLUSHES
 */
#define XM_WITH_PAGING
#define XM_VMI_ROM ROM
#ifdef ROM_FLUSHES
#define XM_VMI_FLUSHES
#endif
#include "xmvmi.h"

static volatile unsigned int page[1024] XM_PAGE;
static volatile unsigned int handled;

static void handler(void)
{
	XM_ASSERT(*(volatile unsigned int *)XM_MAP_BASE == 42);
	handled++;
}
XM_VMI_DEVICE(0, handler, 1);

/* What a guest without this ROM does: its interrupts are the machine's. */
static void native(void)
{
	xm_map_table[0] = XM_PTE(page);
	xm_lock_fence();
	xm_sti();
	__asm__ __volatile__("nop");
	xm_cli();
}

static void flush(void)
{
#if defined(GUEST_FLUSHES)
	xm_lazy_flush();
#elif defined(CLEARS_MODE)
	xm_vmi_set_deferred_mode(0);
#elif defined(DEFERS_MORE)
	xm_vmi_set_deferred_mode(XM_VMI_MMU | XM_VMI_CPU);
#endif
}

static void by_rom(void)
{
	xm_vmi_disable();
	xm_vmi_set_deferred_mode(XM_VMI_MMU);
	xm_vmi(XM_OP_STORE, (unsigned int)&xm_map_table[0], XM_PTE(page), 0);
	xm_sti(); /* the machine's; the guest's is what the ROM keeps. From here on the device may come */
#ifdef EXPLICIT
#ifndef UNCHECKED
	if (!xm_vmi_attach(1, 1)) { /* of an older version it knows that delivery is implicit */
		xm_lazy_flush();
		xm_vmi_enable();
	}
#endif
	xm_vmi_enable_only();
#ifdef EARLY
	xm_vmi_deliver();
#endif
	xm_vmi_set_deferred_mode(0);
	xm_vmi_deliver();
#else
	flush();
	xm_vmi_enable();
	xm_vmi_set_deferred_mode(0);
#endif
	xm_cli();
}

static void guest(void)
{
	page[0] = 42;
	xm_map_on();
#ifdef UNCHECKED
	by_rom();
#else
	if (xm_vmi_attach(1, 0))
		by_rom();
	else
		native();
#endif
	XM_ASSERT(handled <= 1 && (handled || !xm_vmi_state.pending));
	XM_ASSERT(xm_lazy.count == 0 && xm_vmi_state.deferred == 0);
	XM_ASSERT(*(volatile unsigned int *)XM_MAP_BASE == 42);
}

XM_VCPU(guest);

/*
 * survivor call removed, guest, `xm_vmi_set_deferred_mode(XM_VMI_MMU);`: what is done at once need not be deferred
 * survivor store removed, handler, `handled++;`: what the property counts by
 * survivor store removed, xm_vmi_open_, `handled++;`: what the property counts by
 * survivor call removed, by_rom, `xm_vmi_set_deferred_mode(XM_VMI_MMU);`: what is done at once need not be deferred
 * survivor branch never taken, guest, `if (xm_vmi_attach(1, 0))`: the native way is a right one
 */
