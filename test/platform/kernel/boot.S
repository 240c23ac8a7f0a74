/* Multiboot entry, the 16-bit trampoline of the other vCPUs, interrupt stubs. */
	.set MAGIC, 0x1badb002
	.set FLAGS, 3
	.section .multiboot, "a"
	.align 4
	.long MAGIC, FLAGS, -(MAGIC + FLAGS)

	.text
	.globl _start
_start:
	movl $boot_stack_end, %esp
	pushl %ebx
	pushl %eax
	lgdt gdt_pointer
	ljmp $8, $1f
1:	movw $16, %cx
	movw %cx, %ds
	movw %cx, %es
	movw %cx, %ss
	call kernel_main
	cli
	hlt

	.globl trampoline, trampoline_end
	.code16
trampoline:
	cli
	xorw %ax, %ax
	movw %ax, %ds
	lgdtl 0x8000 + (low_gdt_pointer - trampoline)
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmpl $8, $ap_start
	.align 4
low_gdt_pointer:
	.word gdt_end - gdt - 1
	.long gdt
trampoline_end:
	.code32
ap_start:
	movw $16, %cx
	movw %cx, %ds
	movw %cx, %es
	movw %cx, %ss
	movl $1, %eax
	lock xaddl %eax, next_stack
	shll $12, %eax
	leal ap_stacks(%eax), %esp
	call ap_main
1:	cli
	hlt
	jmp 1b

	.globl on_ipi, on_timer, on_nmi, on_pic
on_ipi:
	pushal
	call ipi_handler
	popal
	iret
on_timer:
	pushal
	call timer_handler
	popal
	iret
on_nmi:
	lock incl nmi_count
	iret
on_pic:
	pushal
	call pic_handler
	popal
	iret

	.data
	.align 8
gdt:	.quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
gdt_end:
gdt_pointer:
	.word gdt_end - gdt - 1
	.long gdt
	.globl next_stack
next_stack: .long 1
	.bss
	.align 4096
	.skip 4096
boot_stack_end:
ap_stacks:
	.skip 4096 * 16
