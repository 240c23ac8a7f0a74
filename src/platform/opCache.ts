/** Decoded operations by physical address; a write drops those that it reaches. */
import { decode, type Op } from '../cpu/decode.ts'
import { PAGE, type BoardMemory } from './boardMemory.ts'

/** Bytes of an operation, at the most. */
const LENGTH_MAX = 15

/** Pages whose operations are kept: beyond that all is decoded anew, so that no guest fills the host's memory. */
const PAGES_MAX = 1024

/** Operations of one page and code size, at their offsets: the same array until all are dropped. */
export type PageOps = (Op | undefined)[]

export class OpCache {
  readonly #memory: BoardMemory
  readonly #onDrop: () => void
  /** Per physical page, by code size. */
  readonly #pages = new Map<number, [PageOps | undefined, PageOps | undefined]>()
  readonly #bytes = new Uint8Array(16)

  /** @param onDrop all is dropped: arrays that somebody holds on to count no more */
  constructor(memory: BoardMemory, onDrop: () => void) {
    this.#memory = memory
    this.#onDrop = onDrop
    memory.onCodeWrite = (at, sizeBytes) => {
      const end = (at & (PAGE - 1)) + sizeBytes
      for (const ops of this.#pages.get(at >>> 12)!)
        if (ops !== undefined) ops.fill(undefined, Math.max(0, end - sizeBytes - LENGTH_MAX + 1), end)
    }
  }

  /** What is decoded of the page at physical address `at`. */
  page(at: number, code32: boolean): PageOps {
    const number = at >>> 12
    let entry = this.#pages.get(number)
    if (entry === undefined) {
      if (this.#pages.size >= PAGES_MAX) this.#drop()
      this.#pages.set(number, (entry = [undefined, undefined]))
    }
    return (entry[code32 ? 1 : 0] ??= Array.from({ length: PAGE }, () => undefined))
  }

  #drop(): void {
    this.#pages.clear()
    this.#memory.codePages.fill(0)
    this.#onDrop()
  }

  /** Decodes the operation at `at` into `ops`; null: it goes on in the next page. */
  decode(at: number, code32: boolean, ops: PageOps): Op | null {
    const room = Math.min(16, PAGE - (at & (PAGE - 1)))
    for (let k = 0; k < room; k++) this.#bytes[k] = this.#memory.load((at + k) | 0, 1)
    const op = decode(this.#bytes, 0, room, code32)
    if (op.length === 0) return null
    // ROM does not change, so its pages need no mark.
    const page = at >>> 12
    if (page < this.#memory.codePages.length) this.#memory.codePages[page] = 1
    ops[at & (PAGE - 1)] = op
    return op
  }
}

/** The page that a vCPU executes from: translated once, until translations are dropped or what it may do changes. */
export class CodePage {
  /** Linear address; `NOWHERE` where nothing is known. */
  linear = NOWHERE
  physical = 0
  /** SEG_ATTR of CS and of SS (the privilege), for which it holds. */
  code = 0
  stack = 0
  ops: PageOps = []

  forget(): void {
    this.linear = NOWHERE
  }
}

/** Not the address of a page. */
const NOWHERE = 1
