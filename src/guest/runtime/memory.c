/*
 * memcpy, memmove, memset, memcmp: byte by byte, the weakest that C promises of them. A checked program that
 * relies on wider accesses must make them itself.
 */
typedef __SIZE_TYPE__ size_t;

#ifdef L_memcpy
void *memcpy(void *restrict to, const void *restrict from, size_t count)
{
	volatile unsigned char *target = to;
	const volatile unsigned char *source = from;
	while (count--)
		*target++ = *source++;
	return to;
}
#endif

#ifdef L_memmove
void *memmove(void *to, const void *from, size_t count)
{
	volatile unsigned char *target = to;
	const volatile unsigned char *source = from;
	if ((size_t)to - (size_t)from >= count)
		for (size_t n = 0; n < count; n++)
			target[n] = source[n];
	else
		while (count--)
			target[count] = source[count];
	return to;
}
#endif

#ifdef L_memset
void *memset(void *to, int value, size_t count)
{
	volatile unsigned char *target = to;
	while (count--)
		*target++ = (unsigned char)value;
	return to;
}
#endif

#ifdef L_memcmp
int memcmp(const void *a, const void *b, size_t count)
{
	const volatile unsigned char *left = a, *right = b;
	for (; count; count--, left++, right++) {
		int difference = *left - *right;
		if (difference)
			return difference;
	}
	return 0;
}
#endif
