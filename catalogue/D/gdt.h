/* A GDT of the guest's own: flat code and data where the environment has them, and one TLS entry. */
#define TLS_SELECTOR 0x18
static volatile unsigned int gdt[8] __attribute__((aligned(8))) = { 0, 0, 0x0000ffff, 0x00cf9b00, 0x0000ffff, 0x00cf9300, 0, 0 };
#define DESCRIPTOR_LOW(base) (((unsigned int)(base) & 0xffff) << 16 | 0x0fff)
#define DESCRIPTOR_HIGH(base) (((unsigned int)(base) & 0xff000000) | ((unsigned int)(base) >> 16 & 0xff) | 0x00409300)

static void load_gdt(void)
{
	const struct {
		unsigned short limit;
		unsigned int base;
	} __attribute__((packed)) pointer = { sizeof gdt - 1, (unsigned int)gdt };
	__asm__ __volatile__("lgdt %0" : : "m"(pointer) : "memory");
}
static void load_fs(unsigned int selector) { __asm__ __volatile__("movw %w0, %%fs" : : "r"(selector) : "memory"); }
static unsigned int tls_word(void)
{
	unsigned int word;
	__asm__ __volatile__("movl %%fs:0, %0" : "=r"(word) : : "memory");
	return word;
}
