/**
 * Accessed bits that page walks set ahead of accesses: with `tlbSpeculative=any` a vCPU may walk any linear page at any time, for an access that
 * it never makes, and a walk sets A in the entries that it goes through (SDM vol. 3A 5.8, 5.10.2.3). What is overwritten unread is nobody's business,
 * so whether such a walk has come is decided where a load reads a present entry that has A clear: it is a choice of the environment,
 * part of that load's event.
 *
 * ```
 * walkable now   directory entries lead there, of a vCPU that may walk   the walk is made before the load
 * lost           they did, and the entry is what it was then             it was made before they, or the vCPU, were taken away
 * ```
 *
 * Which pages hold tables, and in which of them such entries are read, is learnt (sharing.ts): before the two meet, loads are what they are elsewhere.
 */
import { A, P } from '../cpu/paging.ts'
import type { Store } from '../state/store.ts'
import type { Memory } from './memory.ts'
import { DIRECTORY, TABLE, type Sharing } from './sharing.ts'
import type { Translations } from './translations.ts'

/** Entries (physical addresses, ascending, 0: none) that are lost. */
const LOST_MAX = 16
export const LOST_WORDS = LOST_MAX

/** Alternatives of one load are counted up to here. */
const WAYS_MAX = 64

/** A walk that may have been made. */
export interface WalkAhead {
  /** By whom; -1: by somebody, before the entry was out of reach. */
  readonly walker: number
  /** Physical addresses of the entries in which it sets A. */
  readonly entries: readonly number[]
}
/** Of a board, what vCPUs do. */
interface Walkers {
  readonly vcpuCount: number
  mayWalk(vcpu: number): boolean
  weaken(reason: string): void
}
const NO_WALK: WalkAhead = { walker: -1, entries: [] }

export class WalksAhead {
  /** What the last `find` found. */
  ways: readonly WalkAhead[] = []
  readonly #store: Store
  readonly #base: number
  readonly #memory: Memory
  readonly #sharing: Sharing
  readonly #translations: Translations
  readonly #board: Walkers

  /** @param base first of LOST_WORDS words */
  constructor(store: Store, base: number, memory: Memory, sharing: Sharing, translations: Translations, board: Walkers) {
    this.#store = store
    this.#base = base
    this.#memory = memory
    this.#sharing = sharing
    this.#translations = translations
    this.#board = board
  }

  // --- loads ------------------------------------------------------------------------------------------

  /** A load of the bytes at index `at`, which do not cross a page. True: what it reads may depend on walks. */
  noteLoad(at: number, sizeBytes: number): boolean {
    const page = this.#memory.granule(at) >> 10
    if (this.#sharing.isLooked(page)) return true
    for (let entry = firstEntry(at); entry < at + sizeBytes; entry += 4) if (this.#isClear(entry)) this.#sharing.noteLooked(page)
    return this.#sharing.isLooked(page)
  }

  /** A load that nothing can come before any more, of a page that holds tables or did. */
  noteLast(at: number, sizeBytes: number): void {
    if ((this.#sharing.tables[this.#memory.granule(at) >> 10] & TABLE) === 0) return
    for (let entry = firstEntry(at); entry < at + sizeBytes; entry += 4)
      if (this.#isClear(entry)) this.#board.weaken('an entry of a page table was read with A clear in the end: a walk ahead of accesses may have set it')
  }

  /** The walks that may have been made before a load of these bytes, in `ways`; their number. */
  find(physical: number, sizeBytes: number): number {
    const at = this.#memory.index(physical)
    let ways: readonly WalkAhead[] = [NO_WALK]
    for (let entryAt = firstEntry(at); entryAt < at + sizeBytes; entryAt += 4) {
      const entry = (physical + entryAt - at) >>> 0
      if (!this.#isClear(entryAt)) continue
      const found = this.#through(entry)
      ways = ways.flatMap((one) => [one, ...found.map(({ walker, entries }) => ({ walker, entries: [...one.entries, ...entries] }))])
    }
    if (ways.length > WAYS_MAX) this.#board.weaken(`more than ${WAYS_MAX} walks may have set accessed bits before a load`)
    this.ways = ways.slice(1, WAYS_MAX)
    return this.ways.length
  }

  /** Walks through the entry at physical address `entry`; whoever makes them, the entry is one that others may change. */
  #through(entry: number): WalkAhead[] {
    const found = new Map<number, WalkAhead>()
    for (let walker = 0; walker < this.#board.vcpuCount; walker++)
      this.#translations.forEachWalkThrough(walker, entry, (directoryEntry) => {
        if (!this.#board.mayWalk(walker)) return
        if (directoryEntry < 0 || !this.#isClear(this.#memory.index(directoryEntry))) found.set(-1, { walker, entries: [entry] })
        else found.set(directoryEntry, { walker, entries: [directoryEntry, entry] })
      })
    for (let k = 0; k < LOST_MAX && !found.has(-1); k++) if (this.#lost(k) === entry) found.set(-1, { walker: -1, entries: [entry] })
    for (const one of [entry, ...found.keys()]) if (one >= 0) this.#sharing.noteWalkUpdate(this.#memory.granule(this.#memory.index(one)))
    return [...found.values()]
  }

  #isClear(at: number): boolean {
    return (this.#memory.load(at, 4) & (P | A)) === P
  }

  // --- tables -----------------------------------------------------------------------------------------

  /** The walks of `vcpu` begin in other tables. */
  noteTables(vcpu: number): void {
    const { tables } = this.#sharing
    this.#translations.forEachDirectory(vcpu, (directory) => {
      const at = this.#memory.index(directory)
      if (at < 0) return
      const page = this.#memory.granule(at) >> 10
      if ((tables[page] & DIRECTORY) !== 0) return
      this.#sharing.noteTable(page, TABLE | DIRECTORY)
      this.#noteNamed(at, 4096)
    })
  }

  /** Bytes of memory have changed. */
  written(at: number, sizeBytes: number): void {
    const page = this.#memory.granule(at) >> 10
    if ((this.#sharing.tables[page] & DIRECTORY) !== 0) this.#noteNamed(at & ~3, ((at + sizeBytes + 3) & ~3) - (at & ~3))
    for (let k = LOST_MAX - 1; k >= 0 && this.#sharing.anyLooked; k--) {
      const entry = this.#lost(k)
      if (entry === 0) continue
      const entryAt = this.#memory.index(entry)
      if (entryAt >= at && entryAt < at + sizeBytes) this.#forget(k)
    }
  }

  /** Whatever these entries of a directory name may be a table, in whichever format. */
  #noteNamed(at: number, sizeBytes: number): void {
    for (let entry = at; entry < at + sizeBytes; entry += 4) {
      const word = this.#memory.load(entry, 4)
      const table = (word & P) === 0 ? -1 : this.#memory.index(word & ~0xfff)
      if (table >= 0) this.#sharing.noteTable(this.#memory.granule(table) >> 10, TABLE)
    }
  }

  // --- what is lost -----------------------------------------------------------------------------------

  /** Makes a change after which walks may not come to some tables any more: of translations, or of who may walk. */
  losing(change: () => void): void {
    const before = this.#reached()
    change()
    const after = this.#reached()
    for (const table of before) if (!after.has(table)) this.#lose(table)
  }

  /** Tables in which entries are read with A clear and that somebody may walk, by physical address. */
  #reached(): Set<number> {
    const reached = new Set<number>()
    for (let v = 0; v < this.#board.vcpuCount; v++)
      if (this.#board.mayWalk(v)) this.#translations.forEachTable(v, (table) => {
        const at = this.#memory.index(table)
        if (at >= 0 && this.#sharing.isLooked(this.#memory.granule(at) >> 10)) reached.add(table >>> 0)
      })
    return reached
  }

  #lose(table: number): void {
    const at = this.#memory.index(table)
    for (let entry = at; entry < at + 4096; entry += 4) if (this.#isClear(entry)) this.#remember(table + entry - at)
  }

  #lost(k: number): number {
    return this.#store.w[this.#base + k] >>> 0
  }

  #remember(entry: number): void {
    let place = 0
    while (place < LOST_MAX && this.#lost(place) !== 0 && this.#lost(place) < entry) place++
    if (this.#lost(place) === entry) return
    if (this.#lost(LOST_MAX - 1) !== 0) return this.#board.weaken(`more than ${LOST_MAX} entries with A clear were out of reach of walks`)
    for (let k = LOST_MAX - 1; k > place; k--) this.#store.set(this.#base + k, this.#store.w[this.#base + k - 1])
    this.#store.set(this.#base + place, entry)
  }

  #forget(place: number): void {
    for (let k = place; k < LOST_MAX - 1; k++) this.#store.set(this.#base + k, this.#store.w[this.#base + k + 1])
    this.#store.set(this.#base + LOST_MAX - 1, 0)
  }
}

/** Byte index of the first dword that begins at `at` or behind: where A of an entry would be. */
function firstEntry(at: number): number {
  return (at + 3) & ~3
}
