/*
 * Live patching from GNU assembler, with the blocks of include/xmpatch.S.inc: a call is rewritten behind an INT3 while
 * another vCPU makes it.
 *
 *     xmcheck check examples/textpoke-gas.o --ladder
 *     xmcheck check examples/textpoke-gas.o --vcpus hasty,caller --fetch independent:16     (no synchronisation after the INT3)
 */
	.include "xmpatch.S.inc"

	.text
old_target:
	ret
	.skip 0x201, 0x90		/* apart, so that the displacements differ in more than one byte */
new_target:
	ret

	.balign 64
	.skip 62, 0x90			/* the bytes in which the calls differ stand on both sides of a line */
site:	call old_target
	ret

	.type patcher, @function
patcher:
	XM_INVOKE xm_text_poke, $site, $call_new, $5, $XM_SYNC_ALL
	ret
	.type hasty, @function
hasty:
	XM_INVOKE xm_text_poke, $site, $call_new, $5, $XM_SYNC2+XM_SYNC3
	ret
	.type caller, @function
caller:
	sti				/* or the IPI that synchronises does not arrive */
	call site
	XM_INVOKE xm_offline		/* nobody waits for it any more */
	ret

	XM_VCPU patcher
	XM_VCPU caller
	XM_SITE_INT3 site, 5, old_target, new_target
	XM_CALLS site, old_target, new_target
	XM_FORM_CALL call_new, site, new_target
	XM_SYNC_GROUP 2
	XM_POKE_HANDLER
	.section .note.GNU-stack, "", @progbits
