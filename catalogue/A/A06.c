/*
 * A06  text_poke_bp without the first synchronisation
 *
 * source: mutant of fd4363fff3d9, provenance H
 *
 * variant byte-or-straddling-fetch/byte: --fetch byte
 * variant byte-or-straddling-fetch/straddling: --fetch ordered:4
 * variant single-chunk-atomic-fetch: --fetch single
 */
#define STEPS (XM_SYNC2 | XM_SYNC3)
#include "A05.c"

/*
 * survivor store removed, patcher, `xm_poked_site = 0;`: nobody can meet the breakpoint any more, and nothing else is poked
 */
