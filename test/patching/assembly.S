/*
 * The blocks of include/xmpatch.S.inc, a program each: code that is patched while an interrupt of the same vCPU, or another vCPU, runs it.
 * assembly.asm is the same for nasm. Which vCPUs run is said by library.test.ts.
 *
 * object: -DPOKE
 * object: -DBATCH
 * object: -DCALL
 * object: -DKEY
 * object: -DPROBE
 * object: -DPV
 * object: -DLAZY
 * object: -DNMI
 * object: -DTASKS
 * object: -DALIAS
 */
	.include "xmpatch.S.inc"

	.bss
	.balign 4
calls:	.skip 4
	.text

/* EAX = 1 where the calls are one more than ECX. */
	.macro ONE_CALL
	xorl %eax, %eax
	incl %ecx
	cmpl %ecx, calls
	sete %al
	XM_ASSERT "one call"
	.endm

#ifdef POKE
/* A call leads to one function or the other, and makes one call. */
old:	incl calls
	ret
	.skip 0x201, 0x90
site:	call old
	ret
	.skip 0x201, 0x90
new:	incl calls
	ret
	XM_FORM_CALL before, site, old
	XM_FORM_CALL after, site, new
	XM_SITE_INT3 site, 5, old, new
	XM_CALLS site, old, new
	XM_SYNC_GROUP 2
	XM_POKE_HANDLER
	.macro PATCH steps
	XM_INVOKE xm_text_poke, $site, $after, $5, $\steps
	movl $site, %eax
	movl $after, %edx
	XM_CALL XM_CALL_PATCHED
	ret
	.endm
patcher:	PATCH XM_SYNC_ALL
without_first:	PATCH XM_SYNC2+XM_SYNC3
without_second:	PATCH XM_SYNC1+XM_SYNC3
without_third:	PATCH XM_SYNC1+XM_SYNC2
caller:
	sti
	call site
	XM_INVOKE xm_offline
	xorl %ecx, %ecx
	ONE_CALL
	ret
	XM_VCPU patcher
	XM_VCPU caller

#elif defined(TASKS)
/* A task is parked in code that is freed once all tasks were quiescent. */
code:	nop
	nop
	ret
first_task:
	call code
	ret
patcher:
	XM_INVOKE xm_task, $first_task
	pushl %eax
	sti
	call xm_yield
	XM_INVOKE xm_tasks_quiesce
	cli
	call free
	jmp finish
careless:
	XM_INVOKE xm_task, $first_task
	pushl %eax
	sti
	call xm_yield
	cli
	call free
finish:
	call xm_wait_for
	popl %eax
	ret
free:	movl $code, %eax
	movl $3, %edx
	XM_CALL XM_CALL_FREE
	ret
	.type patcher, @function
	.type careless, @function
	XM_TASKS
	XM_TIMER 0, 1
	XM_VCPU patcher

#else
/* vCPU 0 patches; its interrupt, or NMI, runs the code. */
	XM_SYNC_GROUP 1
#ifdef NMI
	XM_NMI_LATCHED nmi, run
	XM_HANDLER 2, nmi
	XM_NMI_SOURCE 0, 2
#else
	XM_IRQ_SOURCE 0, 0x40, 1
	XM_HANDLER 0x40, run
#endif
	XM_VCPU patcher
patcher:
	sti
	call patch
	cli
	ret

#ifdef BATCH
old:	incl calls
	ret
	.skip 0x201, 0x90
run:	XM_NOP_SITE first, XM_P6_NOP5
second:	call old
	ret
	XM_FORM_NOP first_old, XM_P6_NOP5
	XM_FORM_CALL first_new, first, old
	XM_FORM_CALL second_old, second, old
	XM_FORM_NOP second_new, XM_GENERIC_NOP5
	XM_FORMS_INT3 first, 5, first_old, first_new
	XM_FORMS_INT3 second, 5, second_old, second_new
	.data
table:
	XM_ENTRY first, first_old, first_new, 5
	XM_ENTRY second, second_old, second_new, 5
	XM_TABLE_END
	.text
	XM_BATCH_HANDLER table
patch:
	XM_INVOKE xm_poke_batch, $table, $XM_SYNC_ALL
	movl $first, %eax
	movl $first_new, %edx
	XM_CALL XM_CALL_PATCHED
	ret
#elif defined(CALL)
old:	incl calls
	ret
	.skip 0x201, 0x90
new:	incl calls
	ret
run:	pushl calls
site:	call operation
	popl %ecx
	ONE_CALL
	jmp tail
tail:	.byte 0xe9
	.long empty - tail - 5
	XM_STATIC_CALL operation, old, operation_sites
	XM_STATIC_CALL_NULL empty, empty_sites
	.data
operation_sites:
	XM_STATIC_SITE site
	XM_SITES_END
empty_sites:
	XM_STATIC_TAIL tail
	XM_SITES_END
	.text
	XM_FORM_JMP operation_old, operation, old
	XM_FORM_JMP operation_new, operation, new
	XM_FORM_CALL before, site, operation
	XM_FORM_CALL after, site, new
	XM_FORM_JMP tail_old, tail, empty
	XM_FORM_NOP tail_new, XM_STATIC_RET
	XM_FORMS_INT3 operation, 5, operation_old, operation_new
	XM_FORMS_INT3 site, 5, before, after
	XM_FORMS_INT3 tail, 5, tail_old, tail_new
	XM_POKE_HANDLER
patch:
	XM_INVOKE xm_static_call_update, $operation_key, $new, $XM_SYNC_ALL
	XM_INVOKE xm_static_call_update, $empty_key, $0, $XM_SYNC_ALL
	ret
#elif defined(KEY)
run:	XM_STATIC_BRANCH branch
	movl %eax, calls
	ret
	XM_BRANCH_FORMS branch
	.data
branches:
	XM_BRANCH branch
	XM_TABLE_END
	.text
	XM_STATIC_KEY key, branches
	XM_BREAKPOINTS xm_key_bp, key
patch:
	XM_INVOKE xm_static_key_inc, $key, $XM_SYNC_ALL+XM_KEY_BUSY
	XM_INVOKE xm_static_key_inc, $key, $XM_SYNC_ALL+XM_KEY_BUSY
	XM_INVOKE xm_static_key_dec, $key, $XM_SYNC_ALL+XM_KEY_BUSY
	cli
	call run
	sti
	movl calls, %eax
	XM_ASSERT "still enabled"
	XM_INVOKE xm_static_key_dec, $key, $XM_SYNC_ALL+XM_KEY_BUSY
	cli
	call run
	xorl %eax, %eax
	cmpl $0, calls
	sete %al
	XM_ASSERT "disabled"
	ret
#elif defined(PROBE)
run:	movl $40, %eax
site:	addl $2, %eax
	cmpl $42, %eax
	movl $0, %eax
	sete %al
	XM_ASSERT "carried out once"
	ret
hit:	incl calls
	ret
	XM_FORM_BYTES original, 0x83, 0xc0, 2
	XM_FORMS_INT3 site, 3, original
	XM_PROBE probe, site, 3, hit
	XM_PROBE_STEPS
	XM_BREAKPOINTS xm_probe_bp, probe
prepare:
	XM_INVOKE xm_probe_prepare, $probe, $XM_PROBE_PLAIN
	ret
	XM_INIT prepare
patch:
	XM_INVOKE xm_probe_arm, $probe, $XM_SYNC_ALL
	XM_INVOKE xm_probe_disarm, $probe, $XM_SYNC_ALL
	ret
#elif defined(PV)
	.data
	.balign 4
table:	.long operation
	.text
operation:
	incl calls
	ret
run:	pushl calls
	XM_PV_CALL site, table
	popl %ecx
	ONE_CALL
	ret
	XM_FORM_PV before, table
	XM_FORM_PV_DIRECT after, site, operation
	XM_FORMS_INT3 site, 6, before, after
	XM_POKE_HANDLER
patch:
	XM_INVOKE xm_text_poke_emulating, $site, $after, $6, $XM_SYNC_ALL, $before
	ret
#elif defined(LAZY)
	.data
	.balign 4
slot:	.long new
	.text
new:	incl calls
	ret
	XM_LAZY_STUB stub, slot
run:	pushl calls
	jmp 1f
	.balign 4
	.skip 3, 0x90
1:
site:	call stub
	popl %ecx
	ONE_CALL
	ret
	XM_SITE site, 5, stub, new
patch:
	cli
	call run
	sti
	ret
#elif defined(NMI)
/* NMIs that come while the body runs do not nest; it runs code that is being written. */
run:
	XM_INVOKE xm_nmi_enter
	movl calls, %edx
	incl calls
	xorl %eax, %eax
	testl %edx, %edx
	sete %al
	XM_ASSERT "does not nest"
	call code
	decl calls
	XM_INVOKE xm_nmi_exit
	ret
code:
site:	movl $0x01020304, %eax
	ret
	XM_FORM_BYTES before, 0xb8, 4, 3, 2, 1
	XM_FORM_BYTES after, 0xb8, 8, 7, 6, 5
	XM_FORMS site, 5, before, after
patch:
	XM_INVOKE xm_nmi_write, $site, $after, $5
	ret
#elif defined(ALIAS)
/* The vCPU that pokes through the alias, and its interrupt, run the code; its fetches do not see its stores before it serialises. */
	XM_INIT xm_alias_map
run:
site:	movl $0x01020304, %eax
	ret
	XM_FORM_BYTES before, 0xb8, 4, 3, 2, 1
	XM_FORM_NOP after, XM_P6_NOP5
	XM_FORMS_INT3 site, 5, before, after
	XM_POKE_HANDLER
	.macro PATCH steps
	call xm_alias_on
	XM_INVOKE xm_text_poke_alias, $site, $after, $5, $\steps
	movl $site, %eax
	movl $after, %edx
	XM_CALL XM_CALL_PATCHED
	ret
	.endm
patch:	PATCH XM_SYNC_ALL
	.type careless, @function
careless:
	sti
	call careless_patch
	cli
	ret
careless_patch:	PATCH XM_SYNC1+XM_SYNC3
#endif
#endif
	.section .note.GNU-stack, "", @progbits
