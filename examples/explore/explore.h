/*
 * What the programs of this folder share: the same names as in the literature's benchmarks. Plain accesses are
 * single MOVs, XCHG, FADD and CAS locked instructions. -DN, -DM: parameters; -DFENCE: with fences; -DNOASSERT:
 * count executions of a version that is wrong.
 */
#include "xmcheck.h"

#ifndef N
#define N 2
#endif
#ifndef M
#define M 1
#endif

#define LD(v) xm_load(&(v))
#define ST(v, n) xm_store(&(v), (n))
#define XCHG(v, n) ((int)xm_xchg(&(v), (n)))
#define FADD(v, n) ((int)xm_xadd(&(v), (n)))
#define CAS(v, e, n) ((int)xm_cmpxchg(&(v), (e), (n)) == (e))
#ifdef FENCE
#define F() xm_mfence()
#else
#define F()
#endif
#ifdef NOASSERT
#define ASSERT(c) ((void)0)
#else
#define ASSERT(c) XM_ASSERT(c)
#endif
