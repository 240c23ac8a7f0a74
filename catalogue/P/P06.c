/*
 * P06  pv_ops in every form do the same: indirect, direct, native code inline, padded, half patched, changed after patching
 *
 * source: xen-ia64-devel, December 2007 (pv_ops against binary patching, native by default, clobbered registers); lkml, May 2009 (patched to direct calls
 *         and to nothing at all); xen-devel, early 2012 (pte_val and friends, patched to the identity); provenance G
 *
 * A script of operations runs twice: by plain calls of the functions in the table, and through call sites, which are patched on the way, each to its
 * form. Results, memory and the registers that a site may not clobber must be the same. Tests put other
 * scripts and forms here.
 *
 * variant native:
 * variant hypervisor: -DXEN
 * variant native-code-by-default: -DNATIVE_DEFAULT
 * variant native-code-by-default-rewritten: -DXEN -DNATIVE_DEFAULT -DREWRITE_ALL -DCALLEE_SAVE
 * variant native-code-by-default-without-thunks: -DXEN -DNATIVE_DEFAULT -DREWRITE_ALL
 * variant native-code-by-default-half-rewritten: -DXEN -DNATIVE_DEFAULT -DCALLEE_SAVE
 * variant clobber-rule-left-out: -DXEN -DXM_PV_NO_CLOBBER_RULE
 * variant length-rule-left-out: -DXEN -DXM_PV_NO_LENGTH_RULE
 * variant padding-left-out: -DXM_PV_NO_PADDING
 * variant identity-by-name: -DXEN -DXM_PV_IDENT_BY_NAME
 * variant operation-changed-after-patching: -DCHANGE
 * variant operation-changed-and-patched-again: -DCHANGE -DAGAIN
 */
#include "xmpv.h"

/* The operations. */
#define SAVE 0
#define DISABLE 1
#define ENABLE 2
#define RESTORE 3
#define PTE_VAL 4
#define MAKE_PTE 5
#define SET_PTE 6
#define OPS 7
/* In a script besides: from here on the sites are patched. */
#define PATCH 8

/* ---- Native and hypervisor's functions, and code that stands for them ---- */

#define FN(name, text) void name(void); __asm__(".pushsection .text\n" #name ":\n" text "\tret\n.popsection")
#define CODE(name, text) XM_FORM(name, text)
#define NATIVE_SAVE "\tpushfl\n\tpopl %eax\n"
#define NATIVE_DISABLE "\tcli\n"
#define NATIVE_ENABLE "\tsti\n"
#define NATIVE_RESTORE "\tpushl %eax\n\tpopfl\n"
#define NATIVE_SET_PTE "\tmovl %edx, (%eax)\n"
FN(native_save, NATIVE_SAVE);
FN(native_disable, NATIVE_DISABLE);
FN(native_enable, NATIVE_ENABLE);
FN(native_restore, NATIVE_RESTORE);
FN(native_set_pte, NATIVE_SET_PTE);
CODE(code_save, NATIVE_SAVE);
CODE(code_disable, NATIVE_DISABLE);
CODE(code_enable, NATIVE_ENABLE);
CODE(code_restore, NATIVE_RESTORE);
CODE(code_set_pte, NATIVE_SET_PTE);

/* The guest's flag, and how machine frames lie against the guest's. C functions clobber what they may, unless a thunk keeps it for them. */
__attribute__((used)) static volatile unsigned char masked;
#define MACHINE_OFFSET "0x00100000"
#ifdef CALLEE_SAVE
#define SPOIL ""
#define SPOIL_ALL ""
#define OF_C_FUNCTION(result) (result)
#else
#define SPOIL "\tmovl $0xdeadec, %ecx\n\tmovl $0xdeaded, %edx\n"
#define SPOIL_ALL "\tmovl $0xdeadea, %eax\n" SPOIL
#define OF_C_FUNCTION(result) XM_ANY
#endif
FN(xen_save, "\tmovzbl masked, %eax\n\txorl $1, %eax\n\tshll $9, %eax\n" SPOIL);
FN(xen_disable, "\tmovb $1, masked\n" SPOIL_ALL);
FN(xen_enable, "\tmovb $0, masked\n" SPOIL_ALL);
FN(xen_restore, "\ttestl $0x200, %eax\n\tsete masked\n" SPOIL_ALL);
FN(xen_pte_val, "\tsubl $" MACHINE_OFFSET ", %eax\n");
FN(xen_make_pte, "\taddl $" MACHINE_OFFSET ", %eax\n");
FN(xen_set_pte, "\tmovl %edx, (%eax)\n" SPOIL_ALL);
CODE(code_xen_disable, "movb $1, masked\n");
CODE(code_xen_enable, "movb $0, masked\n");

#define OP(fn, clobbers, code, bytes) { fn, clobbers, code, bytes }
static const struct xm_pv_op native_ops[OPS] = {
	OP(native_save, XM_EAX, code_save, 2), OP(native_disable, 0, code_disable, 1), OP(native_enable, 0, code_enable, 1),
	OP(native_restore, 0, code_restore, 2), OP(xm_pv_ident, 0, 0, 0), OP(xm_pv_ident, 0, 0, 0), OP(native_set_pte, 0, code_set_pte, 2),
};
#ifdef XM_PV_IDENT_BY_NAME
#define NO_CODE code_save /* "pte_val has native code, of no bytes" */
#else
#define NO_CODE 0
#endif
static const struct xm_pv_op xen_ops[OPS] __attribute__((unused)) = {
	OP(xen_save, OF_C_FUNCTION(XM_EAX), 0, 0), OP(xen_disable, OF_C_FUNCTION(0), code_xen_disable, 7), OP(xen_enable, OF_C_FUNCTION(0), code_xen_enable, 7),
	OP(xen_restore, OF_C_FUNCTION(0), 0, 0), OP(xen_pte_val, XM_EAX, NO_CODE, 0), OP(xen_make_pte, XM_EAX, NO_CODE, 0), OP(xen_set_pte, OF_C_FUNCTION(0), 0, 0),
};

/* ---- Call sites: op_N(eax, edx) sets all registers, passes the site, and keeps what they are then ---- */

#define EBX_IS 0x0b0b0b0b
#define ESI_IS 0x51515151
#define EDI_IS 0xd1d1d1d1
#define ECX_IS 0xc1c1c1c1
__attribute__((used)) static volatile unsigned int after[6]; /* EAX ECX EDX EBX ESI EDI */
#define SITE(n, text)                                                                                                  \
	extern unsigned char site##n[];                                                                                \
	void op_##n(void);                                                                                             \
	__asm__(".pushsection .text\nop_" #n ":\n\tpushl %ebx\n\tpushl %esi\n\tpushl %edi\n\tpushl %ebp\n"                      \
		"\tmovl $" XM_TEXT_(ECX_IS) ", %ecx\n\tmovl $" XM_TEXT_(EBX_IS) ", %ebx\n\tmovl $" XM_TEXT_(ESI_IS) ", %esi\n\tmovl $" XM_TEXT_(EDI_IS) ", %edi\n" \
		text "\tmovl %eax, after\n\tmovl %ecx, after + 4\n\tmovl %edx, after + 8\n\tmovl %ebx, after + 12\n"        \
		"\tmovl %esi, after + 16\n\tmovl %edi, after + 20\n\tpopl %ebp\n\tpopl %edi\n\tpopl %esi\n\tpopl %ebx\n\tret\n.popsection")
#ifdef NATIVE_DEFAULT
/* The native instructions, and room for a call. */
#define ANY(n, op, native, bytes) SITE(n, ".globl site" #n "\nsite" #n ":\n" native "\t.skip 6 - " #bytes ", 0x90\n")
#define EAX(n, op, native, bytes) SITE(n, ".globl site" #n "\nsite" #n ":\n" native "\t.skip 10 - " #bytes ", 0x90\n")
#define NONE(n, op, native, bytes) SITE(n, ".globl site" #n "\nsite" #n ":\n" native "\t.skip 12 - " #bytes ", 0x90\n")
#else
#define ANY(n, op, native, bytes) SITE(n, XM_PV_ANY(site##n, op))
#define EAX(n, op, native, bytes) SITE(n, XM_PV_EAX(site##n, op))
#define NONE(n, op, native, bytes) SITE(n, XM_PV_NONE(site##n, op))
#endif
EAX(0, SAVE, NATIVE_SAVE, 2);
NONE(1, DISABLE, NATIVE_DISABLE, 1);
ANY(2, ENABLE, NATIVE_ENABLE, 1);
NONE(3, RESTORE, NATIVE_RESTORE, 2);
EAX(4, PTE_VAL, "", 0);
EAX(5, MAKE_PTE, "", 0);
ANY(6, SET_PTE, NATIVE_SET_PTE, 2);
ANY(7, DISABLE, NATIVE_DISABLE, 1);
#define SITES 8
static const struct xm_pv_site sites[SITES] = {
	XM_PV_SITE(site0, SAVE, XM_EAX), XM_PV_SITE(site1, DISABLE, 0),	 XM_PV_SITE(site2, ENABLE, XM_ANY), XM_PV_SITE(site3, RESTORE, 0),
	XM_PV_SITE(site4, PTE_VAL, XM_EAX), XM_PV_SITE(site5, MAKE_PTE, XM_EAX), XM_PV_SITE(site6, SET_PTE, XM_ANY), XM_PV_SITE(site7, DISABLE, XM_ANY),
};
static void (*const passes[SITES])(void) = { op_0, op_1, op_2, op_3, op_4, op_5, op_6, op_7 };

/* ---- The script: sites with arguments ---- */

#define STEPS 32
#define PTES 4
/* Argument of RESTORE: the flags that the last SAVE gave; of SET_PTE: which entry, and the last value made. */
struct step {
	unsigned int site, argument;
};
static volatile struct step script[STEPS] = {
	{ 0, 0 }, { 1, 0 }, { 5, 0x5063 }, { PATCH, 0 }, { 6, 1 }, { 3, 0 }, { 0, 0 }, { 7, 0 }, { 0, 0 }, { 4, 0x107063 }, { 5, 0x9063 }, { 6, 2 }, { 2, 0 }, { 0, 0 }, { PATCH + 1, 0 },
};
#define CHOICE 0xff
/* Form of each site; CHOICE first: any form, and another from the first, the fourth or the seventh site on. */
static volatile unsigned int forms[SITES] = { CHOICE };

static volatile unsigned int ptes[PTES], seen[2][STEPS], count, patched;

static void call(void (*fn)(void), unsigned int *eax, unsigned int edx)
{
	unsigned int ecx = ECX_IS;
	__asm__ __volatile__("call *%3" : "+a"(*eax), "+c"(ecx), "+d"(edx) : "r"(fn) : "memory", "cc");
}

static void take_ops(const struct xm_pv_op *ops)
{
	for (unsigned int n = 0; n < OPS; n++) {
		xm_pv_ops[n].fn = ops[n].fn;
		xm_pv_ops[n].clobbers = ops[n].clobbers;
		xm_pv_ops[n].code = ops[n].code;
		xm_pv_ops[n].bytes = ops[n].bytes;
	}
}

#ifdef CHANGE
/* A hypervisor is found late: pte_val is no identity from here on. */
static void change(void)
{
	xm_pv_ops[PTE_VAL].fn = xen_pte_val;
	xm_pv_ops[MAKE_PTE].fn = xen_make_pte;
	xm_pv_ops[PTE_VAL].clobbers = xm_pv_ops[MAKE_PTE].clobbers = XM_EAX;
}
#endif

static void patch(void)
{
	for (unsigned int n = 0; n < SITES; n++) {
		const unsigned int form = xm_pv_patch(&sites[n], forms[n]);
		XM_ASSERT(form <= forms[n]);
		patched += form != XM_PV_INDIRECT;
	}
}

static void world(unsigned int which)
{
	unsigned int saved = 0x200, made = 0;
	masked = 0;
	count = 0;
	for (unsigned int n = 0; n < PTES; n++)
		ptes[n] = 0;
	for (unsigned int n = 0; n < STEPS && script[n].site <= PATCH; n++) {
		const unsigned int k = script[n].site;
		if (k == PATCH) {
			if (which == 1)
				patch();
#ifdef CHANGE
			change();
#ifdef AGAIN
			if (which == 1)
				for (unsigned int s = 4; s < 6; s++)
					if (forms[s] != XM_PV_INDIRECT)
						xm_pv_patch(&sites[s], XM_PV_DIRECT);
#endif
#endif
			continue;
		}
		const unsigned int op = sites[k].op, clobbers = sites[k].clobbers;
		const unsigned int edx = op == SET_PTE ? made : 0xd0d0d0d0;
		unsigned int eax = op == RESTORE ? saved : op == SET_PTE ? (unsigned int)&ptes[script[n].argument % PTES] : script[n].argument;
		const unsigned int before = eax;
		if (which == 0)
			call(xm_pv_ops[op].fn, &eax, edx);
		else {
			call(passes[k], &eax, edx);
			XM_ASSERT(after[3] == EBX_IS && after[4] == ESI_IS && after[5] == EDI_IS);
			XM_ASSERT((clobbers & XM_EAX) || after[0] == before);
			XM_ASSERT((clobbers & XM_ECX) || after[1] == ECX_IS);
			XM_ASSERT((clobbers & XM_EDX) || after[2] == edx);
			eax = after[0];
		}
		unsigned int result = 0;
		if (op == SAVE)
			result = saved = eax & 0x200;
		else if (op == PTE_VAL || op == MAKE_PTE)
			result = made = eax;
		seen[which][count++] = result;
	}
	xm_cli();
}

static void guest(void)
{
#ifdef REWRITE_ALL
	/* What is native by default has to be rewritten everywhere before it is used. */
	forms[0] = XM_PV_DIRECT;
	for (unsigned int n = 1; n < SITES; n++)
		forms[n] = XM_PV_DIRECT;
#else
	if (forms[0] == CHOICE) {
		const unsigned int first = XM_CHOOSE(3), second = (first + 1) % 3, from = 3 * XM_CHOOSE(3);
		for (unsigned int n = 0; n < SITES; n++)
			forms[n] = n < from ? first : second;
	}
#endif
#ifdef XEN
#define BACKEND xen_ops
#else
#define BACKEND native_ops
#endif
	unsigned int left[PTES];
	take_ops(BACKEND);
	world(0);
	const unsigned char masked_before = masked;
	for (unsigned int n = 0; n < PTES; n++)
		left[n] = ptes[n];
	take_ops(BACKEND);
#ifdef REWRITE_ALL
	patch();
#endif
	world(1);
	for (unsigned int n = 0; n < count; n++)
		XM_ASSERT(seen[0][n] == seen[1][n]);
	for (unsigned int n = 0; n < PTES; n++)
		XM_ASSERT(left[n] == ptes[n]);
	XM_ASSERT(masked == masked_before);
}

XM_VCPU(guest);

/*
 * survivor store removed, take_ops, `xm_pv_ops[n].code = ops[n].code;`: what has no native code is called
 * survivor store removed, patch, `patched += form != XM_PV_INDIRECT;`: what the property counts by
 * survivor branch never taken, world, `unsigned int eax = op == RESTORE...`: both worlds do it alike
 * survivor branch never taken, world, `if (which == 0)`: sites that are not patched call the same operations
 * survivor store removed, world, `seen[which][count++] = result;`: what was not seen is not compared
 * survivor store removed, guest, `forms[n] = n < from ? first : second;`: another form of the call does the same
 * survivor branch never taken, guest, `for (unsigned int n = 0; n < SITES; n++)`: another form of the call does the same
 * survivor store removed, guest, `forms[0] = XM_PV_DIRECT;`: another form of the call does the same
 * survivor store removed, guest, `forms[n] = XM_PV_DIRECT;`: another form of the call does the same
 * survivor store removed, world, `xm_pv_ops[PTE_VAL].clobbers = xm_pv_ops[MAKE_PTE].clobbers = XM_EAX;`: sites of these operations expect a result there
 * survivor branch always taken, world, `if (forms[s] != XM_PV_INDIRECT)`: a site that is indirect follows the table
 * survivor branch never taken, world, `if (forms[s] != XM_PV_INDIRECT)`: a site that is indirect follows the table
 */
