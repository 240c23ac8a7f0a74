/**
 * The file of captured vectors: a line of JSON (what made it), then packed records, all gzipped.
 *
 * ```
 *  row number (2)  code length (1)  code  place - CODE (2)  flags (4)  mask of given registers (1)  their values (4 each)
 *  mask of selectors that are not FLAT (1)  their values (2 each)  bytes planted (1)  [offset (2)  bytes]
 *  mask of x87 words that are not FPU_INITIAL (1)  their values (2 each)
 *  trap (1)  [error (4)  CR2 (4)]  EIP (4)  flags (4)  mask of changed registers (1)  their values (4 each)
 *  mask of changed selectors (1)  their values (2 each)  mask of changed x87 words (1)  their values (2 each)
 *  x87 registers changed (1)  [their hash (4)]  bytes changed (2)  [offset (2)  value (1)]
 * ```
 * A record of code length 0 ends there: the instance showed nothing. Registers that are not given are `registerValue` of the vector's number; error and CR2 stand where the trap is not 3.
 */
import { CODE, FPU_INITIAL, hashStack, registerValue, stackRegister, type FpuWords, type Instance, type Result, type Vector } from './layout.ts'
import { segmentOf, USER_CS, USER_DS } from './segments.ts'

/** Selectors in the order of `Instance.selectors`, where an instance does not say otherwise. */
export const FLAT: readonly number[] = [USER_DS, USER_CS, USER_DS, USER_DS, 0, 0]
const CS = 1
const STACK_BEFORE = hashStack([0, 1, 2, 3, 4, 5, 6, 7].map(stackRegister))
const wordsOf = ({ cw, sw, tw }: FpuWords): readonly number[] => [cw, sw, tw]
const fpuOf = ([cw, sw, tw]: readonly number[]): FpuWords => ({ cw, sw, tw })

export interface Header {
  readonly cpu: string
  /** SHA-256 of harness.c. */
  readonly harness: string
  readonly count: number
  /** Rows by number: `mnemonic opcode operands`. */
  readonly rows: readonly string[]
}

export class Packer {
  readonly #bytes: number[][] = []
  #now: number[] = []

  add(row: number, before: Instance, given: ReadonlyMap<number, number>, after: Result): void {
    this.#now = []
    this.#put(row, 2)
    this.#put(before.code.length, 1)
    for (const byte of before.code) this.#put(byte, 1)
    this.#put(before.place - CODE, 2)
    this.#put(before.eflags, 4)
    this.#masked([...given], 4)
    this.#masked(different(before.selectors, FLAT), 2)
    this.#put(before.planted.length, 1)
    if (before.planted.length > 0) this.#put(before.plantedAt, 2)
    for (const byte of before.planted) this.#put(byte, 1)
    this.#masked(different(wordsOf(before.fpu), wordsOf(FPU_INITIAL)), 2)
    this.#put(after.trap, 1)
    if (after.trap !== 3) {
      this.#put(after.error, 4)
      this.#put(after.cr2, 4)
    }
    this.#put(after.eip, 4)
    this.#put(after.eflags, 4)
    this.#masked(different(after.registers, before.registers), 4)
    this.#masked(different(after.selectors, before.selectors), 2)
    this.#masked(different(wordsOf(after.fpu), wordsOf(before.fpu)), 2)
    const moved = after.stack !== STACK_BEFORE
    this.#put(moved ? 1 : 0, 1)
    if (moved) this.#put(after.stack, 4)
    this.#put(after.memory.length, 2)
    for (const [offset, value] of after.memory) {
      this.#put(offset, 2)
      this.#put(value, 1)
    }
    this.#bytes.push(this.#now)
  }

  /** An instance that showed nothing: its number is used up. */
  skip(row: number): void {
    this.#now = []
    this.#put(row, 2)
    this.#put(0, 1)
    this.#bytes.push(this.#now)
  }

  pack(header: Header): Uint8Array {
    return Uint8Array.from([...new TextEncoder().encode(`${JSON.stringify(header)}\n`), ...this.#bytes.flat()])
  }

  #masked(list: readonly (readonly [number, number])[], size: number): void {
    this.#put(list.reduce((mask, [r]) => mask | (1 << r), 0), 1)
    for (const [, value] of [...list].sort((a, b) => a[0] - b[0])) this.#put(value, size)
  }
  #put(value: number, size: number): void {
    for (let k = 0; k < size; k++) this.#now.push((value >>> (8 * k)) & 0xff)
  }
}

const different = (values: readonly number[], from: readonly number[]) =>
  values.map((value, k): [number, number] => [k, value]).filter(([k, value]) => value !== from[k])

export interface Captured extends Vector {
  readonly index: number
  readonly row: number
}

/** Which vectors are unpacked, by number and row. */
export type Wanted = (index: number, row: number) => boolean

export function readVectors(file: Uint8Array): { header: Header; vectors: (wanted?: Wanted) => Generator<Captured> } {
  const line = file.indexOf(10)
  const header = JSON.parse(new TextDecoder().decode(file.subarray(0, line))) as Header
  return { header, vectors: (wanted = () => true) => unpack(file, line + 1, header.count, wanted) }
}

function* unpack(file: Uint8Array, start: number, count: number, wanted: Wanted): Generator<Captured> {
  let at = start
  const take = (size: number) => {
    let value = 0
    for (let k = 0; k < size; k++) value |= file[at++] << (8 * k)
    return value >>> 0
  }
  const masked = (size: number) => {
    for (let mask = take(1); mask !== 0; mask &= mask - 1) at += size
  }
  /** Passes what is behind the code's length. */
  const skip = (length: number) => {
    at += length + 6
    masked(4)
    masked(2)
    const planted = take(1)
    at += planted > 0 ? planted + 2 : 0
    masked(2)
    const trap = take(1)
    at += trap === 3 ? 8 : 16
    masked(4)
    masked(2)
    masked(2)
    const moved = take(1)
    at += 4 * moved
    const changed = take(2)
    at += 3 * changed
  }
  for (let index = 0; index < count; index++) {
    const row = take(2)
    const length = take(1)
    if (length === 0) continue
    if (!wanted(index, row)) {
      skip(length)
      continue
    }
    const code = file.subarray(at, (at += length))
    const place = CODE + take(2)
    const eflags = take(4)
    const given = take(1)
    const registers = Array.from({ length: 8 }, (_, r) => ((given >> r) & 1 ? take(4) : registerValue(index, r)))
    const loaded = take(1)
    const selectors = FLAT.map((value, k) => ((loaded >> k) & 1 ? take(2) : value))
    const plantedBytes = take(1)
    const plantedAt = plantedBytes > 0 ? take(2) : 0
    const planted = file.subarray(at, (at += plantedBytes))
    const fpuGiven = take(1)
    const fpu = fpuOf(wordsOf(FPU_INITIAL).map((value, k) => ((fpuGiven >> k) & 1 ? take(2) : value)))
    const trap = take(1)
    const error = trap === 3 ? 0 : take(4)
    const cr2 = trap === 3 ? 0 : take(4)
    const eipAfter = take(4)
    const flagsAfter = take(4)
    const changed = take(1)
    const registersAfter = registers.map((value, r) => ((changed >> r) & 1 ? take(4) : value))
    const reloaded = take(1)
    const selectorsAfter = selectors.map((value, k) => ((reloaded >> k) & 1 ? take(2) : value))
    const fpuChanged = take(1)
    const fpuAfter = fpuOf(wordsOf(fpu).map((value, k) => ((fpuChanged >> k) & 1 ? take(2) : value)))
    const stack = take(1) === 0 ? STACK_BEFORE : take(4)
    const memory = Array.from({ length: take(2) }, (): [number, number] => [take(2), take(1)])
    const eip = place - (segmentOf(selectors[CS])?.base ?? 0)
    const before: Instance = { code, place, eip, eflags, registers, selectors, planted, plantedAt, fpu }
    const after: Result = { trap, error, cr2, eip: eipAfter, eflags: flagsAfter, registers: registersAfter, selectors: selectorsAfter, fpu: fpuAfter, stack, memory }
    yield { index, row, before, after }
  }
}
