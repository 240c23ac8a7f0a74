/*
 * Message passing in GNU assembler: the payload is written before the flag, and x86 keeps stores in order, so
 * who sees the flag sees the payload. No fence is needed.
 *
 *     xmcheck check examples/mailbox.o
 */
	.include "xmcheck.S.inc"

	.bss
	.balign 4
payload:
	.skip 4
flag:
	.skip 4

	.text
	.type sender, @function
sender:
	movl $42, payload
	movl $1, flag
	ret
	.size sender, . - sender

	.type receiver, @function
receiver:
	pause
	cmpl $0, flag
	je receiver
	xorl %eax, %eax
	cmpl $42, payload
	sete %al
	XM_ASSERT "payload == 42"
	ret
	.size receiver, . - receiver

	XM_VCPU sender
	XM_VCPU receiver
	XM_OBJECT payload, 4
	XM_OBJECT flag, 4
	.section .note.GNU-stack, "", @progbits
