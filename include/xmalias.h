/*
 * xmalias.h - writing code through another linear address, for programs that xmcheck explores.
 *
 *  xm_alias_map()                in XM_INIT: makes tables that show the low 4 MB, where the program is, as they are, and again at XM_ALIAS
 *  xm_alias_on()                 turns paging on for the calling vCPU, with these tables
 *  xm_alias(pointer)             the same byte through the alias: xm_copy(xm_alias(site), bytes, n), xm_relink(xm_alias(site), call) ...
 *  xm_text_poke_alias(site, bytes, n, steps)  xm_text_poke() whose stores all go through it
 *
 * A vCPU need not see its own stores through an alias before it has serialised (SDM vol. 3A 11.6; knob smcMatch).
 *
 * Source: Linux arch/x86/kernel/alternative.c, text_poke(): FIX_TEXT_POKE0, poking_mm.
 */
#ifndef XMALIAS_H
#define XMALIAS_H

#include "xmpatch.h"

#define XM_ALIAS 0x400000u

static unsigned int xm_alias_tables_[1024] XM_PAGE __attribute__((unused));

XM_INLINE_ void xm_alias_map(void)
{
	xm_map_low(xm_alias_tables_);
	xm_alias_tables_[XM_ALIAS >> 22] = xm_alias_tables_[0];
}
XM_INLINE_ void xm_alias_on(void) { xm_paging_on(xm_alias_tables_, 0); }

#define xm_alias(pointer) ((__typeof__(pointer))((unsigned int)(pointer) + XM_ALIAS))

XM_INLINE_ void xm_text_poke_alias(const volatile void *site, const unsigned char *bytes, unsigned int n, unsigned int steps)
{
	xm_poked_bytes = bytes;
	xm_poked_site = (unsigned char *)(unsigned int)site;
	xm_text_poke_write((const volatile unsigned char *)site + XM_ALIAS, bytes, n, steps);
	xm_poked_site = 0;
}

#endif /* XMALIAS_H */
