/*
 * Runs the tests of tests.S on real cores, and prints what was seen: one line of JSON a test. capture.mjs compiles and runs it.
 *
 *     harness SECONDS [NAME]     so long each; only the test of that name
 *
 * A round: the code is put back as it was, both threads meet, serialise (IRET), wait for a random moment each, and run their
 * function once. Both run on CPUs of their own.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>

struct test {
	const char *name;
	void (*run[2])(void);
	unsigned int words[2];
	unsigned char *from, *to;
};
extern const struct test __start_tests[] __attribute__((weak));
extern unsigned int seen_w[], seen_r[];
extern volatile unsigned int word_x, word_y, word_delay;

#ifndef DELAY
#define DELAY 200
#endif
#define WORDS_MAX 4
#define OUTCOMES_MAX 256
/* In place of the words, where a thread did not come to its end: the signal. */
#define FAULT 0xfa170000u

struct outcome {
	unsigned int words[2 * WORDS_MAX];
	unsigned long count;
};

static const struct test *test;
static volatile int stop;
static unsigned int *const seen[2] = { seen_w, seen_r };
static int cpus[2];

/* Each thread passes its own number; alone in their lines. */
static struct {
	volatile unsigned int at __attribute__((aligned(64)));
} met[2];

static void meet(int self, unsigned int number)
{
	met[self].at = number;
	for (unsigned int spins = 0; met[!self].at < number; spins++)
		if (spins > 4000)
			sched_yield(); /* the other one may have lost its CPU */
		else
			__builtin_ia32_pause();
}

static inline void serialise(void)
{
	__asm__ __volatile__("pushfl\n\tpushl %%cs\n\tpushl $1f\n\tiret\n1:" : : : "memory", "cc");
}

static unsigned int random_below(unsigned int *state, unsigned int n)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state % n;
}

static __thread sigjmp_buf out;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void)info, (void)context;
	siglongjmp(out, signal);
}

/* As the handler in tests.S. */
static void on_trap(int signal, siginfo_t *info, void *context)
{
	greg_t *const registers = ((ucontext_t *)context)->uc_mcontext.gregs;
	(void)signal, (void)info;
	registers[REG_EAX] = (greg_t)0xcccccccc;
	registers[REG_EIP] += 4;
}

static void run_half(int self, unsigned int *state)
{
	/* The reader learns later that they have met. With this jitter about half of the rounds begin before the write, half after. */
	for (volatile unsigned int n = random_below(state, self ? 20 : 120); n > 0; n--)
		;
	const int signal = sigsetjmp(out, 0);
	if (signal == 0)
		test->run[self]();
	else
		seen[self][0] = FAULT + (unsigned int)signal;
}

static void bind(int self)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(cpus[self], &set);
	if (sched_setaffinity(0, sizeof set, &set) != 0)
		perror("sched_setaffinity"), exit(1);
}

static unsigned int round_number;

static void *reader(void *unused)
{
	unsigned int state = 0x2545f491, number = round_number;
	(void)unused;
	bind(1);
	for (;;) {
		meet(1, ++number);
		if (stop)
			return 0;
		serialise();
		run_half(1, &state);
		meet(1, ++number);
	}
}

static struct outcome outcomes[OUTCOMES_MAX];
static unsigned int outcome_count;

static void count(void)
{
	unsigned int words[2 * WORDS_MAX] = { 0 }, k = 0;
	for (int half = 0; half < 2; half++)
		for (unsigned int n = 0; n < test->words[half]; n++)
			words[k++] = seen[half][n];
	for (k = 0; k < outcome_count; k++)
		if (memcmp(outcomes[k].words, words, sizeof words) == 0) {
			outcomes[k].count++;
			return;
		}
	if (outcome_count == OUTCOMES_MAX)
		fprintf(stderr, "%s: more than %d outcomes\n", test->name, OUTCOMES_MAX), exit(1);
	memcpy(outcomes[k].words, words, sizeof words);
	outcomes[outcome_count++].count = 1;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static void run(double seconds)
{
	const size_t bytes = test->to - test->from;
	unsigned char *const original = malloc(bytes);
	unsigned int state = 0x9e3779b9, number = round_number;
	unsigned long rounds = 0;
	pthread_t other;
	outcome_count = 0;
	memcpy(original, test->from, bytes);
	stop = 0;
	pthread_create(&other, 0, reader, 0);
	for (const double end = now() + seconds;; rounds++) {
		stop = (rounds & 1023) == 0 && now() >= end;
		memcpy(test->from, original, bytes);
		memset(seen_w, 0, 64);
		memset(seen_r, 0, 64);
		word_x = word_y = 0;
		word_delay = random_below(&state, DELAY);
		meet(0, ++number);
		if (stop)
			break;
		serialise();
		run_half(0, &state);
		meet(0, ++number);
		count();
	}
	round_number = number;
	pthread_join(other, 0);
	printf("{\"test\":\"%s\",\"words\":[%u,%u],\"rounds\":%lu,\"outcomes\":{", test->name, test->words[0], test->words[1], rounds);
	for (unsigned int k = 0; k < outcome_count; k++) {
		printf("%s\"", k == 0 ? "" : ",");
		for (unsigned int n = 0; n < test->words[0] + test->words[1]; n++)
			printf("%s%x", n == 0 ? "" : " ", outcomes[k].words[n]);
		printf("\":%lu", outcomes[k].count);
	}
	printf("}}\n");
	fflush(stdout);
	free(original);
}

extern char text_from[] __asm__("__executable_start"), text_to[] __asm__("etext");

int main(int argc, char **argv)
{
	cpu_set_t allowed;
	int found = 0;
	if (argc < 2)
		return fprintf(stderr, "usage: harness SECONDS [NAME]\n"), 2;
	sched_getaffinity(0, sizeof allowed, &allowed);
	for (int cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++)
		if (CPU_ISSET(cpu, &allowed))
			cpus[found++] = cpu;
	if (found < 2)
		return fprintf(stderr, "two CPUs are needed\n"), 1;
	bind(0);
	const unsigned long from = (unsigned long)text_from & ~4095ul, to = ((unsigned long)text_to + 4095) & ~4095ul;
	if (mprotect((void *)from, to - from, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
		return perror("mprotect"), 1;
	struct sigaction fault = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
	struct sigaction trap = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };
	sigaction(SIGSEGV, &fault, 0), sigaction(SIGILL, &fault, 0), sigaction(SIGBUS, &fault, 0), sigaction(SIGFPE, &fault, 0);
	sigaction(SIGTRAP, &trap, 0);
	for (test = __start_tests; test->name != 0; test++)
		if (argc < 3 || strcmp(argv[2], test->name) == 0)
			run(atof(argv[1]));
	return 0;
}
