/*
 * A43  A call is rewritten while its return address is on a stack: replacements that change its size
 *
 * source: 7ce0bcfd1667 (VMI sites), pv_ops patching, provenance G
 *
 * variant shrink: -DBEFORE=indirect -DAFTER=direct -DINDIRECT=1
 * variant grow: -DBEFORE=direct -DAFTER=indirect -DINDIRECT=0
 */
#include "xmstatic.h"
#include "xmtask.h"

#define TEXT_(n) #n
#define TEXT(n) TEXT_(n)
void operation(void);
__attribute__((used)) void (*volatile pv_op)(void) = operation;
/* 6 bytes: call *pv_op, or call operation and a NOP. The callee is preempted. */
void caller(void);
__asm__(".text\ncaller:\n.globl site\nsite:\n"
	".if " TEXT(INDIRECT) "\n\tcall *pv_op\n.else\n\tcall operation\n\tnop\n.endif\n\tret\n"
	"operation: pushal\n\tint $0x81\n\tpopal\n\tret\n");
XM_FORM_PV(indirect, pv_op);
XM_FORM_PV_DIRECT(direct, site, operation);
XM_FORMS(site, 6, BEFORE, AFTER);
XM_TASKS(1)

static void patcher(void)
{
	xm_copy((void *)site, AFTER, 6);
	xm_sync_core();
}

static void task(void)
{
	const unsigned int other = xm_task(patcher);
	caller(); /* yields in the callee */
	xm_wait_for(other);
	caller();
}

XM_VCPU(task);

/*
 * survivor INT removed, `}`: a callee that does not give way leaves no return address behind
 * survivor branch never taken, xm_switch, `XM_TASKS(1)`: there is one other task, and it gives way to nobody
 * survivor branch always taken, xm_switch_quietly, `XM_TASKS(1)`: nobody counts quiet states here
 * survivor branch never taken, task, `XM_TASKS(1)`: the other task goes on until it ends, once it has its turn
 */
