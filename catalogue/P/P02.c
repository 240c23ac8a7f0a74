/*
 * P02  Updates at once or in lazy mode: the guest cannot tell them apart, where flushes stand where the protocol wants them
 *
 * source: Z. Amsden, "Paravirt cpu batching", December 2006 (batching of page-table, descriptor and CPU-state updates must show in nothing); provenance G
 *
 * One script of kernel work runs twice: with every update a hypercall of its own, when uses see what was set last, and in lazy mode. What each of
 * its uses saw, and what is left behind, must be the same. The script is data: tests put generated ones here.
 *
 * variant flushed:
 * variant flushed-and-watched: -DXM_LAZY_MARKS
 * variant read-before-the-flush: -DWITHOUT=1
 * variant segment-loaded-before-the-flush: -DWITHOUT=2
 * variant entry-inspected-before-the-flush: -DWITHOUT=3
 * variant interrupt-without-a-flush: -DWITHOUT=4
 * variant mode-left-behind-the-use: -DWITHOUT=5
 * variant entry-inspected-and-watched: -DWITHOUT=3 -DXM_LAZY_MARKS
 */
#define XM_WITH_PAGING
#include "xmlazy.h"
#include "xmmm.h"
#include "xmring.h"

/* What a script is made of: updates, ... */
#define ENTER 1	   /* mode */
#define LEAVE 2	   /* mode */
#define FLUSH 3
#define SET_PTE 4  /* entry, page (0: none): of table entry / 4 */
#define SET_TLS 5  /* entry, word that it leads to (TLS_WORDS: not present) */
#define SET_CR3 6  /* address space */
#define SET_TS 7   /* on */
#define SET_IOPL 8 /* level */
#define SET_STACK 9 /* number */
/* ... and uses of what they changed. */
#define READ 10	   /* entry: through the mapping */
#define LOAD_FS 11 /* entry */
#define USE_FPU 12
#define SEE_CR3 13
#define SEE_IOPL 14
#define SEE_STACK 15
#define CHANGE 16    /* entry, bits: reads it and writes it changed */
#define INTERRUPT 17 /* page, 1: flushes. A handler maps a page for itself */

#define ENTRIES 4
#define PAGES 3
#define TLS_WORDS 4
#define STEPS 64

struct step {
	unsigned int op, a, b;
};
static volatile struct step script[STEPS] = {
	{ SEE_CR3, 0, 0 },
	{ SEE_IOPL, 0, 0 },
	{ SEE_STACK, 0, 0 },
	{ READ, 0, 0 },
	{ LOAD_FS, 1, 0 },
	{ ENTER, XM_LAZY_MMU, 0 },
	{ SET_PTE, 0, 1 },
	{ SET_PTE, 1, 2 },
#if WITHOUT != 1
	{ FLUSH, 0, 0 },
#endif
	{ READ, 0, 0 },
	{ SET_PTE, 0, 3 },
#if WITHOUT != 3
	{ FLUSH, 0, 0 },
#endif
	{ CHANGE, 0, 0x200 },
	{ FLUSH, 0, 0 },
	{ READ, 0, 0 },
#if WITHOUT == 4
	{ INTERRUPT, 2, 0 },
#else
	{ INTERRUPT, 2, 1 },
#endif
	{ INTERRUPT, 3, 1 },
	{ LEAVE, XM_LAZY_MMU, 0 },
	{ ENTER, XM_LAZY_CPU, 0 },
	{ SET_TLS, 1, 3 },
	{ SET_CR3, 1, 0 },
	{ SET_TS, 1, 0 },
	{ SET_IOPL, 3, 0 },
	{ SET_STACK, 2, 0 },
	{ SET_TLS, 2, TLS_WORDS },
#if WITHOUT == 5
	{ SEE_IOPL, 0, 0 },
#endif
#if WITHOUT != 2
	{ LEAVE, XM_LAZY_CPU, 0 },
#endif
	{ LOAD_FS, 1, 0 },
#if WITHOUT == 2
	{ LEAVE, XM_LAZY_CPU, 0 },
#endif
	{ LOAD_FS, 2, 0 },
	{ USE_FPU, 0, 0 },
	{ SEE_CR3, 0, 0 },
	{ SEE_STACK, 0, 0 },
};

static volatile unsigned int pages[PAGES][1024] XM_PAGE, second_table[1024] XM_PAGE, second_directory[1024] XM_PAGE;
static volatile unsigned int tls_words[TLS_WORDS] = { 100, 101, 102, 103 };
static volatile unsigned int *const tables[2] = { xm_map_table, second_table };
#define TEMPORARY 7 /* entry of what the handler maps */
static unsigned int lazy; /* which world it is */
static volatile unsigned int not_available, mapped_by_handler, handler_page, handler_flushes;
static volatile unsigned int seen[2][STEPS * 2 + ENTRIES * 2 + 16], counts[2];

/* What the script has set so far. */
static volatile struct {
	unsigned int pte[2 * ENTRIES], tls[3], cr3, ts, iopl, stack, fs;
} set;

/* What a use sees; `expected`, of updates that are carried out at once. */
static void note(unsigned int value, unsigned int expected)
{
	XM_ASSERT(lazy || value == expected);
	seen[lazy][counts[lazy]++] = value;
}

XM_FIXUPS();
XM_HANDLER(13, xm_fix_up);

/* The FPU's state is loaded when it is used. */
static void use_fpu(struct xm_frame *frame)
{
	(void)frame;
	not_available = 1;
	__asm__ __volatile__("clts" : : : "memory");
}
XM_HANDLER(7, use_fpu);

static unsigned int try_load_fs(unsigned int selector)
{
	unsigned int ok = 1;
	__asm__ __volatile__("movl $1f, %%edx\n\tmovl %1, %%fs\n1:" : "+c"(ok) : "r"(selector) : "edx", "memory");
	return ok;
}
static unsigned int iopl(void)
{
	unsigned int flags;
	__asm__ __volatile__("pushfl\n\tpopl %0" : "=r"(flags));
	return flags >> 12 & 3;
}

static unsigned int entry_of(unsigned int page) { return page == 0 ? 0 : xm_pte(pages[page - 1], XM_PTE_KERNEL); }
static unsigned int linear_of(unsigned int entry) { return XM_MAP_BASE + (entry % ENTRIES) * 4096; }
static volatile unsigned int *pte_of(unsigned int entry) { return &tables[entry / ENTRIES][entry % ENTRIES]; }
/* What stands in the page that an entry leads to. */
static unsigned int page_of(unsigned int entry) { return entry & XM_PTE_P ? *(volatile unsigned int *)(entry & ~0xfffu) : 0; }
static void set_pte(unsigned int entry, unsigned int value)
{
	set.pte[entry] = value;
	xm_set_pte(pte_of(entry), value);
	xm_invlpg_lazy(linear_of(entry));
}

/* kmap_atomic() */
static void interrupt(struct xm_frame *frame)
{
	(void)frame;
	volatile unsigned int *const table = xm_read_cr3() == (unsigned int)second_directory ? second_table : xm_map_table;
	xm_set_pte(&table[TEMPORARY], entry_of(handler_page));
	xm_invlpg_lazy(XM_MAP_BASE + TEMPORARY * 4096);
	if (handler_flushes)
		xm_lazy_flush();
	mapped_by_handler = xm_try_load(XM_MAP_BASE + TEMPORARY * 4096, 0);
}
XM_HANDLER(0x40, interrupt);

static void tls(unsigned int entry, unsigned int word)
{
	const int none = word == TLS_WORDS;
	set.tls[entry] = word;
	xm_set_descriptor(xm_tls_entry(entry), none ? 0 : XM_TLS_LOW(&tls_words[word]), none ? 0 : XM_TLS_HIGH(&tls_words[word]));
}
static unsigned int directory_of(unsigned int which) { return (unsigned int)(which ? second_directory : xm_page_directory); }
static void directory(unsigned int which)
{
	set.cr3 = which;
	xm_write_cr3_lazy(directory_of(which));
}
static void stack(unsigned int number)
{
	const unsigned int top = 0x1000 * (number + 1);
	set.stack = top;
	xm_set_pte(&xm_tss()[1], top);
}

static void see_fpu(void)
{
	unsigned short control;
	not_available = 0;
	__asm__ __volatile__("fnstcw %0" : "=m"(control));
	note(not_available, set.ts);
	set.ts = 0;
}
static void see_fs(void) { note(xm_fs_word(), tls_words[set.fs]); }
static void see_cr3(void) { note(xm_read_cr3(), directory_of(set.cr3)); }
static void see_iopl(void) { note(iopl(), set.iopl); }
static void see_stack(void) { note(xm_tss()[1], set.stack); }
static void set_ts(unsigned int on)
{
	set.ts = on;
	xm_set_ts(on);
}
static void set_iopl(unsigned int level)
{
	set.iopl = level;
	xm_set_iopl(level);
}
static void load_fs(unsigned int entry)
{
	const unsigned int present = set.tls[entry] != TLS_WORDS;
	note(try_load_fs(XM_TLS(entry)), present);
	if (present)
		set.fs = set.tls[entry];
	see_fs();
}

static void step(unsigned int op, unsigned int a, unsigned int b)
{
	switch (op) {
	case ENTER:
		if (lazy)
			xm_lazy_enter(a);
		break;
	case LEAVE:
		if (lazy)
			xm_lazy_leave(a);
		break;
	case FLUSH:
		xm_lazy_flush();
		break;
	case SET_PTE:
		set_pte(a, entry_of(b));
		break;
	case SET_TLS:
		tls(a, b);
		break;
	case SET_CR3:
		directory(a);
		break;
	case SET_TS:
		set_ts(a);
		break;
	case SET_IOPL:
		set_iopl(a);
		break;
	case SET_STACK:
		stack(a);
		break;
	case READ:
		note(xm_try_load(linear_of(a), 0), page_of(set.pte[set.cr3 * ENTRIES + a % ENTRIES]));
		break;
	case LOAD_FS:
		load_fs(a);
		break;
	case USE_FPU:
		see_fpu();
		break;
	case SEE_CR3:
		see_cr3();
		break;
	case SEE_IOPL:
		see_iopl();
		break;
	case SEE_STACK:
		see_stack();
		break;
	case CHANGE:
		set_pte(a, *pte_of(a) ^ b);
		break;
	case INTERRUPT:
		handler_page = a;
		handler_flushes = b;
		__asm__ __volatile__("int $0x40" : : : "memory");
		note(mapped_by_handler, page_of(entry_of(a)));
		break;
	}
}

static void world(unsigned int which)
{
	lazy = which;
	/* As it was at the beginning. */
	for (unsigned int n = 0; n < 3; n++)
		tls(n, n);
	xm_load_fs(XM_TLS(0));
	set.fs = 0;
	directory(0);
	set_ts(0);
	set_iopl(0);
	stack(0);
	for (unsigned int n = 0; n < 2 * ENTRIES; n++)
		set.pte[n] = *pte_of(n) = 0;
	xm_map_table[TEMPORARY] = second_table[TEMPORARY] = 0;
	xm_lock_fence();
	xm_flush();

	for (unsigned int n = 0; n < STEPS && script[n].op != 0; n++)
		step(script[n].op, script[n].a, script[n].b);
	XM_ASSERT(xm_lazy.mode == XM_LAZY_NONE && xm_lazy.count == 0);

	/* What is left behind. */
	see_fs();
	see_fpu();
	see_cr3();
	see_iopl();
	see_stack();
	for (unsigned int n = 0; n < 3; n++) {
		const unsigned int *const word = set.tls[n] == TLS_WORDS ? 0 : (const unsigned int *)&tls_words[set.tls[n]];
		note(xm_tls_entry(n)[0], word ? XM_TLS_LOW(word) : 0);
		note(xm_tls_entry(n)[1], word ? XM_TLS_HIGH(word) : 0);
	}
	for (unsigned int n = 0; n < 2 * ENTRIES; n++)
		note(*pte_of(n), set.pte[n]);
}

static void setup(void)
{
	for (unsigned int n = 0; n < PAGES; n++)
		pages[n][0] = 40 + n;
	second_directory[0] = xm_page_directory[0];
	second_directory[XM_MAP_BASE >> 22] = xm_pte(second_table, XM_PTE_KERNEL);
}
XM_INIT(setup);

static void guest(void)
{
	xm_rings_on();
	xm_map_on();
	for (unsigned int which = 0; which < 2; which++)
		world(which);
	XM_ASSERT(counts[0] != 0 && counts[0] == counts[1]);
	for (unsigned int n = 0; n < counts[0]; n++)
		XM_ASSERT(seen[0][n] == seen[1][n]);
}

XM_VCPU(guest);

/*
 * survivor call removed, `note(...`: an observation less
 * survivor call removed, `static void see_...`: an observation less
 * survivor branch never taken, world, `for (unsigned int n = 0; n < 3; n++) {`: observations less
 * survivor branch never taken, world, `for (unsigned int n = 0; n < 2 * ENTRIES; n++)`: observations less
 * survivor store removed, note, `seen[lazy][counts[lazy]++] = value;`: what the property compares
 * survivor call removed, world, `tls(n, n);`: an entry that no script has set before its first use
 * survivor call removed, world, `xm_set_ts(on);`: the last use of the FPU has cleared it
 */
