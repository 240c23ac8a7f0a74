/*
 * E06  The PAT erratum of the i386: the bit is ignored for 4 KB pages in some paging modes
 *
 * source: Pentium II and III specification updates; provenance W
 *
 * variant linux-layout: -DLINUX
 * variant xen-layout-on-erratum-part:
 */
#include "xmcheck.h"

#define PWT 0x08u
#define PCD 0x10u
#define PAT 0x80u
enum { WB, WT, UC_MINUS, UC, WC };
#ifdef LINUX
static const unsigned char table[8] = { WB, WC, UC_MINUS, UC, WB, WC, UC_MINUS, UC };
#define ENCODED_WC PWT
#else
static const unsigned char table[8] = { WB, WT, UC_MINUS, UC, WC, WC, UC_MINUS, UC };
#define ENCODED_WC PAT
#endif

/* Index 4*PAT + 2*PCD + PWT; parts with the erratum take PAT for 0. */
static unsigned int memory_type(unsigned int pte, int erratum)
{
	return table[(pte & PAT && !erratum ? 4 : 0) | (pte & PCD ? 2 : 0) | (pte & PWT ? 1 : 0)];
}

static void guest(void) { XM_ASSERT(memory_type(ENCODED_WC, (int)XM_CHOOSE(2)) == WC); }

XM_VCPU(guest);
