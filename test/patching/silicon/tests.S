/*
 * Code that one CPU writes while another executes it. The same object runs on real cores (harness.c) and in the model
 * (silicon.test.ts): two functions a test, NAME_w and NAME_r, that start together and leave in seen_w and seen_r what they saw.
 *
 * An instruction is observed by what it puts into EAX: `mov $imm, %eax` whose immediate is rewritten from OLD to NEW. All
 * bytes of both differ, so that a mixture tells which bytes were old. Before each call EAX is PRESET, so that `xor` in the
 * place of `mov` is told too.
 *
 * The number in a name is the place of the first byte that is written, in a line of 64 bytes; p: the line is the last of a page.
 */
.section .note.GNU-stack, "", @progbits
.include "xmcheck.S.inc"

.set OLD, 0x44332211
.set NEW, 0x88776655
.set PRESET, 0x0f0f0f0f
.set MOV, 0xb8
.set XOR, 0x35
.set INT3, 0xcc
.set TRAPPED, 0xcccccccc

/* A breakpoint stands for the whole instruction. harness.c does the same with a signal. */
XM_HANDLER_RAW 3, trap

.text
trap:
	movl $TRAPPED, %eax
	addl $4, (%esp)
	iret

/* The table of tests: name, functions, words that each leaves, the memory that is put back before each round. */
.macro TEST name, words_w, words_r
	.pushsection tests, "a", @progbits
	.long .Lname_\name, \name\()_w, \name\()_r, \words_w, \words_r, \name\()_from, \name\()_to
	.popsection
	.pushsection .rodata.names, "a", @progbits
.Lname_\name:
	.asciz "\name"
	.popsection
.endm

/* Core-serialising, on every class of CPU. */
.macro SYNC
	pushfl
	pushl %cs
	pushl $.Lsynced_\@
	iret
.Lsynced_\@:
.endm

.macro SEE place
	movl %eax, \place
.endm

/* Calls \site three times. */
.macro READER name
	.globl \name\()_r
\name\()_r:
	.irp n, 0, 4, 8
	movl $PRESET, %eax
	call \name\()_site
	SEE seen_r+\n
	.endr
	ret
.endm

/* The instruction that is rewritten: its byte \into stands at byte \place of a line. */
.macro MOV_SITE name, place, into, page=0
	.if \page
	.balign 4096
	.skip 4096 - 64
	.else
	.balign 64
	.endif
\name\()_from:
	.if \place < \into
	.skip \place - \into + 64
	.elseif \place > \into
	.skip \place - \into
	.endif
\name\()_site:
	.byte MOV
	.long OLD
	ret
	.balign 64
\name\()_to:
.endm

.macro BEGIN name
	.balign 64
	.globl \name\()_w
\name\()_w:
.endm

/* ---- One store inside an instruction ---- */

.macro STORE4 place
	BEGIN s4_\place
	movl $NEW, s4_\place\()_site + 1
	ret
	READER s4_\place
	MOV_SITE s4_\place, \place, 1
	TEST s4_\place, 0, 3
.endm
.macro STORE2 place
	BEGIN s2_\place
	movw $(NEW & 0xffff), s2_\place\()_site + 1
	ret
	READER s2_\place
	MOV_SITE s2_\place, \place, 1
	TEST s2_\place, 0, 3
.endm
/* The opcode. */
.macro STORE1 place
	BEGIN s1_\place
	movb $XOR, s1_\place\()_site
	ret
	READER s1_\place
	MOV_SITE s1_\place, \place, 0
	TEST s1_\place, 0, 3
.endm
/* The whole instruction and what follows, 8 bytes, at once where they are in one line. */
.macro STORE8 place
	BEGIN s8_\place
	pushl %ebx
	movl s8_\place\()_site, %eax
	movl s8_\place\()_site + 4, %edx
	movl $(XOR | (NEW & 0xffffff) << 8), %ebx
	movl $0xc388, %ecx
	lock cmpxchg8b s8_\place\()_site
	popl %ebx
	ret
	READER s8_\place
	MOV_SITE s8_\place, \place, 0
	TEST s8_\place, 0, 3
.endm

/* Every place in a line. */
.set place, 0
.rept 64
	.altmacro
	STORE4 %place
	.noaltmacro
	.set place, place + 1
.endr
.irp place, 3, 6, 7, 12, 15, 23, 31, 47, 63
	STORE2 \place
.endr
.irp place, 0, 7, 15, 16, 31, 60, 63
	STORE1 \place
.endr
.irp place, 0, 8, 9, 12, 28, 44
	STORE8 \place
.endr

/* Across a page. */
.macro STORE4_PAGE place
	BEGIN s4p_\place
	movl $NEW, s4p_\place\()_site + 1
	ret
	READER s4p_\place
	MOV_SITE s4p_\place, \place, 1, 1
	TEST s4p_\place, 0, 3
.endm
STORE4_PAGE 62

/* ---- Two stores, and more ---- */

/* Opcode, then immediate. */
.macro OPCODE_FIRST place
	BEGIN of_\place
	movb $XOR, of_\place\()_site
	movl $NEW, of_\place\()_site + 1
	ret
	READER of_\place
	MOV_SITE of_\place, \place, 0
	TEST of_\place, 0, 3
.endm
.macro OPCODE_LAST place
	BEGIN ol_\place
	movl $NEW, ol_\place\()_site + 1
	movb $XOR, ol_\place\()_site
	ret
	READER ol_\place
	MOV_SITE ol_\place, \place, 0
	TEST ol_\place, 0, 3
.endm
/* Byte by byte. */
.macro COPY place
	BEGIN cp_\place
	movb $XOR, cp_\place\()_site
	movb $(NEW & 0xff), cp_\place\()_site + 1
	movb $(NEW >> 8 & 0xff), cp_\place\()_site + 2
	movb $(NEW >> 16 & 0xff), cp_\place\()_site + 3
	movb $(NEW >> 24 & 0xff), cp_\place\()_site + 4
	ret
	READER cp_\place
	MOV_SITE cp_\place, \place, 0
	TEST cp_\place, 0, 3
.endm
/* A breakpoint first, without synchronisations in between. */
.macro BREAKPOINT place
	BEGIN bp_\place
	movb $INT3, bp_\place\()_site
	movl $NEW, bp_\place\()_site + 1
	movb $XOR, bp_\place\()_site
	ret
	READER bp_\place
	MOV_SITE bp_\place, \place, 0
	TEST bp_\place, 0, 3
.endm
/* The reader serialises after the breakpoint is there, and says so before the rest is written: what A07 of the catalogue asks. */
.macro BREAKPOINT_SYNC place
	BEGIN bs_\place
	movb $INT3, bs_\place\()_site
	movl $1, word_x
1:	pause
	cmpl $0, word_y
	je 1b
	movl $NEW, bs_\place\()_site + 1
	movb $XOR, bs_\place\()_site
	ret
	.globl bs_\place\()_r
bs_\place\()_r:
1:	pause
	cmpl $0, word_x
	je 1b
	SYNC
	movl $1, word_y
	movl word_delay, %ecx
2:	jecxz 3f
	decl %ecx
	jmp 2b
3:
	.irp n, 0, 4, 8
	movl $PRESET, %eax
	call bs_\place\()_site
	SEE seen_r+\n
	.endr
	ret
	MOV_SITE bs_\place, \place, 0
	TEST bs_\place, 0, 3
.endm
.irp place, 0, 4, 13, 15, 29, 31, 45, 61, 63
	OPCODE_FIRST \place
	OPCODE_LAST \place
.endr
.irp place, 0, 13, 29, 61
	COPY \place
.endr
.irp place, 0, 13, 29, 61, 63
	BREAKPOINT \place
	BREAKPOINT_SYNC \place
.endr

/* ---- A call, whose displacement is rewritten: its two low bytes differ ---- */

/* By how much the places that a displacement of old and new bytes leads to are apart. */
.set STEP0, 0x10
.set STEP1, 0x100
.macro RELINK place
	BEGIN cl_\place
	movl $(cl_\place\()_targets + STEP0 + STEP1 - cl_\place\()_site - 5), cl_\place\()_site + 1
	ret
	READER cl_\place
	.balign 64
cl_\place\()_from:
	.skip (\place + 63) % 64
cl_\place\()_site:
	/* The mixtures lead to the other two: neither byte carries. */
	call cl_\place\()_targets
	ret
	.balign 64
cl_\place\()_to:
	.balign 0x400
	.skip (cl_\place\()_site + 5 - cl_\place\()_from) % 64
cl_\place\()_targets:
	movl $0x00, %eax
	ret
	.skip STEP0 - 6, INT3
	movl $0x01, %eax
	ret
	.skip STEP1 - STEP0 - 6, INT3
	movl $0x10, %eax
	ret
	.skip STEP0 - 6, INT3
	movl $0x11, %eax
	ret
	TEST cl_\place, 0, 3
.endm
.irp place, 4, 7, 15, 31, 47, 63
	RELINK \place
.endr

/* ---- The same bytes as data: a control ---- */

.macro DATA place
	BEGIN dt_\place
	movl $NEW, dt_\place\()_site + 1
	ret
	.globl dt_\place\()_r
dt_\place\()_r:
	.irp n, 0, 4, 8
	movl dt_\place\()_site + 1, %eax
	SEE seen_r+\n
	.endr
	ret
	MOV_SITE dt_\place, \place, 1
	TEST dt_\place, 0, 3
.endm
.irp place, 0, 6, 14, 30, 61, 62, 63
	DATA \place
.endr

/* ---- Messages through code: two sites, and a word of data, all 0, that become 1 ---- */

.macro PAIR name, words_w, words_r
	.balign 64
\name\()_from:
	.skip 4
\name\()_a:
	movl $0, %eax
	ret
	.balign 128
\name\()_b:
	movl $0, %eax
	ret
	.balign 64
\name\()_to:
	TEST \name, \words_w, \words_r
.endm
.macro WRITE_A name
	movb $1, \name\()_a + 1
.endm
.macro WRITE_B name
	movb $1, \name\()_b + 1
.endm
.macro WRITE_X
	movl $1, word_x
.endm
.macro RUN_A name, place
	call \name\()_a
	SEE \place
.endm
.macro RUN_B name, place
	call \name\()_b
	SEE \place
.endm
.macro READ_X place
	movl word_x, %eax
	SEE \place
.endm
.macro READER_BEGIN name
	ret
	.balign 64
	.globl \name\()_r
\name\()_r:
.endm
.macro END name, words_w, words_r
	ret
	PAIR \name, \words_w, \words_r
.endm

/* Message passing: code, then a flag. */
BEGIN mp_flag
	WRITE_A mp_flag
	WRITE_X
READER_BEGIN mp_flag
	READ_X seen_r
	RUN_A mp_flag, seen_r+4
END mp_flag, 0, 2
/* The reader serialises, as the manual wants it. */
BEGIN mp_sync
	WRITE_A mp_sync
	WRITE_X
READER_BEGIN mp_sync
	READ_X seen_r
	SYNC
	RUN_A mp_sync, seen_r+4
END mp_sync, 0, 2
/* It only jumps on what it read. */
BEGIN mp_jump
	WRITE_A mp_jump
	WRITE_X
READER_BEGIN mp_jump
	READ_X seen_r
	testl %eax, %eax
	jz 1f
	nop
1:
	RUN_A mp_jump, seen_r+4
END mp_jump, 0, 2
/* Data, then code. */
BEGIN mp_code
	WRITE_X
	WRITE_A mp_code
READER_BEGIN mp_code
	RUN_A mp_code, seen_r
	READ_X seen_r+4
END mp_code, 0, 2
/* Code, then code. */
BEGIN mp_both
	WRITE_A mp_both
	WRITE_B mp_both
READER_BEGIN mp_both
	RUN_B mp_both, seen_r
	RUN_A mp_both, seen_r+4
END mp_both, 0, 2
BEGIN mp_both_sync
	WRITE_A mp_both_sync
	WRITE_B mp_both_sync
READER_BEGIN mp_both_sync
	RUN_B mp_both_sync, seen_r
	SYNC
	RUN_A mp_both_sync, seen_r+4
END mp_both_sync, 0, 2

/* Store buffering. */
BEGIN sb_code
	WRITE_A sb_code
	READ_X seen_w
READER_BEGIN sb_code
	WRITE_X
	RUN_A sb_code, seen_r
END sb_code, 1, 1
BEGIN sb_fence
	WRITE_A sb_fence
	mfence
	READ_X seen_w
READER_BEGIN sb_fence
	WRITE_X
	mfence
	RUN_A sb_fence, seen_r
END sb_fence, 1, 1
BEGIN sb_sync
	WRITE_A sb_sync
	mfence
	READ_X seen_w
READER_BEGIN sb_sync
	WRITE_X
	SYNC
	RUN_A sb_sync, seen_r
END sb_sync, 1, 1
BEGIN sb_both
	WRITE_A sb_both
	RUN_B sb_both, seen_w
READER_BEGIN sb_both
	WRITE_B sb_both
	RUN_A sb_both, seen_r
END sb_both, 1, 1
BEGIN sb_both_fence
	WRITE_A sb_both_fence
	mfence
	RUN_B sb_both_fence, seen_w
READER_BEGIN sb_both_fence
	WRITE_B sb_both_fence
	mfence
	RUN_A sb_both_fence, seen_r
END sb_both_fence, 1, 1
BEGIN sb_both_sync
	WRITE_A sb_both_sync
	SYNC
	RUN_B sb_both_sync, seen_w
READER_BEGIN sb_both_sync
	WRITE_B sb_both_sync
	SYNC
	RUN_A sb_both_sync, seen_r
END sb_both_sync, 1, 1

/* Load buffering: who ran the code before it writes. */
BEGIN lb_code
	RUN_A lb_code, seen_w
	WRITE_X
READER_BEGIN lb_code
	READ_X seen_r
	WRITE_A lb_code
END lb_code, 1, 1

/* The bytes as data and as code, in both orders. */
BEGIN co_load_run
	WRITE_A co_load_run
READER_BEGIN co_load_run
	movzbl co_load_run_a + 1, %eax
	SEE seen_r
	RUN_A co_load_run, seen_r+4
END co_load_run, 0, 2
BEGIN co_run_load
	WRITE_A co_run_load
READER_BEGIN co_run_load
	RUN_A co_run_load, seen_r
	movzbl co_run_load_a + 1, %eax
	SEE seen_r+4
END co_run_load, 0, 2

/* Own stores: seen at once, whatever another CPU does. */
BEGIN own
	WRITE_A own
	RUN_A own, seen_w
READER_BEGIN own
	WRITE_B own
	RUN_B own, seen_r
END own, 1, 1
/* Into the instruction that follows. */
BEGIN own_next
	movb $1, own_next_w_next + 1
own_next_w_next:
	movl $0, %eax
	SEE seen_w
	movb $0, own_next_w_next + 1
READER_BEGIN own_next
	WRITE_A own_next
	RUN_A own_next, seen_r
END own_next, 1, 1

/* ---- What is shared ---- */
.section .bss.seen, "aw", @nobits
.balign 64
.globl seen_w, seen_r, word_x, word_y, word_delay
seen_w:
	.skip 64
seen_r:
	.skip 64
word_x:
	.skip 64
word_y:
	.skip 64
/* How often the reader goes round before it reads: the harness draws it. */
word_delay:
	.skip 64

.section tests, "a", @progbits
	.long 0 /* the end of the table */
