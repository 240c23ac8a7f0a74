/*
 * A bare SMP kernel for the tests: starts every other vCPU by INIT and SIPI, counts under a spinlock, sends IPIs and
 * NMIs, takes timer interrupts (local APIC, and the 8254 through the 8259), prints on the serial line, reads its
 * command line and modules, and leaves by the debug-exit port: 0 (status 1) when all is as it should be.
 */
typedef unsigned int u32;
typedef unsigned char u8;

static inline void outb(unsigned short port, u8 value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
static inline u8 inb(unsigned short port) { u8 v; __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline void outl(unsigned short port, u32 value) { __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port)); }
static inline u32 apic_read(u32 r) { return *(volatile u32 *)(0xfee00000u + r); }
static inline void apic_write(u32 r, u32 v) { *(volatile u32 *)(0xfee00000u + r) = v; }

extern char trampoline[], trampoline_end[];
extern void on_ipi(void), on_timer(void), on_nmi(void), on_pic(void);
volatile u32 nmi_count, ipi_count, timer_count, pic_count, online, counter, lock_word, go;

static void put(char c) { while (!(inb(0x3fd) & 0x20)); outb(0x3f8, c); }
static void print(const char *s) { while (*s) put(*s++); }
static void print_u32(u32 v) { char b[11]; int n = 0; do b[n++] = '0' + v % 10; while (v /= 10); while (n) put(b[--n]); }
static void say(const char *s, u32 v) { print(s); put('='); print_u32(v); put('\n'); }
static void post(u8 code) { outb(0x80, code); }
static void fail(const char *what, u8 code) { print("FAIL "); print(what); put('\n'); outl(0xf4, code); for (;;) __asm__ volatile("cli; hlt"); }

void ipi_handler(void) { __atomic_fetch_add(&ipi_count, 1, __ATOMIC_SEQ_CST); apic_write(0xb0, 0); }
void timer_handler(void) { timer_count++; apic_write(0xb0, 0); }
void pic_handler(void) { pic_count++; outb(0x20, 0x20); }

static struct { u32 low, high; } idt[256];
static struct __attribute__((packed)) { unsigned short limit; u32 base; } idt_pointer = { sizeof idt - 1, (u32)idt };
static void gate(int vector, void (*fn)(void)) { u32 a = (u32)fn; idt[vector].low = (8 << 16) | (a & 0xffff); idt[vector].high = (a & 0xffff0000) | 0x8e00; }

static void lock(void) { while (__atomic_exchange_n(&lock_word, 1, __ATOMIC_ACQUIRE)) __asm__ volatile("pause"); }
static void unlock(void) { __atomic_store_n(&lock_word, 0, __ATOMIC_RELEASE); }
static void count(void) { for (int k = 0; k < 100; k++) { lock(); counter++; unlock(); } }

void ap_main(void) {
	__asm__ volatile("lidt %0" : : "m"(idt_pointer));
	apic_write(0xf0, 0x1ff);
	__asm__ volatile("sti");
	__atomic_fetch_add(&online, 1, __ATOMIC_SEQ_CST);
	while (!go) __asm__ volatile("pause");
	count();
	__atomic_fetch_add(&online, 1, __ATOMIC_SEQ_CST);
	for (;;) __asm__ volatile("hlt");
}

static u32 cpus_from_config(void) { __asm__ volatile("outw %0, %1" : : "a"((unsigned short)5), "Nd"((unsigned short)0x510)); u32 n = inb(0x511); return n | inb(0x511) << 8; }

void kernel_main(u32 magic, u32 *info) {
	if (magic != 0x2badb002) fail("magic", 2);
	post(0x10);
	print("command line: "); print((char *)info[4]); put('\n');
	say("modules", info[5]);
	for (u32 k = 0; k < info[5]; k++) { u32 *m = (u32 *)info[6] + 4 * k; say("module bytes", m[1] - m[0]); put(*(char *)m[0]); put('\n'); }
	say("memory KB", info[2]);
	gate(2, on_nmi); gate(0x40, on_ipi); gate(0x41, on_timer); gate(0x20, on_pic);
	__asm__ volatile("lidt %0" : : "m"(idt_pointer));
	apic_write(0xf0, 0x1ff);

	u32 cpus = cpus_from_config();
	say("vcpus", cpus);
	for (char *p = trampoline, *q = (char *)0x8000; p < trampoline_end; ) *q++ = *p++;
	if (cpus > 1) {
		apic_write(0x310, 0); apic_write(0x300, 0x000c4500);
		apic_write(0x300, 0x000c4608); apic_write(0x300, 0x000c4608);
		while (online != cpus - 1) __asm__ volatile("pause");
	}
	post(0x20);
	go = 1;
	count();
	while (online != 2 * (cpus - 1)) __asm__ volatile("pause");
	say("counter", counter);
	if (counter != 100 * cpus) fail("counter", 3);

	post(0x30);
	apic_write(0x300, 0x000c4040);
	while (ipi_count != cpus - 1) __asm__ volatile("pause");
	say("ipis", ipi_count);
	for (u32 k = 1; k < cpus; k++) { apic_write(0x310, k << 24); apic_write(0x300, 0x4400); }
	while (nmi_count != cpus - 1) __asm__ volatile("pause");
	say("nmis", nmi_count);

	post(0x40);
	apic_write(0x3e0, 0xb); apic_write(0x320, 0x20041); apic_write(0x380, 2000);
	__asm__ volatile("sti");
	while (timer_count < 3) __asm__ volatile("hlt");
	apic_write(0x320, 0x10000); apic_write(0x380, 0);
	say("timer", timer_count);

	outb(0x20, 0x11); outb(0x21, 0x20); outb(0x21, 4); outb(0x21, 1); outb(0x21, 0xfe);
	outb(0x43, 0x34); outb(0x40, 0xa9); outb(0x40, 4);
	apic_write(0x350, 0x700);
	while (pic_count < 2) __asm__ volatile("hlt");
	say("pic", pic_count);
	__asm__ volatile("cli");

	post(0xff);
	print("done\n");
	outl(0xf4, 0);
}
