/*
 * The question xmcheck was born from (xen-devel, May 2009): if the 4-byte offset of a `call` is rewritten with a
 * single store while other CPUs execute it, can anything but the old or the new function ever be called?
 *
 *     xmcheck relink                                        every alignment, on every rung of the fetch ladder
 *     xmcheck check examples/relink.o                       this file as it is linked by default
 *     xmcheck check examples/relink.o --vcpus patcher_bytes,executor*2 --place symbol:relink_site=0x10100e
 *
 * vCPU 0 rewrites, the others call. The variants of the patcher are entry functions of their own.
 */
#include "xmcheck.h"

#define OWN_SECTION(name) __attribute__((section(".text." name), noinline, used, aligned(1)))

/* Empty, and each in a section of its own: the linker can put them wherever the displacements should differ. */
OWN_SECTION("old_target") void old_target(void) {}
OWN_SECTION("new_target") void new_target(void) {}

/* Any number of calls: nothing here grows, so that the state space is finite and `complete` covers them all. */
OWN_SECTION("executor") void executor(void)
{
	for (;;)
		XM_CALL_SITE(relink_site, old_target);
}

XM_SITE(relink_site, 5, old_target, new_target);

/* E8 and a displacement that counts from the end of the call. */
#define OFFSET_BYTES ((unsigned int *)(relink_site + 1))
#define DISPLACEMENT(target) ((unsigned int)(target) - (unsigned int)(relink_site + 5))

/* One 32-bit store. */
void patcher(void) { xm_store(OFFSET_BYTES, DISPLACEMENT(new_target)); }

/* The new instruction, in memory: what follows has to copy it. */
static inline __attribute__((always_inline)) void make_call(unsigned char call[5])
{
	const unsigned int displacement = DISPLACEMENT(new_target);

	call[0] = 0xe8;
	__builtin_memcpy(call + 1, &displacement, 4);
	__asm__ __volatile__("" : : "r"(call) : "memory");
}

/* The whole instruction, byte by byte, as a plain memcpy may copy it. */
void patcher_bytes(void)
{
	unsigned char call[5];

	make_call(call);
	for (int n = 0; n < 5; n++)
		xm_store((unsigned char *)relink_site + n, call[n]);
}

/* The whole instruction as gcc copies five bytes: a dword and a byte. */
void patcher_copy(void)
{
	unsigned char call[5];

	make_call(call);
	__builtin_memcpy((void *)relink_site, call, sizeof(call));
	xm_barrier();
}

XM_VCPU(patcher);
XM_VCPU(executor);
