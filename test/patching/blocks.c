/*
 * The blocks of xmpatch.h, one patcher each; which vCPUs run is said by blocks.test.ts.
 *
 * object:
 */
#include "xmpatch.h"

static void old_function(void) { xm_barrier(); }
XM_GAP(0x201);
static void new_function(void) { xm_barrier(); }

/* Two sites: the displacement of the first is an aligned dword; the second one's is not, across a line. */
void call_both(void);
__asm__(".text\n.balign 64\n.skip 3, 0x90\n.globl first, second\nfirst: call old_function\n\tret\n.balign 64\n.skip 62, 0x90\nsecond: call old_function\n\tret\n"
	"call_both: call first\n\tcall second\n\tret\n");
XM_FORM_CALL(first_old, first, old_function);
XM_FORM_CALL(first_new, first, new_function);
XM_FORM_CALL(second_old, second, old_function);
XM_FORM_CALL(second_new, second, new_function);
XM_SITE_INT3(first, 5, old_function, new_function);
XM_SITE_INT3(second, 5, old_function, new_function);
XM_SITE_TABLE(table, XM_ENTRY(first, first_old, first_new, 5), XM_ENTRY(second, second_old, second_new, 5));
XM_BATCH_HANDLER(table);
XM_SYNC_GROUP(2)

void relink_first(void) { xm_relink(first, first_new); }
void relink_second(void) { xm_relink(second, second_new); }
void batch(void) { xm_poke_batch(table, XM_SYNC1 | XM_SYNC2 | XM_SYNC3); }
void batch_without_second(void) { xm_poke_batch(table, XM_SYNC1 | XM_SYNC3); }
void batch_without_first(void) { xm_poke_batch(table, XM_SYNC2 | XM_SYNC3); }
void stop(void)
{
	xm_stop_machine(2);
	for (const struct xm_site *one = table; one->at; one++)
		xm_copy(one->at, one->after, one->bytes);
	xm_resume();
}
/* The guard is a form of its own: no site of the table is declared to hold it. */
void guarded(void) { xm_poke_guarded(first, first_new, 5); }

void executor(void)
{
	xm_sti();
	call_both();
	xm_offline();
}
void executor_of_second(void)
{
	xm_sti();
	__asm__ __volatile__("call second" : : : "eax", "ecx", "edx", "memory", "cc");
	xm_offline();
}
void executor_stopped(void)
{
	call_both();
	xm_stopped(1);
	call_both();
}
void executor_stopped_without_sync(void)
{
	call_both();
	xm_stopped(0);
	call_both();
}
XM_VCPU(batch);
XM_VCPU(executor);
