/** Decoded operations by physical address; a write to a page drops what was decoded from it. */
import { decode, type Op } from '../cpu/decode.ts'
import { PAGE, type BoardMemory } from './boardMemory.ts'

export class OpCache {
  readonly #memory: BoardMemory
  /** Per page of RAM, by code size: operations at their offsets. */
  readonly #pages: [(Op | undefined)[] | undefined, (Op | undefined)[] | undefined][] = []
  readonly #bytes = new Uint8Array(16)

  constructor(memory: BoardMemory) {
    this.#memory = memory
    memory.onCodeWrite = (page) => {
      this.#pages[page] = [undefined, undefined]
      memory.codePages[page] = 0
    }
  }

  /** The operation at physical address `at` when it lies within its page; null: it goes on in the next page. */
  find(at: number, code32: boolean): Op | null {
    const page = at >>> 12
    const size = code32 ? 1 : 0
    const cached = this.#pages[page]?.[size]?.[at & (PAGE - 1)]
    return cached === undefined ? this.#decode(at, code32) : cached
  }

  #decode(at: number, code32: boolean): Op | null {
    const room = Math.min(16, PAGE - (at & (PAGE - 1)))
    for (let k = 0; k < room; k++) this.#bytes[k] = this.#memory.load((at + k) | 0, 1)
    const op = decode(this.#bytes, 0, room, code32)
    if (op.length === 0) return null
    // ROM does not change, so its pages need no mark.
    const page = at >>> 12
    if (page < this.#memory.codePages.length) this.#memory.codePages[page] = 1
    const entry = (this.#pages[page] ??= [undefined, undefined])
    const list = (entry[code32 ? 1 : 0] ??= [])
    list[at & (PAGE - 1)] = op
    return op
  }
}
