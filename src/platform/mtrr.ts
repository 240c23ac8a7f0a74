/**
 * Memory type range registers (SDM vol. 3A 13.11) as plain storage: memory types do nothing here, firmware and kernels
 * only expect to read back what they wrote, and #GP for what is reserved.
 */
import type { MsrBank, Words } from './msrBank.ts'

const CAPABILITIES = 0xfe
const FIRST_VARIABLE = 0x200
const VARIABLE_RANGES = 8
const DEFAULT_TYPE = 0x2ff
/** 64 KB, 16 KB twice, 4 KB eight times. */
const FIXED = [0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f]
/** Eight variable ranges, fixed ranges, write combining. */
const CAPABILITY_BITS = VARIABLE_RANGES | (1 << 8) | (1 << 10)
/** Default type: the type, FE and E. */
const DEFAULT_TYPE_BITS = 0xcff
const NOTHING: Words = { low: 0, high: 0 }

export class Mtrrs implements MsrBank {
  readonly #values = new Map<number, Words>()

  constructor() {
    for (let n = 0; n < VARIABLE_RANGES * 2; n++) this.#values.set(FIRST_VARIABLE + n, NOTHING)
    for (const msr of [...FIXED, DEFAULT_TYPE]) this.#values.set(msr, NOTHING)
  }

  read(msr: number): Words | null {
    return msr === CAPABILITIES ? { low: CAPABILITY_BITS, high: 0 } : (this.#values.get(msr) ?? null)
  }

  write(msr: number, low: number, high: number): boolean {
    if (!this.#values.has(msr) || !isValid(msr, low, high)) return false
    this.#values.set(msr, { low, high })
    return true
  }

  *words(): Iterable<number> {
    for (const { low, high } of this.#values.values()) {
      yield low
      yield high
    }
  }
}

function isValid(msr: number, low: number, high: number): boolean {
  if (msr === DEFAULT_TYPE) return isType(low) && (low & ~DEFAULT_TYPE_BITS) === 0 && high === 0
  if (FIXED.includes(msr)) return [low, high].every((half) => [0, 8, 16, 24].every((at) => isType(half >>> at)))
  // Physical addresses have 32 bits. A base has a type; a mask its valid bit. Masks are written with more address bits by
  // software that takes 36 for granted: those parts had.
  if ((msr & 1) === 0) return isType(low) && (low & 0xf00) === 0 && high === 0
  return (low & 0x7ff) === 0 && (high & ~0xf) === 0
}

/** Whether the low byte is a memory type: uncacheable, write combining, through, protected, back. */
function isType(value: number): boolean {
  const type = value & 0xff
  return type <= 6 && type !== 2 && type !== 3
}
