/**
 * Footprints of events as the reduction compares them: up to 4 bytes of one dword are a *cell* in one number,
 *
 * ```
 *  30                7 6    3 2  0
 * [ granule + 1       ][ mask ][kind]      0: touches nothing
 * ```
 *
 * and an event that touches several is the negative number of a list. Resources are granules beyond memory.
 */
import {
  FP_CODE_SEEN, FP_FENCE, FP_FETCH, FP_LAGGING_FETCH, FP_MEMORY_READ, FP_READ, FP_RESOURCE_READ, FP_RESOURCE_WRITE, FP_STALE_FETCH, FP_TRANSLATING, FP_VARIES, FP_WAITING_READ, FP_WORDS, FP_WRITE,
  RESOURCE_HISTORY, type Footprint,
} from '../../smp/footprint.ts'

/** Kinds of rows, as bits, that say nothing of whether the event has been made where they stand. */
const BETWEEN = (1 << FP_FENCE) | (1 << FP_TRANSLATING)

export const CELL_READ = 0
export const CELL_WRITE = 1
/** A read that never sees the own store buffer. */
export const CELL_MEMORY_READ = 2
/** As that, and waits until own stores to the same bytes have drained. */
export const CELL_FETCH = 4
/** As CELL_FETCH, where others' stores do not matter: the fetch may see what was there before. */
export const CELL_STALE_FETCH = 6
/** Granules that have numbers. */
export const GRANULES_MAX = (1 << 24) - 2

export const NOTHING = 0
/** The event has not been seen yet. */
export const UNKNOWN = 0x7fffffff

export const cellKind = (cell: number): number => cell & 7
export const cellMask = (cell: number): number => (cell >> 3) & 15
export const cellGranule = (cell: number): number => (cell >> 7) - 1
export const makeCell = (granule: number, mask: number, kind: number): number => ((granule + 1) << 7) | (mask << 3) | kind
/** Of the same granule. */
export const sameGranule = (a: number, b: number): boolean => a >> 7 === b >> 7

/** Physical addresses to granules. */
export interface Granules {
  granuleOf(physical: number): number
  /** Granules of memory; resource k is number `memory + k`. */
  readonly memory: number
}

export class Cells {
  /** Cells of the last `read`, and for each the own buffer entry that it was forwarded from (-1: memory). */
  cells = new Int32Array(16)
  sources = new Int32Array(16)
  count = 0
  /** A fence before the first access, and one after it. */
  fenceBefore = false
  fenceAfter = false
  /** The event might touch more where others come before it. */
  varies = false
  /** Code writes among the accesses. */
  codeWrites = 0
  /** Code writes that a fetch which may be stale has to come after; -1: there is no such fetch. */
  codeSeen = -1
  /** It was stale. */
  stale = false
  readonly #granules: Granules
  readonly #lists: Int32Array[] = [new Int32Array(0)]
  readonly #listReads = [0]
  readonly #listWrites = [0]
  readonly #numbers = new Map<string, number>()
  readonly #ordersFetches: boolean

  /**
   * @param ordersFetches a fetch that may be stale comes before or after each write to its bytes, as one that may not does: so that it is
   *   stale, or is not, wherever else it stands; there are more classes
   */
  constructor(granules: Granules, ordersFetches = false) {
    this.#granules = granules
    this.#ordersFetches = ordersFetches
  }

  read(footprint: Footprint): void {
    this.count = 0
    this.fenceBefore = false
    this.fenceAfter = false
    this.varies = false
    this.codeWrites = 0
    this.codeSeen = -1
    this.stale = false
    const { words, length } = footprint
    let acted = false
    for (let at = 0; at < length; at += FP_WORDS) {
      const address = words[at + 1]
      acted ||= (BETWEEN & (1 << words[at])) === 0
      switch (words[at]) {
        case FP_READ:
          this.#addBytes(address, words[at + 2], CELL_READ, words[at + 3])
          break
        case FP_WRITE:
          this.#addBytes(address, words[at + 2], CELL_WRITE, -1)
          break
        case FP_MEMORY_READ:
        case FP_WAITING_READ:
          this.#addBytes(address, words[at + 2], CELL_MEMORY_READ, -1)
          break
        case FP_FETCH:
          this.#addBytes(address, words[at + 2], CELL_FETCH, -1)
          break
        case FP_RESOURCE_READ:
          this.#add(makeCell(this.#granules.memory + address, 15, CELL_MEMORY_READ), -1)
          break
        case FP_STALE_FETCH:
          this.#addBytes(address, words[at + 2], this.#ordersFetches ? CELL_FETCH : CELL_STALE_FETCH, -1)
          break
        case FP_LAGGING_FETCH:
          if (this.#ordersFetches) this.#addBytes(address, words[at + 2], CELL_MEMORY_READ, -1)
          break
        case FP_CODE_SEEN:
          if (!this.#ordersFetches) this.codeSeen = address
          this.stale = words[at + 2] !== 0
          break
        case FP_RESOURCE_WRITE:
          if (address === RESOURCE_HISTORY) this.codeWrites++
          this.#add(makeCell(this.#granules.memory + address, 15, CELL_WRITE), -1)
          break
        case FP_VARIES:
          this.varies = true
          break
        case FP_TRANSLATING:
          this.#add(makeCell(this.#granules.memory + address, 15, CELL_MEMORY_READ), -1)
          this.#add(makeCell(this.#granules.memory + address, 15, CELL_WRITE), -1)
          break
        case FP_FENCE:
          if (!acted) this.fenceBefore = true
          else this.fenceAfter = true
          break
      }
    }
  }

  /** The number of the cells of the last `read`. */
  number(): number {
    if (this.count === 0) return NOTHING
    if (this.count === 1) return this.cells[0]
    const key = this.cells.subarray(0, this.count).join()
    const known = this.#numbers.get(key)
    if (known !== undefined) return known
    const number = -this.#lists.length
    const list = this.cells.slice(0, this.count)
    this.#lists.push(list)
    this.#listReads.push(list.reduce((bits, cell) => bits | this.readsOf(cell), 0))
    this.#listWrites.push(list.reduce((bits, cell) => bits | this.writesOf(cell), 0))
    this.#numbers.set(key, number)
    return number
  }

  /** The number of what a wait that has read the cells waits for: what its fetches can see too. */
  waitNumber(): number {
    if (this.codeSeen < 0) return this.number()
    const { count } = this
    this.#add(makeCell(this.#granules.memory + RESOURCE_HISTORY, 15, CELL_MEMORY_READ), -1)
    const number = this.number()
    this.count = count
    return number
  }

  /** Whether something that others do can conflict with the event. */
  concernsOthers(touched: number): boolean {
    if (touched < 0) return this.#lists[-touched].some((cell) => cellKind(cell) !== CELL_STALE_FETCH)
    return touched !== NOTHING && (touched === UNKNOWN || cellKind(touched) !== CELL_STALE_FETCH)
  }

  /** Whether the event writes to resource k. */
  writesResource(touched: number, k: number): boolean {
    if (touched < 0) return this.#lists[-touched].some((cell) => this.writesResource(cell, k))
    return touched !== NOTHING && touched !== UNKNOWN && cellKind(touched) === CELL_WRITE && cellGranule(touched) === this.#granules.memory + k
  }

  /** The first cell of what an event touches. */
  first(touched: number): number {
    return touched < 0 ? this.#lists[-touched][0] : touched
  }

  /**
   * Bits, by hash, of the granules that an event reads, and writes: only where the writes of one meet what the other reads or writes can two
   * events be dependent through what they touch.
   */
  readsOf(touched: number): number {
    if (touched < 0) return this.#listReads[-touched]
    return touched === NOTHING ? 0 : touched === UNKNOWN ? -1 : cellKind(touched) === CELL_WRITE ? 0 : bitOf(touched)
  }
  writesOf(touched: number): number {
    if (touched < 0) return this.#listWrites[-touched]
    return touched === NOTHING ? 0 : touched === UNKNOWN ? -1 : cellKind(touched) === CELL_WRITE ? bitOf(touched) : 0
  }

  /** Whether two events of different vCPUs touch the same bytes, and one of them writes there. */
  conflict(a: number, b: number): boolean {
    if (a === NOTHING || b === NOTHING) return false
    if (a === UNKNOWN || b === UNKNOWN) return true
    if (a > 0 && b > 0) return overlap(a, b) && ((a | b) & CELL_WRITE) !== 0 && cellKind(a) !== CELL_STALE_FETCH && cellKind(b) !== CELL_STALE_FETCH
    if (a < 0) {
      const list = this.#lists[-a]
      for (let k = 0; k < list.length; k++) if (this.conflict(list[k], b)) return true
      return false
    }
    return this.conflict(b, a)
  }

  /** Whether an event and a drain of its own vCPU do not commute: it reads memory past the buffer. */
  ownConflict(event: number, drain: number): boolean {
    if (event > 0) return (cellKind(event) & (CELL_MEMORY_READ | CELL_FETCH)) !== 0 && this.#touch(event, drain)
    if (event === NOTHING) return false
    return this.#lists[-event].some((cell) => this.ownConflict(cell, drain))
  }

  #touch(event: number, drain: number): boolean {
    if (drain === NOTHING) return false
    return drain > 0 ? drain === UNKNOWN || overlap(event, drain) : this.#lists[-drain].some((cell) => this.#touch(event, cell))
  }

  #addBytes(physical: number, sizeBytes: number, kind: number, source: number): void {
    for (let done = 0; done < sizeBytes; ) {
      const first = (physical + done) & 3
      const count = Math.min(4 - first, sizeBytes - done)
      this.#add(makeCell(this.#granules.granuleOf(physical + done), ((1 << count) - 1) << first, kind), source)
      done += count
    }
  }

  /** Adds a cell; a write absorbs the read of the same bytes. */
  #add(cell: number, source: number): void {
    for (let k = this.count - 1; k >= 0; k--) {
      const other = this.cells[k]
      if (other === cell && this.sources[k] === source) return
      if (cellKind(other) === CELL_READ && cellKind(cell) === CELL_WRITE && this.sources[k] < 0 && other >> 3 === cell >> 3) {
        this.cells[k] = cell
        return
      }
      if (sameGranule(other, cell) && cellKind(other) === cellKind(cell) && this.sources[k] === source) {
        this.cells[k] = other | cell
        return
      }
    }
    if (this.count === this.cells.length) {
      this.cells = grown(this.cells)
      this.sources = grown(this.sources)
    }
    this.cells[this.count] = cell
    this.sources[this.count++] = source
  }
}

const bitOf = (cell: number): number => 1 << (Math.imul(cell >> 7, 0x9e3779b1) >>> 27)

const overlap = (a: number, b: number): boolean => sameGranule(a, b) && (a & b & 120) !== 0

/** A copy of twice the length. */
export function grown(from: Int32Array): Int32Array<ArrayBuffer> {
  const to = new Int32Array(from.length * 2)
  to.set(from)
  return to
}

export function grownFlags(from: Uint8Array): Uint8Array<ArrayBuffer> {
  const to = new Uint8Array(from.length * 2)
  to.set(from)
  return to
}
