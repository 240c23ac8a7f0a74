/*
 * A47  A half-patched world: some sensitive operations are rewritten, others still native
 *
 * source: xen-ia64-devel 2007 (native by default against pv_ops), VMI IDENT translations, provenance G
 *
 * The patching code itself saves, disables and restores interrupts around every site that it writes.
 *
 * variant site-by-site-native-default: -DNATIVE
 * variant table-default-then-sites:
 */
#include "xmstatic.h"

static volatile unsigned int masked; /* the virtual interrupt flag */

/* Results and arguments in EAX, as the sites want them. */
__asm__(".text\nnative_save: pushfl\n\tpopl %eax\n\tret\nnative_disable: cli\n\tret\nnative_restore: pushl %eax\n\tpopfl\n\tret\n"
	"pv_save: movl masked, %eax\n\tret\npv_disable: movl $1, masked\n\tret\npv_restore: movl %eax, masked\n\tret\n");
void native_save(void);
void native_disable(void);
void native_restore(void);
void pv_save(void);
void pv_disable(void);
void pv_restore(void);

/* Each operation is one site of 6 bytes: call and NOP, or the indirect call that pv_ops begins with. */
#ifdef NATIVE
#define SITE(name) "op_" #name ":\n.globl site_" #name "\nsite_" #name ": call native_" #name "\n\tnop\n\tret\n"
#else
#define SITE(name) "op_" #name ":\n.globl site_" #name "\nsite_" #name ": call *table_" #name "\n\tret\n"
#endif
__asm__(".text\n" SITE(save) SITE(disable) SITE(restore));
XM_FORM_PV_DIRECT(direct_save, site_save, pv_save);
XM_FORM_PV_DIRECT(direct_disable, site_disable, pv_disable);
XM_FORM_PV_DIRECT(direct_restore, site_restore, pv_restore);
extern unsigned char site_save[], site_disable[], site_restore[];
#ifndef NATIVE
__attribute__((used)) static void (*volatile table_save)(void) = native_save;
__attribute__((used)) static void (*volatile table_disable)(void) = native_disable;
__attribute__((used)) static void (*volatile table_restore)(void) = native_restore;
#endif

static unsigned int interrupts_on(void)
{
	unsigned int flags;
	__asm__ __volatile__("pushfl\n\tpopl %0" : "=r"(flags));
	return (flags >> 9 & 1) && !masked;
}

static unsigned int save(void)
{
	unsigned int flags;
	__asm__ __volatile__("call op_save" : "=a"(flags) : : "memory", "cc");
	return flags;
}
static void disable(void) { __asm__ __volatile__("call op_disable" : : : "eax", "memory", "cc"); }
static void restore(unsigned int flags) { __asm__ __volatile__("call op_restore" : "+a"(flags) : : "memory", "cc"); }

static void patch(unsigned char *site, const unsigned char *bytes)
{
	const unsigned int before = interrupts_on();
	const unsigned int flags = save();
	disable();
	xm_copy(site, bytes, 6);
	xm_sync_core();
	restore(flags);
	XM_ASSERT(interrupts_on() == before);
}

static void boot(void)
{
	xm_sti();
#ifndef NATIVE
	table_save = pv_save;
	table_disable = pv_disable;
	table_restore = pv_restore;
#endif
	patch(site_disable, direct_disable);
	patch(site_save, direct_save);
	patch(site_restore, direct_restore);
	XM_ASSERT(interrupts_on());
	xm_cli();
}

XM_VCPU(boot);

/*
 * survivor call removed, boot, `patch(site_disable, direct_disable);`: any of the sites may stay as it was, that is the point
 * survivor call removed, boot, `patch(site_save, direct_save);`: any of the sites may stay as it was, that is the point
 * survivor call removed, boot, `patch(site_restore, direct_restore);`: any of the sites may stay as it was, that is the point
 */
