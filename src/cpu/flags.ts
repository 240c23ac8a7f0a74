/**
 * Arithmetic with eager flags: what instructions compute, at sizes of 1, 2 and 4 bytes, written once for the handlers
 * (handlers.ts) and the forms (runBlocks.ts).
 */
import { AF, CF, EFLAGS, OF, PF, SF, ZF } from './registers.ts'

const ARITHMETIC = CF | PF | AF | ZF | SF | OF

/** PF of a result, by its low byte: set when the number of ones is even. */
const PARITY = Uint8Array.from({ length: 256 }, (_, byte) => {
  let ones = 0
  for (let bit = 0; bit < 8; bit++) ones += (byte >> bit) & 1
  return ones % 2 === 0 ? PF : 0
})

/** Bit that holds the sign of a value of `size` bytes. */
export function signBit(size: number): number {
  return size === 4 ? 0x80000000 | 0 : size === 2 ? 0x8000 : 0x80
}
export function mask(value: number, size: number): number {
  return size === 4 ? value | 0 : value & (size === 2 ? 0xffff : 0xff)
}

/** ZF, SF, PF of a result. */
export function resultFlags(result: number, size: number): number {
  const top = result << (32 - size * 8)
  return (top === 0 ? ZF : 0) | ((top >>> 24) & SF) | PARITY[result & 0xff]
}
export function setFlags(r: Int32Array, flags: number, which: number = ARITHMETIC): void {
  r[EFLAGS] = (r[EFLAGS] & ~which) | (flags & which)
}

// Below, what is carried out of each bit is found bit by bit, and shifted so that the operand's top bit becomes CF (bit 0) and OF
// (bit 11). The carry into bit 4 is AF (bit 4).

export function addFlags(a: number, b: number, carry: number, size: number): number {
  const unused = 32 - size * 8
  const result = (a + b + carry) | 0
  const top = result << unused
  return (
    (top === 0 ? ZF : 0) |
    ((top >>> 24) & SF) |
    PARITY[result & 0xff] |
    ((a ^ b ^ result) & AF) |
    ((((a & b) | ((a | b) & ~result)) << unused) >>> 31) |
    ((((a ^ result) & (b ^ result)) << unused >>> 20) & OF)
  )
}
export function subFlags(a: number, b: number, borrow: number, size: number): number {
  const unused = 32 - size * 8
  const result = (a - b - borrow) | 0
  const top = result << unused
  return (
    (top === 0 ? ZF : 0) |
    ((top >>> 24) & SF) |
    PARITY[result & 0xff] |
    ((a ^ b ^ result) & AF) |
    ((((~a & b) | (~(a ^ b) & result)) << unused) >>> 31) |
    ((((a ^ b) & (a ^ result)) << unused >>> 20) & OF)
  )
}

// What instructions compute: the result is returned, the flags are set in `r`. Operands may have anything above their size.

export function add(r: Int32Array, a: number, b: number, size: number): number {
  setFlags(r, addFlags(a, b, 0, size))
  return mask(a + b, size)
}
export function adc(r: Int32Array, a: number, b: number, size: number): number {
  const carry = r[EFLAGS] & CF
  setFlags(r, addFlags(a, b, carry, size))
  return mask(a + b + carry, size)
}
/** Of SUB and CMP. */
export function sub(r: Int32Array, a: number, b: number, size: number): number {
  setFlags(r, subFlags(a, b, 0, size))
  return mask(a - b, size)
}
export function sbb(r: Int32Array, a: number, b: number, size: number): number {
  const borrow = r[EFLAGS] & CF
  setFlags(r, subFlags(a, b, borrow, size))
  return mask(a - b - borrow, size)
}
/** Of AND, OR, XOR and TEST, whose result is given: CF, OF and AF are cleared. */
export function logical(r: Int32Array, result: number, size: number): number {
  setFlags(r, resultFlags(result, size))
  return mask(result, size)
}
/** INC and DEC leave CF alone. */
export function inc(r: Int32Array, a: number, size: number): number {
  setFlags(r, addFlags(a, 1, 0, size), PF | AF | ZF | SF | OF)
  return mask(a + 1, size)
}
export function dec(r: Int32Array, a: number, size: number): number {
  setFlags(r, subFlags(a, 1, 0, size), PF | AF | ZF | SF | OF)
  return mask(a - 1, size)
}
export function neg(r: Int32Array, a: number, size: number): number {
  return sub(r, 0, a, size)
}
/** Of IMUL with two or three operands: CF and OF say that the product does not fit. */
export function imul(r: Int32Array, a: number, b: number, size: number): number {
  const unused = 32 - size * 8
  const low = ((Math.imul(a, b) << unused) >> unused)
  // Beyond 2^53 the product is rounded, and then it does not fit anyway.
  setFlags(r, ((a << unused) >> unused) * ((b << unused) >> unused) === low ? 0 : CF | OF, CF | OF)
  return mask(low, size)
}

/** Numbers of `alu`: the reg field of opcodes 80-83; TEST is added. */
export const ALU = { add: 0, or: 1, adc: 2, sbb: 3, and: 4, sub: 5, xor: 6, cmp: 7, test: 8 } as const

/** ADD to TEST by number. */
export function alu(r: Int32Array, kind: number, a: number, b: number, size: number): number {
  switch (kind) {
    case 0: return add(r, a, b, size)
    case 1: return logical(r, a | b, size)
    case 2: return adc(r, a, b, size)
    case 3: return sbb(r, a, b, size)
    case 4: case 8: return logical(r, a & b, size)
    case 6: return logical(r, a ^ b, size)
    default: return sub(r, a, b, size)
  }
}

/** Bit c: whether condition c (the low four bits of Jcc, SETcc, CMOVcc) holds with bits 0-11 of EFLAGS as in the index. */
const HOLDS = Uint16Array.from({ length: 4096 }, (_, flags) => {
  const is = (bit: number) => (flags & bit) !== 0
  const less = is(SF) !== is(OF)
  const even = [is(OF), is(CF), is(ZF), is(CF | ZF), is(SF), is(PF), less, less || is(ZF)]
  return even.reduce((bits, holds, k) => bits | (holds ? 1 : 2) << (2 * k), 0)
})

export function condition(flags: number, code: number): boolean {
  return ((HOLDS[flags & 0xfff] >> code) & 1) !== 0
}

// Shifts and rotates by `count`, already masked to 5 bits and not 0. OF is set as for a count of 1 where the manual leaves it undefined.

export function shl(r: Int32Array, value: number, count: number, size: number): number {
  const bits = size * 8
  const result = mask(value << count, size)
  const carry = count > bits ? 0 : (value >>> (bits - count)) & 1
  const flags = resultFlags(result, size) | carry
  setFlags(r, flags | (((flags >> 7) ^ carry) !== 0 ? OF : 0))
  return result
}
export function shr(r: Int32Array, value: number, count: number, size: number): number {
  const before = mask(value, size)
  const result = (before >>> count) | 0
  setFlags(r, resultFlags(result, size) | ((before >>> (count - 1)) & 1) | (count === 1 && (before & signBit(size)) !== 0 ? OF : 0))
  return result
}
export function sar(r: Int32Array, value: number, count: number, size: number): number {
  const unused = 32 - size * 8
  const wide = (value << unused) >> unused
  const result = mask(wide >> count, size)
  setFlags(r, resultFlags(result, size) | ((wide >> (count - 1)) & 1))
  return result
}
export function rol(r: Int32Array, value: number, count: number, size: number): number {
  const bits = size * 8
  const turn = count & (bits - 1)
  const before = mask(value, size)
  const result = turn === 0 ? before : mask((before << turn) | (before >>> (bits - turn)), size)
  const carry = result & 1
  setFlags(r, carry | ((((result << (32 - bits)) >>> 31) ^ carry) !== 0 ? OF : 0), CF | OF)
  return result
}
export function ror(r: Int32Array, value: number, count: number, size: number): number {
  const bits = size * 8
  const turn = count & (bits - 1)
  const before = mask(value, size)
  const result = turn === 0 ? before : mask((before >>> turn) | (before << (bits - turn)), size)
  const top = result << (32 - bits)
  setFlags(r, (top >>> 31) | ((top ^ (top << 1)) < 0 ? OF : 0), CF | OF)
  return result
}

/** Through the carry: RCL, or RCR with `right`. */
function rotateCarry(r: Int32Array, right: boolean, value: number, count: number, size: number): number {
  const sign = signBit(size)
  let carry = r[EFLAGS] & CF
  let result = mask(value, size)
  for (let steps = count % (size * 8 + 1); steps > 0; steps--) {
    const out = right ? result & 1 : (result & sign) !== 0 ? 1 : 0
    result = mask(right ? (result >>> 1) | (carry !== 0 ? sign : 0) : (result << 1) | carry, size)
    carry = out
  }
  const top = (result & sign) !== 0
  const other = right ? (result & (sign >>> 1)) !== 0 : carry !== 0
  setFlags(r, carry | (top !== other ? OF : 0), CF | OF)
  return result
}

/**
 * Any of them.
 * @param kind 0 ROL 1 ROR 2 RCL 3 RCR 4 SHL 5 SHR 6 SHL 7 SAR (the reg field of the opcode)
 * @returns the result; flags are set in `r`
 */
export function shift(r: Int32Array, kind: number, value: number, count: number, size: number): number {
  switch (kind) {
    case 0: return rol(r, value, count, size)
    case 1: return ror(r, value, count, size)
    case 2: return rotateCarry(r, false, value, count, size)
    case 3: return rotateCarry(r, true, value, count, size)
    case 5: return shr(r, value, count, size)
    case 7: return sar(r, value, count, size)
    default: return shl(r, value, count, size)
  }
}
