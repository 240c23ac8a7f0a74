/*
 * An uncontended ticket lock and the value of a page-table entry, by how a paravirtualised kernel gets to them. The lock: a function that makes an
 * indirect call, the same patched to a direct one, one merged with what it called, its code inline. The value, which natively is its argument: an
 * indirect call, a direct one, one NOP, NOPs of one byte, nothing.
 *
 * object: -DEMPTY
 * object: -DLOCK -DINDIRECT
 * object: -DLOCK -DDIRECT
 * object: -DLOCK -DMERGED
 * object: -DLOCK -DINLINE
 * object: -DVALUE -DINDIRECT
 * object: -DVALUE -DDIRECT
 * object: -DVALUE -DPATCHED
 * object: -DVALUE -DPATCHED -DONE_BYTE
 * object: -DVALUE -DINLINE
 */
#include "xmpatch.h"

#define PASSES 250

__attribute__((used)) static volatile struct {
	unsigned char owner, next;
} lock;
__attribute__((used)) static volatile unsigned int entry = 0x5063, sink;

#define TICKET_LOCK "movw $0x100, %ax\n\tlock xaddw %ax, lock\n\t1: cmpb %al, %ah\n\tje 2f\n\tpause\n\tmovb lock, %al\n\tjmp 1b\n\t2:\n\t"
__asm__(".text\nticket_lock: " TICKET_LOCK "ret\n"
	"spin_lock_indirect: call *pv_lock\n\tret\n"
	"spin_lock_direct: call ticket_lock\n\tnop\n\tret\n"
	"identity: ret\n");
void ticket_lock(void);
void identity(void);
__attribute__((used)) static void (*volatile pv_lock)(void) = ticket_lock;
__attribute__((used)) static void (*volatile pv_pte_val)(void) = identity;

#if defined(EMPTY)
#define PASS ""
#elif defined(LOCK)
#if defined(INDIRECT)
#define TAKE "call spin_lock_indirect\n\t"
#elif defined(DIRECT)
#define TAKE "call spin_lock_direct\n\t"
#elif defined(MERGED)
#define TAKE "call ticket_lock\n\t"
#else
#define TAKE TICKET_LOCK
#endif
#define PASS TAKE "incb lock\n\t"
#else
/* A call is 5 bytes, an indirect one 6; what replaces it is padded to that. */
#if defined(INDIRECT)
#define VALUE_OF "call *pv_pte_val\n\t"
#elif defined(DIRECT)
#define VALUE_OF "call identity\n\tnop\n\t"
#elif defined(ONE_BYTE)
#define VALUE_OF "nop\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\t"
#elif defined(PATCHED)
#define VALUE_OF ".byte " XM_P6_NOP6 "\n\t"
#else
#define VALUE_OF ""
#endif
#define PASS "movl entry, %eax\n\t" VALUE_OF "movl %eax, sink\n\t"
#endif

__asm__(".text\npass: " PASS "ret\n");
void pass(void);

static void guest(void)
{
	for (int n = 0; n < PASSES; n++)
		pass();
}

XM_VCPU(guest);
