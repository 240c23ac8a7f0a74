/**
 * The file of captured vectors: a line of JSON (what made it), then packed records, all gzipped.
 *
 * ```
 *  row number (2)  code length (1)  code  EIP - CODE (2)  flags (2)  mask of given registers (1)  their values (4 each)
 *  trap (1)  [error (4)  CR2 (4)]  EIP (4)  flags (2)  mask of changed registers (1)  their values (4 each)
 *  bytes changed (2)  [offset (2)  value (1)]
 * ```
 * A record of code length 0 ends there: the instance showed nothing. Registers that are not given are `registerValue` of the vector's number; error and CR2 stand where the trap is not 3.
 */
import { CODE, registerValue, type Instance, type Result, type Vector } from './layout.ts'

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
    this.#put(before.eip - CODE, 2)
    this.#put(before.eflags, 2)
    this.#registers([...given])
    this.#put(after.trap, 1)
    if (after.trap !== 3) {
      this.#put(after.error, 4)
      this.#put(after.cr2, 4)
    }
    this.#put(after.eip, 4)
    this.#put(after.eflags, 2)
    this.#registers(after.registers.map((value, r): [number, number] => [r, value]).filter(([r, value]) => value !== before.registers[r]))
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

  #registers(list: readonly (readonly [number, number])[]): void {
    this.#put(list.reduce((mask, [r]) => mask | (1 << r), 0), 1)
    for (const [, value] of [...list].sort((a, b) => a[0] - b[0])) this.#put(value, 4)
  }
  #put(value: number, size: number): void {
    for (let k = 0; k < size; k++) this.#now.push((value >>> (8 * k)) & 0xff)
  }
}

export interface Captured extends Vector {
  readonly index: number
  readonly row: number
}

export function readVectors(file: Uint8Array): { header: Header; vectors: () => Generator<Captured> } {
  const line = file.indexOf(10)
  const header = JSON.parse(new TextDecoder().decode(file.subarray(0, line))) as Header
  return { header, vectors: () => unpack(file, line + 1, header.count) }
}

function* unpack(file: Uint8Array, start: number, count: number): Generator<Captured> {
  let at = start
  const take = (size: number) => {
    let value = 0
    for (let k = 0; k < size; k++) value += file[at++] * 2 ** (8 * k)
    return value
  }
  for (let index = 0; index < count; index++) {
    const row = take(2)
    const length = take(1)
    if (length === 0) continue
    const code = file.subarray(at, (at += length))
    const eip = CODE + take(2)
    const eflags = take(2)
    const given = take(1)
    const registers = Array.from({ length: 8 }, (_, r) => ((given >> r) & 1 ? take(4) : registerValue(index, r)))
    const trap = take(1)
    const error = trap === 3 ? 0 : take(4)
    const cr2 = trap === 3 ? 0 : take(4)
    const eipAfter = take(4)
    const flagsAfter = take(2)
    const changed = take(1)
    const after = registers.map((value, r) => ((changed >> r) & 1 ? take(4) : value))
    const memory = Array.from({ length: take(2) }, (): [number, number] => [take(2), take(1)])
    yield { index, row, before: { code, eip, eflags, registers }, after: { trap, error, cr2, eip: eipAfter, eflags: flagsAfter, registers: after, memory } }
  }
}
