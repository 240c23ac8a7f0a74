/*
 * A45  Instruction punning: the jump's displacement is made of the instructions behind it
 *
 * source: Chamith, Svensson, Dalessandro, Newton, PLDI 2016 and 2017, provenance W
 *
 * variant non-straddling: -DBEFORE=0
 * variant straddling-w-o-wait: -DBEFORE=63
 */
#include "xmpatch.h"

#define TEXT_(n) #n
#define TEXT(n) TEXT_(n)
/*
 * 66 90 | 10 00 | 00 00 | ret     nop; adc %al,(%eax); add %al,(%eax)
 * E9 04   10 00   00              jmp site + 5 + 0x1004: two bytes change
 */
void probed(void);
__asm__(".text\n.balign 64\n.fill " TEXT(BEFORE) ", 1, 0x90\nprobed:\n.globl site\nsite: .byte 0x66, 0x90, 0x10, 0x00, 0x00, 0x00\n\tret\n"
	".skip 0x1002, 0x90\nlanding: .byte 0x10, 0x00, 0x00, 0x00\n\tret\n.if landing - site - 0x1009\n.error \"landing pad\"\n.endif\n");
XM_FORM_BYTES(plain, "0x66, 0x90, 0x10, 0x00, 0x00, 0x00");
XM_FORM_BYTES(punned, "0xe9, 0x04, 0x10, 0x00, 0x00, 0x00");
XM_FORMS(site, 6, plain, punned);

static unsigned int scratch[2];

static void toggler(void) { xm_store((unsigned short *)site, *(const unsigned short *)punned); }

static void executor(void)
{
	for (int n = 0; n < 2; n++) {
		unsigned int pointer = (unsigned int)&scratch[0];
		__asm__ __volatile__("call probed" : "+a"(pointer) : : "memory", "cc");
	}
}

XM_VCPU(toggler);
XM_VCPU(executor);

/*
 * survivor store removed, `__asm__ __volatile__("call probed"...`: the bytes have to execute, what they add is nothing to anybody
 * survivor call removed, executor, `__asm__ __volatile__("call probed"...`: the other pass executes the site
 */
