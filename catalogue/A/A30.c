/*
 * A30  The return-0 stub of static_call is two instructions on the i386
 *
 * source: 1cd5f059d956, provenance W
 *
 * 66 66 48 31 C0 is one instruction in 64-bit mode; here 48 is `dec`.
 *
 * variant 66-66-48-31-c0: -DNOP=RETURN_0_REX
 * variant 2e-2e-2e-31-c0: -DNOP=RETURN_0_CS
 */
#define RETURN_0_REX "0x66, 0x66, 0x48, 0x31, 0xc0"
#define RETURN_0_CS "0x2e, 0x2e, 0x2e, 0x31, 0xc0"
#include "A19.c"
