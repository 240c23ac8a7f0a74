/**
 * The little world in which an instruction is executed, natively (harness.c) and on the model: user mode, flat
 * segments, two pages of code filled with INT3, two pages of data with a fixed pattern, one page that may only be
 * read, nothing after any of them.
 */
export const CODE = 0x1000_0000
export const CODE_BYTES = 0x2000
export const DATA = 0x2000_0000
export const DATA_BYTES = 0x2000
export const READ_ONLY = 0x2001_0000
export const UNMAPPED = 0x4000_0000
/** Bytes that an instance may put into the data. */
export const PLANT_BYTES = 24
/** Flags that are compared: CF PF AF ZF SF TF DF OF AC. */
export const FLAGS = 0x40dd5

export function scramble(a: number, b: number): number {
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ b
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d)
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b)
  return (h ^ (h >>> 16)) >>> 0
}

/** Word `k` of the data pattern: one in four is an address in the code pages, so that RET and jumps through memory land there. */
export function patternWord(k: number): number {
  const h = scramble(k, 0x5eed)
  return (h & 3) === 0 ? CODE + 0x800 + (h >>> 22) : away(scramble(h, k))
}

/** Moves what could be an address inside the capturing process (its image, heap, libraries, stack) somewhere else. */
function away(value: number): number {
  const top = value >>> 24
  const taken = top >= 0xc0 || top === 0x08 || top === 0x09 || (top >= 0x56 && top <= 0x5a) || top === 0x6f
  return taken ? ((value & 0x00ff_ffff) | 0x9100_0000) >>> 0 : value
}

const EDGES = [0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff]

/** Register `r` of instance `index`, where the instance does not say otherwise. */
export function registerValue(index: number, r: number): number {
  const h = scramble(index, r + 1)
  const kind = h & 7
  return kind < 3 ? EDGES[(h >>> 3) & 15] : kind === 3 ? h >>> 24 : away(scramble(h, 77))
}

/** x87 control, status and tag word. The tag word of a result says only which registers are empty (3) and which not (0). */
export interface FpuWords {
  readonly cw: number
  readonly sw: number
  readonly tw: number
}

/** As after FNINIT. */
export const FPU_INITIAL: FpuWords = { cw: 0x37f, sw: 0, tw: 0xffff }

/** Only which registers are empty. */
export function emptyTags(tw: number): number {
  const empty = tw & (tw >> 1) & 0x5555
  return empty * 3
}

/** x87 register ST(k): four words of significand, then sign and exponent. All are normal numbers. */
export function stackRegister(k: number): readonly number[] {
  return [...[0, 1, 2, 3].map((n) => (scramble(k, n) >>> 16) | (n === 3 ? 0x8000 : 0)), 0x3ff0 + k]
}

export function hashStack(registers: readonly (readonly number[])[]): number {
  return registers.flat().reduce((hash, word) => scramble(hash, word), 0)
}

export interface Instance {
  readonly code: Uint8Array
  /** Linear address of the first byte; EIP is its distance from the base of CS. */
  readonly place: number
  readonly eip: number
  readonly eflags: number
  /** EAX ... EDI. */
  readonly registers: readonly number[]
  /** ES CS SS DS FS GS. */
  readonly selectors: readonly number[]
  /** Bytes put into the data beforehand, at this offset. */
  readonly planted: Uint8Array
  readonly plantedAt: number
  readonly fpu: FpuWords
}

export interface Result {
  /** Exception that ended it: 3 is the INT3 behind it (EIP is then of the next instruction), as the kernel numbers traps. */
  readonly trap: number
  readonly error: number
  /** CR2 of a page fault; 0 otherwise. */
  readonly cr2: number
  readonly eip: number
  readonly eflags: number
  readonly registers: readonly number[]
  readonly selectors: readonly number[]
  readonly fpu: FpuWords
  /** `hashStack` of ST(0) to ST(7). */
  readonly stack: number
  /** Bytes of data that changed: offset and new value. */
  readonly memory: readonly (readonly [offset: number, value: number])[]
}

export interface Vector {
  readonly before: Instance
  readonly after: Result
}
