/*
 * Passes of save, disable, restore, enable, in the forms that a paravirtualised kernel has had for them. Every
 * form does the same native work; what differs is how the code gets there.
 *
 * object: -DEMPTY
 * object: -DINDIRECT
 * object: -DDIRECT
 * object: -DPATCHED
 * object: -DPATCHED -DONE_BYTE
 * object: -DNATIVE
 */
#include "xmpatch.h"

#define PASSES 250

__asm__(".text\nnative_save: pushfl\n\tpopl %eax\n\tret\nnative_restore: pushl %eax\n\tpopfl\n\tret\n"
	"native_disable: cli\n\tret\nnative_enable: sti\n\tret\n");
void native_save(void);
void native_restore(void);
void native_disable(void);
void native_enable(void);
__attribute__((used)) static void (*volatile pv_save)(void) = native_save;
__attribute__((used)) static void (*volatile pv_restore)(void) = native_restore;
__attribute__((used)) static void (*volatile pv_disable)(void) = native_disable;
__attribute__((used)) static void (*volatile pv_enable)(void) = native_enable;

/* An indirect call is 6 bytes; what replaces it is padded to that. */
#ifdef ONE_BYTE
#define PAD4 "nop\n\tnop\n\tnop\n\tnop\n\t"
#define PAD5 PAD4 "nop\n\t"
#else
#define PAD4 ".byte 0x0f, 0x1f, 0x40, 0x00\n\t"
#define PAD5 ".byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n\t"
#endif
#if defined(EMPTY)
#define OPERATION(name, native, pad) ""
#elif defined(INDIRECT)
#define OPERATION(name, native, pad) "call *pv_" name "\n\t"
#elif defined(DIRECT)
#define OPERATION(name, native, pad) "call native_" name "\n\tnop\n\t"
#elif defined(PATCHED)
#define OPERATION(name, native, pad) native pad
#else
#define OPERATION(name, native, pad) native
#endif

static void guest(void)
{
	for (int n = 0; n < PASSES; n++)
		__asm__ __volatile__(OPERATION("save", "pushfl\n\tpopl %%eax\n\t", PAD4)
				     OPERATION("disable", "cli\n\t", PAD5)
				     OPERATION("restore", "pushl %%eax\n\tpopfl\n\t", PAD4)
				     OPERATION("enable", "sti\n\t", PAD5)
				     : : : "eax", "ecx", "edx", "memory", "cc");
}

XM_VCPU(guest);
