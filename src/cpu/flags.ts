/** Arithmetic with eager flags: each function returns the result and leaves the new flags in EFLAGS of `r`. */
import { AF, CF, EFLAGS, OF, PF, SF, ZF } from './registers.ts'

const ARITHMETIC = CF | PF | AF | ZF | SF | OF

/** Bit that holds the sign of a value of `size` bytes. */
export function signBit(size: number): number {
  return size === 4 ? 0x80000000 | 0 : size === 2 ? 0x8000 : 0x80
}
export function mask(value: number, size: number): number {
  return size === 4 ? value | 0 : value & (size === 2 ? 0xffff : 0xff)
}
function parity(value: number): number {
  let x = value & 0xff
  x ^= x >> 4
  return ((0x9669 >> (x & 0xf)) & 1) !== 0 ? PF : 0
}

/** ZF, SF, PF of a result. */
export function resultFlags(result: number, size: number): number {
  const value = mask(result, size)
  return (value === 0 ? ZF : 0) | ((value & signBit(size)) !== 0 ? SF : 0) | parity(value)
}
export function setFlags(r: Int32Array, flags: number, which: number = ARITHMETIC): void {
  r[EFLAGS] = (r[EFLAGS] & ~which) | (flags & which)
}

export function addFlags(a: number, b: number, carry: number, size: number): number {
  const result = mask(a + b + carry, size)
  const carries = (a & b) | ((a | b) & ~result)
  const sign = signBit(size)
  return (
    resultFlags(result, size) |
    ((carries & sign) !== 0 ? CF : 0) |
    ((carries & 8) !== 0 ? AF : 0) |
    (((a ^ result) & (b ^ result) & sign) !== 0 ? OF : 0)
  )
}
export function subFlags(a: number, b: number, borrow: number, size: number): number {
  const result = mask(a - b - borrow, size)
  const borrows = (~a & b) | (~(a ^ b) & result)
  const sign = signBit(size)
  return (
    resultFlags(result, size) |
    ((borrows & sign) !== 0 ? CF : 0) |
    ((borrows & 8) !== 0 ? AF : 0) |
    (((a ^ b) & (a ^ result) & sign) !== 0 ? OF : 0)
  )
}

/** Whether condition `code` (the low four bits of Jcc, SETcc, CMOVcc) holds. */
export function condition(flags: number, code: number): boolean {
  const less = ((flags & SF) !== 0) !== ((flags & OF) !== 0)
  let holds: boolean
  switch (code >> 1) {
    case 0: holds = (flags & OF) !== 0; break
    case 1: holds = (flags & CF) !== 0; break
    case 2: holds = (flags & ZF) !== 0; break
    case 3: holds = (flags & (CF | ZF)) !== 0; break
    case 4: holds = (flags & SF) !== 0; break
    case 5: holds = (flags & PF) !== 0; break
    case 6: holds = less; break
    default: holds = less || (flags & ZF) !== 0
  }
  return holds !== ((code & 1) !== 0)
}

/**
 * Shift or rotate `value` by `count` (already masked to 5 bits, not 0).
 * @param kind 0 ROL 1 ROR 2 RCL 3 RCR 4 SHL 5 SHR 7 SAR (the reg field of the opcode)
 * @returns the result; flags are set in `r`. OF is set as for a count of 1 where the manual leaves it undefined.
 */
export function shift(r: Int32Array, kind: number, value: number, count: number, size: number): number {
  const bits = size * 8
  const sign = signBit(size)
  let result = value
  let carry = r[EFLAGS] & CF
  const before = mask(value, size)
  if (kind >= 4) {
    for (let k = 0; k < count; k++) {
      if (kind === 4 || kind === 6) {
        carry = (result & sign) !== 0 ? 1 : 0
        result = mask(result << 1, size)
      } else {
        carry = result & 1
        const fill = kind === 7 ? result & sign : 0
        result = ((size === 4 ? result >>> 1 : mask(result, size) >>> 1) | fill) | 0
      }
    }
    result = mask(result, size)
    const top = (result & sign) !== 0
    const overflow = kind === 4 || kind === 6 ? top !== (carry !== 0) : kind === 5 ? (before & sign) !== 0 && count === 1 : false
    setFlags(r, carry | resultFlags(result, size) | (overflow ? OF : 0), CF | PF | ZF | SF | OF | AF)
    return result
  }
  const steps = kind < 2 ? count % bits : count % (bits + 1)
  for (let k = 0; k < steps; k++) {
    const top = (result & sign) !== 0 ? 1 : 0
    const low = result & 1
    if (kind === 0) result = mask((result << 1) | top, size)
    else if (kind === 1) result = mask((mask(result, size) >>> 1) | (low !== 0 ? sign : 0), size)
    else if (kind === 2) {
      result = mask((result << 1) | carry, size)
      carry = top
    } else {
      const half = size === 4 ? result >>> 1 : result >>> 1
      result = mask(half | (carry !== 0 ? sign : 0), size)
      carry = low
    }
    if (size === 4) result |= 0
  }
  if (kind === 0) carry = result & 1
  if (kind === 1) carry = (result & sign) !== 0 ? 1 : 0
  const top = (result & sign) !== 0
  const second = (result & (sign >>> 1)) !== 0
  const overflow = kind === 0 || kind === 2 ? top !== (carry !== 0) : top !== second
  setFlags(r, carry | (overflow ? OF : 0), CF | OF)
  return result
}
