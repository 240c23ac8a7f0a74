/*
 * P12  Which calls are to be relinked: a table that the assembler made, or a pass over the text
 *
 * source: xen-devel, May 2009 (functions that look like any other to the compiler; a pass over the kernel finds the calls; without relocations that was
 *         complex and brittle); provenance G
 *
 * Calls lead to a default that jumps through a slot, until they are relinked to what the slot holds. Constants stand in the text too, and one of them
 * reads like a call.
 *
 * variant by-table: -DTABLE
 * variant by-pass-over-the-text:
 * variant by-pass-that-knows-instructions: -DBOUNDARIES
 * variant one-call-left-out: -DTABLE -DLEAVES_OUT
 */
#include "xmpatch.h"

static volatile unsigned int by_default, direct;
__attribute__((used)) static void handler(void) { direct++; }
__attribute__((used)) static void first_handler(void) { by_default++; }
__attribute__((used)) static void (*volatile slot)(void) = first_handler;

#define CALL(n) "call" #n ": call operation\n\t.pushsection .rodata\n\t.long call" #n "\n\t.popsection\n\t"
__asm__(".pushsection .rodata\n\t.balign 4\n.globl calls\ncalls:\n.popsection\n"
	".pushsection .text\n.globl text_begins\ntext_begins:\n"
	"operation: jmp *slot\n"
	"work: " CALL(1) CALL(2) "ret\n"
	"more: " CALL(3) "ret\n"
	".globl constant\nconstant: .byte 0xe8\n\t.long operation - . - 4\n"
	".globl text_ends\ntext_ends:\n.popsection\n"
	".pushsection .rodata\n\t.long 0\n.popsection\n");
void operation(void);
void work(void);
void more(void);
extern unsigned char *const calls[], text_begins[], text_ends[];
extern const volatile unsigned char constant[];

static int leads_to_default(const unsigned char *at) { return at[0] == 0xe8 && (unsigned int)at + 5 + *(const unsigned int *)(at + 1) == (unsigned int)operation; }
static void relink(unsigned char *at) { xm_store((unsigned int *)(at + 1), (unsigned int)handler - (unsigned int)at - 5); }

#ifdef BOUNDARIES
/* Lengths of the instructions that stand there: FF 25 (jmp through memory), E8, C3. The text ends where constants begin. */
static unsigned int length(const unsigned char *at) { return at[0] == 0xff ? 6 : at[0] == 0xe8 ? 5 : 1; }
#define END constant
#else
static unsigned int length(const unsigned char *at) { return (void)at, 1; }
#define END text_ends
#endif

static void guest(void)
{
	const unsigned char before = constant[1];
	work();
	more();
	XM_ASSERT(by_default == 3);
#ifdef TABLE
	for (unsigned int n = 0; calls[n] != 0; n++)
#ifdef LEAVES_OUT
		if (n != 1)
#endif
			relink(calls[n]);
#else
	for (unsigned char *at = text_begins; at < (unsigned char *)END; at += length(at))
		if (leads_to_default(at))
			relink(at);
#endif
	xm_sync_core();
	slot = 0; /* nobody comes by there any more */
	work();
	more();
	XM_ASSERT(direct == 3 && by_default == 3);
	XM_ASSERT(constant[0] == 0xe8 && constant[1] == before);
}

XM_VCPU(guest);

/*
 * survivor store removed, guest, `slot = 0;...`: what would come by there is what the property asks
 */
