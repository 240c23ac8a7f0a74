/*
 * A07  text_poke_bp without the second synchronisation: is it needed?
 *
 * source: mutant of fd4363fff3d9; Linux calls this one probably unnecessary on Intel, provenance H
 *
 * variant independent-chunks: --fetch independent:4
 * variant in-order-chunks: --fetch ordered:4
 */
#define STEPS (XM_SYNC1 | XM_SYNC3)
#include "A05.c"

/*
 * survivor store removed, patcher, `xm_poked_site = 0;`: nobody can meet the breakpoint any more, and nothing else is poked
 */
