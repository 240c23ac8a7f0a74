/*
 * A44  The cost of stores near code: every one that hits a line which another vCPU executes from clears its pipeline
 *
 * source: xen-devel, 14 May 2009; Intel optimisation manual (self- and cross-modifying code), provenance G
 *
 * variant measure/patches: -DPATCHES measure table=p4
 * variant measure/data-beside-code: -DBESIDE measure table=p4
 * variant measure/data-away-from-code: -DAWAY measure table=p4
 */
#include "xmpatch.h"

#define COUNT 16
void old_function(void);
void new_function(void);
void call_it(void);
__asm__(".text\n.balign 64\n.skip 3, 0x90\n.globl site\ncall_it:\nsite: call old_function\n\tret\n"
	"old_function: ret\nnew_function: ret\n.balign 4\nbeside: .long 0\n.balign 64\n");
XM_FORM_CALL(call_old, site, old_function);
XM_FORM_CALL(call_new, site, new_function);
extern volatile unsigned char site[];
extern volatile unsigned int beside;
static volatile unsigned int away __attribute__((aligned(64))), done __attribute__((aligned(64))), started;

static void writer(void)
{
	while (!started)
		xm_pause();
	for (int n = 0; n < COUNT; n++) {
#if defined(PATCHES)
		*(volatile unsigned int *)(site + 1) = *(const unsigned int *)((n & 1 ? call_old : call_new) + 1);
#elif defined(BESIDE)
		beside++;
#else
		away++;
#endif
	}
	done = 1;
}

static void executor(void)
{
	while (!done) {
		call_it();
		started = 1;
	}
}

XM_VCPU(writer);
XM_VCPU(executor);
