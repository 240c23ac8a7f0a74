/**
 * Decoded code, by where it stands in memory: blocks of operations that are executed one after the other.
 *
 * A block is good for as long as memory holds the bytes that it was decoded from. Every write to a page that code was decoded
 * from gives the page a new version; a block of another version is compared with memory, byte by byte, before it is used again.
 * So self- and cross-modification are exact, and data beside code costs a comparison, not a decoding.
 */
import type { CpuClass } from './classes.ts'
import { decode, Op } from './decode.ts'
import { BlockOp, joinLast, placeInBlock } from './forms.ts'
import { quietFlags } from './quietFlags.ts'

const PAGE_BYTES = 4096
const OPS_MAX = 64

export class Block {
  /** Linear address of the first byte, where code runs flat and unpaged (runBlocks.ts). */
  readonly eip: number
  /** Page of memory, counted from the cache's first byte; no block crosses a page. */
  readonly page: number
  readonly code32: boolean
  /** What stands first, whether it may stand in a block or not. */
  readonly first: Op
  /** What is executed in a row; empty where `first` goes alone. */
  readonly ops: readonly BlockOp[]
  /** Instructions in `ops`. */
  readonly count: number
  /** Linear address behind them. */
  readonly end: number
  /** The bytes that it was decoded from. */
  readonly bytes: Uint8Array
  /** Version of the page that the bytes were last compared with. */
  version = -1
  /** The page is written while the block runs: what follows must be looked at again. */
  stale = false
  /** Blocks that came next before. */
  next!: Block
  other!: Block

  constructor(eip: number, page: number, code32: boolean, first: Op, ops: readonly BlockOp[], count: number, bytes: Uint8Array) {
    this.eip = eip
    this.page = page
    this.code32 = code32
    this.first = first
    this.ops = ops
    this.count = count
    this.end = ops.length === 0 ? eip : (eip + ops[ops.length - 1].end) | 0
    this.bytes = bytes
  }
}
/** Follows every block at first, and is of a version that no page has. */
const NO_BLOCK = new Block(0, 0, true, new Op(), [], 0, new Uint8Array(0))

export class CodeCache {
  /** Version of each page; as floating point they never wrap. */
  readonly versions: Float64Array
  /** The block that runs. */
  running = NO_BLOCK
  readonly #memory: Uint8Array
  readonly #first: number
  readonly #cls: CpuClass
  /** By page and offset in it. */
  readonly #blocks: ((Block | undefined)[] | undefined)[]
  /** Pages that have blocks. */
  readonly #codePages: number[] = []

  /** @param memory holds `pages` pages from byte `first` on */
  constructor(memory: Uint8Array, first: number, pages: number, cls: CpuClass) {
    this.versions = new Float64Array(pages)
    this.#memory = memory
    this.#first = first
    this.#cls = cls
    this.#blocks = Array.from({ length: pages })
  }

  /**
   * The block at byte `at` of memory, counted from the first; null: the instruction there goes on in the next page.
   * @param eip its linear address
   */
  at(at: number, eip: number, code32: boolean): Block | null {
    const page = at >>> 12
    const known = this.#blocks[page]?.[at & (PAGE_BYTES - 1)]
    if (known !== undefined && known.code32 === code32 && known.eip === eip) {
      if (known.version === this.versions[page]) return known
      if (this.#holds(at, known.bytes)) {
        known.version = this.versions[page]
        known.stale = false
        return known
      }
    }
    return this.#decode(at, eip, code32)
  }

  /** A page of memory that code was decoded from is about to be written. */
  written(page: number): void {
    this.versions[page]++
    if (this.running.page === page) this.running.stale = true
  }
  /** Anything may have been written: every block is compared with memory before it runs again. */
  distrust(): void {
    for (const page of this.#codePages) this.versions[page]++
    this.running.stale = true
  }

  #holds(at: number, bytes: Uint8Array): boolean {
    const memory = this.#memory
    const from = this.#first + at
    for (let k = 0; k < bytes.length; k++) if (memory[from + k] !== bytes[k]) return false
    return true
  }

  #decode(at: number, eip: number, code32: boolean): Block | null {
    const page = at >>> 12
    const room = PAGE_BYTES - (at & (PAGE_BYTES - 1))
    const from = this.#first + at
    const first = decode(this.#memory, from, room, code32)
    if (first.length === 0) return null
    const ops: BlockOp[] = []
    let length = 0
    for (let op = first; op.length !== 0 && ops.length < OPS_MAX; op = decode(this.#memory, from + length, room - length, code32)) {
      const place = placeInBlock(op)
      if (place === 'outside') break
      ops.push(new BlockOp(op, length, this.#cls))
      length += op.length
      if (place === 'last' || length === room) break
    }
    quietFlags(ops)
    const count = ops.length
    joinLast(ops)
    const block = new Block(eip, page, code32, first, ops, count, this.#memory.slice(from, from + Math.max(length, first.length)))
    block.version = this.versions[page]
    block.next = block.other = NO_BLOCK
    let blocks = this.#blocks[page]
    if (blocks === undefined) {
      blocks = this.#blocks[page] = []
      this.#codePages.push(page)
    }
    blocks[at & (PAGE_BYTES - 1)] = block
    return block
  }
}
