/*
 * P11  What a lock costs that is taken by trying again and again: nobody gives the pCPU away
 *
 * source: xen-devel, May 2009 (as P10); provenance G
 *
 * variant measure/trylock: measure pcpus=4,2 quantum=6000
 * variant measure/pv-lock: -DPV measure pcpus=4,2 quantum=6000
 */
#define MEASURE
#include "P10.c"
