/**
 * What the exploration has learnt about the program, as opposed to the state of one execution: which dwords
 * of memory are shared, who fetches code from where, who can be interrupted. Memory that only one vCPU
 * touches, or that nobody writes, needs no scheduling point.
 *
 * It only grows. An engine that saw it grow starts again (`grown`), because earlier accesses to the same
 * dword were taken for private; when a whole pass leaves it unchanged, no execution of that pass touched a
 * dword that was wrongly taken for private, and so none does.
 */

/** Reader bit of the page walkers: they read memory, never a store buffer, so their vCPU's own stores are shared with them. */
export const WALKER = 1 << 31
/** vCPUs of one machine: as many as there are bits in a mask of them and the walkers. */
export const VCPUS_MAX = 31

/**
 * What was learnt, as plain data: rows of granule, flags (KNOWN_...), readers, writers, fetchers; granules of which
 * nothing is known are left out. Then pairs of linear page and mask of vCPUs.
 */
export interface Learnt {
  readonly rows: Int32Array
  readonly pages: Int32Array
  readonly tablesChange: boolean
  readonly aliased: boolean
  readonly interruptible: Uint8Array
  /** Pairs: Sharing.spins. */
  readonly spins: Int32Array
  readonly uncachedLines: Int32Array
}
/** A vCPU takes interrupts, NMIs. */
export const BY_INTERRUPT = 1
export const BY_NMI = 2
const ROW = 5
const KNOWN_SHARED = 1
const KNOWN_WALKED = 2
const KNOWN_FRAMED = 4
const KNOWN_JUDGED = 64
/** `relied`, of two bits, from this one on; `tables`, at the first granule of a page. */
const RELIED_SHIFT = 3
const TABLES_SHIFT = 7
const PAGE_GRANULES = 1024
/** Sharing.tables: walks may come there; to what its entries name; an entry there was read, present and with A clear (walksAhead.ts). */
export const TABLE = 1
export const DIRECTORY = 2
export const LOOKED = 4

export class Sharing {
  /** Per dword: 1 = some page walk may read it. */
  readonly walked: Uint8Array
  /** Linear pages (numbers) that matter to the translations of vCPUs: a mask of them. */
  readonly pages = new Map<number, number>()
  /** Page tables that a vCPU walks are written, or left with global pages in them: translations may be stale. */
  tablesChange = false
  /** Per page of memory: TABLE, DIRECTORY, LOOKED. */
  readonly tables: Uint8Array
  /** There are pages that are both TABLE and LOOKED. */
  anyLooked = false
  /** Per dword: 1 = marks decide whether accesses are right (XM_FREE, XM_ALLOC, XM_RELEASE). */
  readonly judged: Uint8Array
  anyJudged = false
  /** Per dword of memory: 1 = shared. */
  readonly shared: Uint8Array
  /** Per dword: bit per vCPU that reads (or fetches), writes, fetches. */
  readonly readers: Int32Array
  readonly writers: Int32Array
  readonly fetchers: Int32Array
  /** Per dword: 1 = it was written as data in a frame that is in use: at or above the stack pointer. */
  readonly framed: Uint8Array
  /**
   * Per dword: something was concluded (cpu/liveness.ts) from nobody writing it, bit 0, or nobody but pushes and calls, bit 1. Who does
   * write it nevertheless makes the pass start again.
   */
  readonly relied: Uint8Array
  /** Per vCPU: what may arrive, BY_INTERRUPT and BY_NMI. */
  readonly interruptible: Uint8Array
  /** Lines of memory (physical addresses, sorted) that some access reaches past the caches. */
  readonly uncachedLines: number[] = []
  /** Heads of loops that count (spins.ts) to their counters, registers as bits; -1: they do more. */
  readonly spins = new Map<number, number>()
  /** Some dword of code is shared, so that core serialisation is visible. */
  codeShared = false
  /** A vCPU's stores to the code that it fetches itself are visible: its fetches may lag behind them. */
  ownCode = false
  /** A vCPU writes code through another linear address than it fetches it from. */
  aliased = false
  /** By granule and vCPU: the aliases of the page (Cpu.storeAlias) that code was fetched through; those it was stored through. */
  readonly #fetchedThrough = new Map<number, Set<number>>()
  readonly #storedThrough = new Map<number, Set<number>>()
  grown = false
  /** Changes whenever an access may be visible that was not. */
  version = 0
  /** Changes whenever anything is learnt. */
  noted = 0

  constructor(granules: number, vcpus: number) {
    if (vcpus > VCPUS_MAX) throw new RangeError(`${vcpus} vCPUs: a mask has room for ${VCPUS_MAX}`)
    this.shared = new Uint8Array(granules)
    this.readers = new Int32Array(granules)
    this.writers = new Int32Array(granules)
    this.fetchers = new Int32Array(granules)
    this.interruptible = new Uint8Array(vcpus)
    this.walked = new Uint8Array(granules)
    this.judged = new Uint8Array(granules)
    this.tables = new Uint8Array(Math.ceil(granules / PAGE_GRANULES))
    this.framed = new Uint8Array(granules)
    this.relied = new Uint8Array(granules)
  }

  /** Whether nobody writes granule `g`, as far as is known; should it come otherwise, `grown` will say so. */
  relyOnCode(g: number): boolean {
    if (this.writers[g] !== 0) return false
    this.#rely(g, 1)
    return true
  }

  /** Whether only pushes and calls of vCPU `bit` write granule `g`, while it is above its stack pointer. */
  relyOnSlot(g: number, bit: number): boolean {
    if (this.shared[g] !== 0 || (this.writers[g] & ~bit) !== 0 || this.framed[g] !== 0) return false
    this.#rely(g, 2)
    return true
  }

  #rely(g: number, on: number): void {
    if ((this.relied[g] & on) !== 0) return
    this.relied[g] |= on
    this.noted++
  }

  /** Notes a write to a frame that is in use. */
  noteFramed(first: number, last: number): void {
    for (let g = first; g <= last; g++) {
      if (this.framed[g] !== 0) continue
      this.framed[g] = 1
      this.noted++
      if ((this.relied[g] & 2) !== 0) this.#grow()
    }
  }

  /** Notes that a page walk may read granules `first`..`last`. */
  noteWalk(first: number, last: number): boolean {
    for (let g = first; g <= last; g++) {
      if (this.walked[g] !== 0) continue
      this.version++
      this.noted++
      this.walked[g] = 1
    }
    return this.noteRead(first, last, WALKER)
  }

  /** Notes that a walk may set bits in granule `g`, ahead of accesses. */
  noteWalkUpdate(g: number): void {
    this.noteWalk(g, g)
    this.noteWrite(g, g, WALKER)
  }

  /** Entries with A clear are read in page `page` of memory, and walks may set it. */
  isLooked(page: number): boolean {
    return (this.tables[page] & (TABLE | LOOKED)) === (TABLE | LOOKED)
  }
  /** All of those pages. */
  lookedPages(): number[] {
    return Array.from(this.tables.keys()).filter((page) => this.isLooked(page))
  }
  noteLooked(page: number): void {
    this.noteTable(page, LOOKED)
  }
  /** @param flags TABLE, DIRECTORY */
  noteTable(page: number, flags: number): void {
    if ((flags & ~this.tables[page]) === 0) return
    const known = this.isLooked(page)
    this.tables[page] |= flags
    this.noted++
    if (known || !this.isLooked(page)) return
    this.anyLooked = true
    this.#grow()
    // When tables are loaded decides who may walk there.
    this.noteTables()
  }

  /** Notes that marks decide whether accesses to granule `g` are right. */
  noteJudged(g: number): void {
    if (this.judged[g] !== 0) return
    this.judged[g] = 1
    this.anyJudged = true
    if (this.pages.size > 0) this.noteTables()
    this.noted++
    this.#grow()
  }

  noteTables(): void {
    if (this.tablesChange) return
    this.tablesChange = true
    this.noted++
    this.#grow()
  }

  /** Notes that `vcpu` accesses linear page `page`; true: that was not known. */
  notePage(vcpu: number, page: number): boolean {
    const mask = this.pages.get(page) ?? 0
    if ((mask & (1 << vcpu)) !== 0) return false
    this.pages.set(page, mask | (1 << vcpu))
    this.#pagesOf.delete(vcpu)
    this.noted++
    // Writes to its entries were passed over before.
    if (this.tablesChange) this.#grow()
    // Whoever frees memory is judged by who has paging on, be it for a moment.
    if (this.anyJudged) this.noteTables()
    return true
  }

  /** Linear addresses of the pages that `vcpu` accesses. */
  pagesOf(vcpu: number): readonly number[] {
    let list = this.#pagesOf.get(vcpu)
    if (list === undefined) {
      list = [...this.pages].filter(([, mask]) => (mask & (1 << vcpu)) !== 0).map(([page]) => page << 12)
      this.#pagesOf.set(vcpu, list)
    }
    return list
  }
  readonly #pagesOf = new Map<number, readonly number[]>()

  /** Notes an access of vCPU `bit` to granules `first`..`last`; true where it is visible to others. */
  noteRead(first: number, last: number, bit: number): boolean {
    let visible = this.shared[first] !== 0
    for (let g = first; g <= last; g++) {
      if (this.shared[g] !== 0) visible = true
      else if ((this.readers[g] & bit) === 0) {
        this.readers[g] |= bit
        this.noted++
        if (this.#conflict(g)) visible = true
      }
    }
    if (visible && last > first) this.#shareAll(first, last)
    return visible
  }

  noteWrite(first: number, last: number, bit: number): boolean {
    let visible = this.shared[first] !== 0
    for (let g = first; g <= last; g++) {
      // A granule that others fetch has a history per writer, so writers are noted even where it is shared.
      if ((this.writers[g] & bit) === 0) {
        this.writers[g] |= bit
        this.noted++
        // Which writes to code have an order depends on who writes beside them (fetchView.ts).
        if (this.relied[g] !== 0 || (this.shared[g] !== 0 && this.fetchers[g] !== 0)) this.#grow()
        if (this.shared[g] === 0 && this.#conflict(g)) visible = true
      }
      if (this.shared[g] !== 0) visible = true
    }
    if (visible && last > first) this.#shareAll(first, last)
    return visible
  }

  noteFetch(first: number, last: number, bit: number): boolean {
    for (let g = first; g <= last; g++) {
      if ((this.fetchers[g] & bit) !== 0) continue
      this.fetchers[g] |= bit
      this.noted++
      // A reader that the history did not know of: what was dropped as seen by all was not.
      if (this.shared[g] !== 0) this.#grow()
      this.#noteCode(g)
    }
    return this.noteRead(first, last, bit)
  }

  noteFetchedThrough(g: number, vcpu: number, alias: number): void {
    this.#noteAlias(this.#fetchedThrough, this.#storedThrough, g, vcpu, alias)
  }
  noteStoredThrough(g: number, vcpu: number, alias: number): void {
    this.#noteAlias(this.#storedThrough, this.#fetchedThrough, g, vcpu, alias)
  }
  /** Own stores that the fetch does not notice are visible events. */
  #noteAlias(mine: Map<number, Set<number>>, others: ReadonlyMap<number, ReadonlySet<number>>, g: number, vcpu: number, alias: number): void {
    const key = g * VCPUS_MAX + vcpu
    const known = mine.get(key)
    if (known?.has(alias) === true) return
    if (known === undefined) mine.set(key, new Set([alias]))
    else known.add(alias)
    const other = others.get(key)
    if (other === undefined || (other.size === 1 && other.has(alias))) return
    if (!this.aliased) {
      this.aliased = true
      this.noted++
      this.#grow()
    }
    if (this.shared[g] === 0) this.#share(g)
  }

  /** Notes an access past the caches to the line at physical address `line`; true: that was not known. */
  noteUncached(line: number): boolean {
    if (this.uncachedLines.includes(line)) return false
    this.uncachedLines.push(line)
    this.uncachedLines.sort((a, b) => a - b)
    this.noted++
    this.#grow()
    this.noteTables()
    return true
  }

  noteInterruptible(vcpu: number, how: number): void {
    if ((how & ~this.interruptible[vcpu]) === 0) return
    this.interruptible[vcpu] |= how
    this.#grow()
  }

  noteSpin(head: number, counters: number): void {
    const known = this.spins.get(head)
    if (known === counters || (known !== undefined && known < 0)) return
    this.spins.set(head, counters)
    this.noted++
    this.#grow()
  }

  learnt(): Learnt {
    const rows: number[] = []
    for (let g = 0; g < this.shared.length; g++)
      if ((this.#flagsOf(g) | this.readers[g] | this.writers[g] | this.fetchers[g]) !== 0)
        rows.push(g, this.#flagsOf(g), this.readers[g], this.writers[g], this.fetchers[g])
    const pages = Int32Array.from([...this.pages].flat())
    const spins = Int32Array.from([...this.spins].flat())
    return { rows: Int32Array.from(rows), pages, tablesChange: this.tablesChange, aliased: this.aliased, interruptible: this.interruptible.slice(), spins, uncachedLines: Int32Array.from(this.uncachedLines) }
  }

  #flagsOf(g: number): number {
    const tables = g % PAGE_GRANULES === 0 ? this.tables[g / PAGE_GRANULES] << TABLES_SHIFT : 0
    return tables | this.shared[g] * KNOWN_SHARED | this.walked[g] * KNOWN_WALKED | this.framed[g] * KNOWN_FRAMED | this.judged[g] * KNOWN_JUDGED | (this.relied[g] << RELIED_SHIFT)
  }

  /** Adds what another exploration of the same program has learnt. True: accesses are visible that were not. */
  learn({ rows, pages, tablesChange, aliased, interruptible, spins, uncachedLines }: Learnt): boolean {
    const { version } = this
    for (let at = 0; at + ROW <= rows.length; at += ROW) {
      const g = rows[at]
      if (g < 0 || g >= this.shared.length) throw new RangeError(`granule ${g} of ${this.shared.length}`)
      const news = (rows[at + 2] & ~this.readers[g]) | (rows[at + 3] & ~this.writers[g]) | (rows[at + 4] & ~this.fetchers[g])
      if (news !== 0) this.noted++
      const flags = rows[at + 1]
      const relied = (flags >> RELIED_SHIFT) & 3
      const framed = (flags & KNOWN_FRAMED) !== 0
      // What one of the two relied on, the other has seen to be otherwise.
      const written = (this.relied[g] !== 0 && (rows[at + 3] & ~this.writers[g]) !== 0) || ((relied & ~this.relied[g]) !== 0 && (this.writers[g] & ~rows[at + 3]) !== 0)
      const pushed = ((this.relied[g] & 2) !== 0 && framed && this.framed[g] === 0) || ((relied & ~this.relied[g] & 2) !== 0 && !framed && this.framed[g] !== 0)
      if (written || pushed) this.#grow()
      if (((relied & ~this.relied[g]) !== 0 || (framed && this.framed[g] === 0)) && news === 0) this.noted++
      this.relied[g] |= relied
      if (framed) this.framed[g] = 1
      if (this.shared[g] !== 0 && ((rows[at + 4] & ~this.fetchers[g]) !== 0 || (this.fetchers[g] !== 0 && (rows[at + 3] & ~this.writers[g]) !== 0))) this.#grow()
      this.readers[g] |= rows[at + 2]
      this.writers[g] |= rows[at + 3]
      this.fetchers[g] |= rows[at + 4]
      if (this.shared[g] === 0 && ((flags & KNOWN_SHARED) !== 0 || this.#conflict(g)) && this.shared[g] === 0) this.#share(g)
      this.#noteCode(g)
      if ((flags & KNOWN_WALKED) !== 0) this.noteWalk(g, g)
      if ((flags & KNOWN_JUDGED) !== 0) this.noteJudged(g)
      if (g % PAGE_GRANULES === 0) this.noteTable(g / PAGE_GRANULES, flags >> TABLES_SHIFT)
    }
    for (let k = 0; k + 1 < pages.length; k += 2)
      for (let v = 0; v < this.interruptible.length; v++) if ((pages[k + 1] & (1 << v)) !== 0) this.notePage(v, pages[k])
    if (tablesChange) this.noteTables()
    if (aliased && !this.aliased) {
      this.aliased = true
      this.noted++
    }
    for (let v = 0; v < this.interruptible.length; v++) this.noteInterruptible(v, interruptible[v])
    for (const line of uncachedLines) this.noteUncached(line >>> 0)
    for (let k = 0; k + 1 < spins.length; k += 2) this.noteSpin(spins[k] >>> 0, spins[k + 1])
    return this.version !== version
  }

  /** Makes everything visible, or these granules: exploration without the reduction, for tests against it. */
  shareEverything(which: (g: number) => boolean = () => true): void {
    for (let g = 0; g < this.shared.length; g++) {
      if (!which(g)) continue
      this.shared[g] = 1
      this.fetchers[g] = -1
      this.walked[g] = 1
    }
    this.codeShared = true
    this.tablesChange = true
    this.version++
  }

  #conflict(g: number): boolean {
    const writers = this.writers[g]
    const all = this.readers[g] | writers
    if (writers === 0) return false
    if ((all & (all - 1)) === 0 && !(this.ownCode && (writers & this.fetchers[g]) !== 0)) return false
    this.#share(g)
    return true
  }

  /** An access reaches across shared and private dwords: a private store must not overtake a buffered one. */
  #shareAll(first: number, last: number): void {
    for (let g = first; g <= last; g++) if (this.shared[g] === 0) this.#share(g)
  }

  #share(g: number): void {
    this.shared[g] = 1
    this.#grow()
    this.#noteCode(g)
  }

  #grow(): void {
    this.grown = true
    this.version++
  }

  #noteCode(g: number): void {
    if (this.codeShared || this.shared[g] === 0 || this.fetchers[g] === 0) return
    this.codeShared = true
    this.#grow()
  }
}
