/*
 * A24  486 prefetch queue: text_poke_early modifies instructions that were prefetched already
 *
 * source: 5367b6887e7d, provenance G
 *
 * variant 486-model: --cpu 486 --fetch coherent
 * variant pentium-model: --cpu pentium --fetch coherent
 */
#include "xmpatch.h"

/* Copies five bytes to `site`, which stands right behind the copy; returns what the site puts into EAX. */
unsigned int text_poke_early(const unsigned char *bytes);
__asm__(".text\ntext_poke_early:\n\tpushl %esi\n\tpushl %edi\n\tmovl 12(%esp), %esi\n\tmovl $site, %edi\n\tmovl $5, %ecx\n\trep movsb\n"
	"site:\tmovl $1, %eax\n\tpopl %edi\n\tpopl %esi\n\tret\n");
XM_FORM_BYTES(restore, "0xb8, 0x02, 0x00, 0x00, 0x00"); /* movl $2, %eax */

static void boot(void) { XM_ASSERT(text_poke_early(restore) == 2); }

XM_VCPU(boot);
