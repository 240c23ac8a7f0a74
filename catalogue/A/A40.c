/*
 * A40  Errata: unsynchronised cross-modifying code may do anything
 *
 * source: Intel specification updates (Pentium III and Celeron: W108), provenance W
 *
 * On the rung `strict` executing code that was modified since the vCPU last serialised is itself the violation.
 *
 * variant a02: -DA02 --fetch strict
 * variant a05: --fetch strict
 */
#ifdef A02
#include "A02.c"
#else
#include "A05.c"
#endif

/*
 * survivor store removed, patcher, `xm_poked_site = 0;`: nobody can meet the breakpoint any more, and nothing else is poked
 */
