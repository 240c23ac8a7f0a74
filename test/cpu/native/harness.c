/*
 * Executes instruction instances natively, in 32-bit user mode. Every instance is entered and left through a signal:
 * the handler records what the last one did, writes the next one's registers into the signal context and returns.
 * argv: entries of the local descriptor table, eight bytes each in hexadecimal; stdin: instances; stdout: results.
 */
#define _GNU_SOURCE
#include <asm/ldt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { CODE = 0x10000000, CODE_BYTES = 0x2000, DATA = 0x20000000, DATA_BYTES = 0x2000, READ_ONLY = 0x20010000, FLAGS = 0x40dd5 };
enum { IF_AND_ONE = 0x202 };

struct instance {
	unsigned char length, code[15];
	unsigned place, eip, eflags, registers[8];
	unsigned short selectors[6], planted, planted_at;
	unsigned char plant[24];
	/* x87 control, status and tag word. */
	unsigned short cw, sw, tw, pad;
};
struct result {
	unsigned trap, error, cr2, eip, eflags, registers[8];
	unsigned short selectors[6], cw, sw, tw, pad;
	/* Of the x87 registers, from ST(0) on. */
	unsigned stack, changes;
};

static struct instance *instances;
static unsigned count, at, host_gs;
static unsigned char pristine[DATA_BYTES];
static unsigned char *out;
static size_t out_used;

static unsigned scramble(unsigned a, unsigned b)
{
	unsigned h = ((a ^ 0x9e3779b9u) * 0x85ebca6bu) ^ b;
	h = (h ^ (h >> 16)) * 0x7feb352du;
	h = (h ^ (h >> 15)) * 0x846ca68bu;
	return h ^ (h >> 16);
}

static unsigned pattern_word(unsigned k)
{
	unsigned h = scramble(k, 0x5eed);
	if ((h & 3) == 0)
		return CODE + 0x800 + (h >> 22);
	h = scramble(h, k);
	unsigned top = h >> 24;
	int taken = top >= 0xc0 || top == 0x08 || top == 0x09 || (top >= 0x56 && top <= 0x5a) || top == 0x6f;
	return taken ? (h & 0x00ffffff) | 0x91000000 : h;
}

static const int ORDER[8] = { REG_EAX, REG_ECX, REG_EDX, REG_EBX, REG_ESP, REG_EBP, REG_ESI, REG_EDI };
static const int SEGMENTS[6] = { REG_ES, REG_CS, REG_SS, REG_DS, REG_FS, REG_GS };

/* x87 state: words as given, registers always the same. */
static void set_fpu(fpregset_t f, const struct instance *i)
{
	f->cw = i->cw;
	f->sw = i->sw;
	f->tag = i->tw;
	f->ipoff = f->cssel = f->dataoff = f->datasel = 0;
	for (unsigned k = 0; k < 8; k++) {
		for (unsigned n = 0; n < 4; n++)
			f->_st[k].significand[n] = scramble(k, n) >> 16 | (n == 3 ? 0x8000 : 0);
		f->_st[k].exponent = 0x3ff0 + k;
	}
}

static unsigned hash_stack(fpregset_t f)
{
	unsigned h = 0;
	for (unsigned k = 0; k < 8; k++) {
		for (unsigned n = 0; n < 4; n++)
			h = scramble(h, f->_st[k].significand[n]);
		h = scramble(h, f->_st[k].exponent);
	}
	return h;
}

/* Data is compared with what the instance found there, and then made that of the next one. */
static void record(greg_t *g, fpregset_t f, unsigned long cr2)
{
	struct result r = {
		.trap = g[REG_TRAPNO], .error = g[REG_ERR], .cr2 = g[REG_TRAPNO] == 14 ? cr2 : 0, .eip = g[REG_EIP], .eflags = g[REG_EFL] & FLAGS,
		.cw = f->cw, .sw = f->sw, .tw = f->tag, .stack = hash_stack(f),
	};
	unsigned char *changes = out + out_used + sizeof r;
	for (int k = 0; k < 8; k++)
		r.registers[k] = g[ORDER[k]];
	for (int k = 0; k < 6; k++)
		r.selectors[k] = g[SEGMENTS[k]];
	unsigned char *data = (unsigned char *)DATA;
	for (unsigned k = 0; k < DATA_BYTES; k += 4) {
		if (*(unsigned *)(data + k) == *(unsigned *)(pristine + k))
			continue;
		for (unsigned b = k; b < k + 4; b++)
			if (data[b] != pristine[b]) {
				*changes++ = b; *changes++ = b >> 8; *changes++ = data[b];
				r.changes++;
				data[b] = pristine[b];
			}
	}
	memcpy(out + out_used, &r, sizeof r);
	out_used += sizeof r + 3 * r.changes;
}

/* Exchanges the planted bytes with those of the data pattern, in both copies. */
static void swap_plant(struct instance *i)
{
	for (unsigned k = 0; k < i->planted; k++) {
		unsigned char old = pristine[i->planted_at + k];
		((unsigned char *)DATA)[i->planted_at + k] = pristine[i->planted_at + k] = i->plant[k];
		i->plant[k] = old;
	}
}

static void handler(int signal, siginfo_t *info, void *context)
{
	/* AC would make our own unaligned accesses fault; NT and ID, which returning from a signal does not set, would stay for ever. */
	__asm__ volatile("pushfl; andl $~0x244000, (%%esp); popfl" : : : "memory", "cc");
	ucontext_t *uc = context;
	greg_t *g = uc->uc_mcontext.gregs;
	(void)info;
	if (signal != SIGUSR1) {
		struct instance *last = &instances[at - 1];
		record(g, uc->uc_mcontext.fpregs, uc->uc_mcontext.cr2);
		swap_plant(last);
		unsigned to = last->place + 16;
		memset((void *)last->place, 0xcc, (to > CODE + CODE_BYTES ? CODE + CODE_BYTES : to) - last->place);
	}
	if (at == count) {
		/* System calls go through the thread's block. */
		__asm__ volatile("movl %0, %%gs" : : "r"(host_gs));
		fwrite(out, 1, out_used, stdout);
		fflush(stdout);
		_exit(0);
	}
	struct instance *i = &instances[at++];
	for (unsigned k = 0; k < i->length && i->place + k < CODE + CODE_BYTES; k++)
		((unsigned char *)i->place)[k] = i->code[k];
	swap_plant(i);
	for (int k = 0; k < 8; k++)
		g[ORDER[k]] = i->registers[k];
	for (int k = 0; k < 6; k++)
		g[SEGMENTS[k]] = i->selectors[k];
	set_fpu(uc->uc_mcontext.fpregs, i);
	g[REG_EIP] = i->eip;
	g[REG_EFL] = i->eflags | IF_AND_ONE;
}

static void *map(unsigned address, unsigned bytes, int protection)
{
	void *p = mmap((void *)address, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE, -1, 0);
	if (p == MAP_FAILED) { perror("mmap"); exit(1); }
	return p;
}

static void install(unsigned number, unsigned long long descriptor)
{
	unsigned low = descriptor, high = descriptor >> 32;
	struct user_desc d = {
		.entry_number = number,
		.base_addr = (low >> 16) | ((high & 0xff) << 16) | (high & 0xff000000),
		.limit = (low & 0xffff) | (high & 0xf0000),
		.seg_32bit = high >> 22 & 1,
		.contents = high >> 10 & 3,
		.read_exec_only = !(high >> 9 & 1),
		.limit_in_pages = high >> 23 & 1,
		.seg_not_present = !(high >> 15 & 1),
	};
	if (syscall(SYS_modify_ldt, 0x11, &d, sizeof d) != 0) { perror("modify_ldt"); exit(1); }
}

int main(int argc, char **argv)
{
	size_t room = 0, used = 0;
	unsigned char *input = NULL;
	for (size_t got = 1; got > 0; used += got) {
		if (room - used < 65536) input = realloc(input, room = room * 2 + 131072);
		got = fread(input + used, 1, 65536, stdin);
	}
	instances = (void *)input;
	count = used / sizeof *instances;
	out = malloc((size_t)count * (sizeof(struct result) + 3 * 300));
	memset(map(CODE, CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC), 0xcc, CODE_BYTES);
	unsigned *data = map(DATA, DATA_BYTES, PROT_READ | PROT_WRITE);
	for (unsigned k = 0; k < DATA_BYTES / 4; k++)
		data[k] = pattern_word(k);
	memcpy(pristine, data, DATA_BYTES);
	unsigned *read_only = map(READ_ONLY, 0x1000, PROT_READ | PROT_WRITE);
	for (unsigned k = 0; k < 1024; k++)
		read_only[k] = pattern_word(k);
	mprotect(read_only, 0x1000, PROT_READ);
	for (int k = 1; k < argc; k++)
		install(k, strtoull(argv[k], NULL, 16));
	__asm__("movl %%gs, %0" : "=r"(host_gs));

	/* At a place that no instance's ESP is likely to be in: there the kernel would not switch stacks. */
	stack_t stack = { .ss_sp = map(0x6f310000, 65536, PROT_READ | PROT_WRITE), .ss_size = 65536 };
	sigaltstack(&stack, NULL);
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	int signals[] = { SIGUSR1, SIGTRAP, SIGSEGV, SIGILL, SIGFPE, SIGBUS };
	for (unsigned k = 0; k < sizeof signals / sizeof *signals; k++)
		sigaction(signals[k], &action, NULL);
	raise(SIGUSR1);
	return 1;
}
