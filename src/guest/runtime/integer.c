/*
 * The integer helpers that gcc and clang call for i386 (libgcc's names and semantics). Each L_name is compiled
 * to an object of its own. 64-bit values are taken apart by hand, so that no helper calls another or itself.
 */
typedef unsigned int u32;
typedef int s32;
typedef unsigned long long u64;
typedef long long s64;

union words {
	u64 whole;
	struct {
		u32 low, high;
	};
};

static inline u64 make(u32 high, u32 low)
{
	union words value;
	value.low = low;
	value.high = high;
	return value.whole;
}
static inline u32 low(u64 value) { return ((union words){ .whole = value }).low; }
static inline u32 high(u64 value) { return ((union words){ .whole = value }).high; }

/* high:low / divisor where high < divisor: the quotient fits. */
static inline u32 divide(u32 top, u32 bottom, u32 divisor, u32 *rest)
{
	u32 quotient;
	__asm__("divl %4" : "=a"(quotient), "=d"(*rest) : "0"(bottom), "1"(top), "rm"(divisor) : "cc");
	return quotient;
}

/* Division by 0 raises #DE, as the instruction does. */
static inline u64 divide64(u64 n, u64 d, u64 *rest)
{
	u32 remainder;
	if (high(d) == 0) {
		u32 top = divide(0, high(n), low(d), &remainder);
		u32 bottom = divide(remainder, low(n), low(d), &remainder);
		*rest = remainder;
		return make(top, bottom);
	}
	/* The quotient has at most 32 bits: shift and subtract. */
	u32 r_high = 0, r_low = high(n), bits = low(n), quotient = 0;
	for (int i = 0; i < 32; i++) {
		u32 carry = r_high >> 31;
		r_high = r_high << 1 | r_low >> 31;
		r_low = r_low << 1 | bits >> 31;
		bits <<= 1;
		quotient <<= 1;
		if (carry || r_high > high(d) || (r_high == high(d) && r_low >= low(d))) {
			r_high = r_high - high(d) - (r_low < low(d));
			r_low -= low(d);
			quotient |= 1;
		}
	}
	*rest = make(r_high, r_low);
	return make(0, quotient);
}

static inline u64 negate(u64 value) { return make(-high(value) - (low(value) != 0), -low(value)); }
static inline u64 magnitude(s64 value) { return (s32)high(value) < 0 ? negate(value) : (u64)value; }
static inline int sign(s64 value) { return (s32)high(value) < 0; }

static inline int bitsIn(u32 value)
{
	value -= value >> 1 & 0x55555555;
	value = (value & 0x33333333) + (value >> 2 & 0x33333333);
	return ((value + (value >> 4)) & 0x0f0f0f0f) * 0x01010101u >> 24;
}
/* Number of the lowest, highest bit set. */
static inline int lowest(u32 value) { int n; __asm__("bsfl %1, %0" : "=r"(n) : "rm"(value) : "cc"); return n; }
static inline int highest(u32 value) { int n; __asm__("bsrl %1, %0" : "=r"(n) : "rm"(value) : "cc"); return n; }
static inline u32 swap(u32 value)
{
	return value << 24 | (value & 0xff00) << 8 | (value >> 8 & 0xff00) | value >> 24;
}

#ifdef L___udivdi3
u64 __udivdi3(u64 n, u64 d) { u64 rest; return divide64(n, d, &rest); }
#endif
#ifdef L___umoddi3
u64 __umoddi3(u64 n, u64 d) { u64 rest; divide64(n, d, &rest); return rest; }
#endif
#ifdef L___udivmoddi4
u64 __udivmoddi4(u64 n, u64 d, u64 *remainder)
{
	u64 rest, quotient = divide64(n, d, &rest);
	if (remainder)
		*remainder = rest;
	return quotient;
}
#endif
#ifdef L___divdi3
s64 __divdi3(s64 n, s64 d)
{
	u64 rest, quotient = divide64(magnitude(n), magnitude(d), &rest);
	return sign(n) != sign(d) ? negate(quotient) : quotient;
}
#endif
#ifdef L___moddi3
s64 __moddi3(s64 n, s64 d)
{
	u64 rest;
	divide64(magnitude(n), magnitude(d), &rest);
	return sign(n) ? negate(rest) : rest;
}
#endif
#ifdef L___divmoddi4
s64 __divmoddi4(s64 n, s64 d, s64 *remainder)
{
	u64 rest, quotient = divide64(magnitude(n), magnitude(d), &rest);
	*remainder = sign(n) ? negate(rest) : rest;
	return sign(n) != sign(d) ? negate(quotient) : quotient;
}
#endif
#ifdef L___muldi3
s64 __muldi3(s64 a, s64 b)
{
	u32 top, bottom;
	__asm__("mull %3" : "=a"(bottom), "=d"(top) : "0"(low(a)), "rm"(low(b)) : "cc");
	return make(top + low(a) * high(b) + high(a) * low(b), bottom);
}
#endif
#ifdef L___negdi2
s64 __negdi2(s64 a) { return negate(a); }
#endif
#ifdef L___ashldi3
s64 __ashldi3(s64 a, int n)
{
	if (n == 0)
		return a;
	if (n >= 32)
		return make(low(a) << (n - 32), 0);
	return make(high(a) << n | low(a) >> (32 - n), low(a) << n);
}
#endif
#ifdef L___lshrdi3
s64 __lshrdi3(s64 a, int n)
{
	if (n == 0)
		return a;
	if (n >= 32)
		return make(0, high(a) >> (n - 32));
	return make(high(a) >> n, low(a) >> n | high(a) << (32 - n));
}
#endif
#ifdef L___ashrdi3
s64 __ashrdi3(s64 a, int n)
{
	s32 top = (s32)high(a);
	if (n == 0)
		return a;
	if (n >= 32)
		return make(top >> 31, top >> (n - 32));
	return make(top >> n, low(a) >> n | (u32)top << (32 - n));
}
#endif
#ifdef L___cmpdi2
int __cmpdi2(s64 a, s64 b)
{
	if ((s32)high(a) != (s32)high(b))
		return (s32)high(a) < (s32)high(b) ? 0 : 2;
	return low(a) == low(b) ? 1 : low(a) < low(b) ? 0 : 2;
}
#endif
#ifdef L___ucmpdi2
int __ucmpdi2(u64 a, u64 b)
{
	if (high(a) != high(b))
		return high(a) < high(b) ? 0 : 2;
	return low(a) == low(b) ? 1 : low(a) < low(b) ? 0 : 2;
}
#endif
#ifdef L___popcountsi2
int __popcountsi2(u32 a) { return bitsIn(a); }
#endif
#ifdef L___popcountdi2
int __popcountdi2(u64 a) { return bitsIn(low(a)) + bitsIn(high(a)); }
#endif
#ifdef L___paritysi2
int __paritysi2(u32 a) { return bitsIn(a) & 1; }
#endif
#ifdef L___paritydi2
int __paritydi2(u64 a) { return bitsIn(low(a) ^ high(a)) & 1; }
#endif
#ifdef L___ctzsi2
int __ctzsi2(u32 a) { return lowest(a); }
#endif
#ifdef L___ctzdi2
int __ctzdi2(u64 a) { return low(a) ? lowest(low(a)) : 32 + lowest(high(a)); }
#endif
#ifdef L___clzsi2
int __clzsi2(u32 a) { return 31 - highest(a); }
#endif
#ifdef L___clzdi2
int __clzdi2(u64 a) { return high(a) ? 31 - highest(high(a)) : 63 - highest(low(a)); }
#endif
#ifdef L___ffssi2
int __ffssi2(u32 a) { return a ? lowest(a) + 1 : 0; }
#endif
#ifdef L___ffsdi2
int __ffsdi2(u64 a) { return low(a) ? lowest(low(a)) + 1 : high(a) ? lowest(high(a)) + 33 : 0; }
#endif
#ifdef L___bswapsi2
u32 __bswapsi2(u32 a) { return swap(a); }
#endif
#ifdef L___bswapdi2
u64 __bswapdi2(u64 a) { return make(swap(low(a)), swap(high(a))); }
#endif
