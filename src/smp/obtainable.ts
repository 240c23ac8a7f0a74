/** What walks of a vCPU could put into its translation caches, from the tables as memory has them now. */
import { A, P, PS, Walk, walkTables, type WalkPort } from '../cpu/paging.ts'
import { CR0, CR3, CR4, CR4_PAE, CR4_PSE, PDPTE, REGISTER_WORDS } from '../cpu/registers.ts'
import type { Memory } from './memory.ts'
import type { Model } from './model.ts'
import type { Sharing } from './sharing.ts'
import { sameDirectory, type TlbRecords } from './tlbRecords.ts'

/** Page-table entries as memory has them now; remembers which were read. Without `sharing` nobody is told that they were. */
export class Peek implements WalkPort {
  high = 0
  /** An entry was where no memory is. */
  stop = 0
  readonly read = new Int32Array(2)
  count = 0
  readonly #memory: Memory
  readonly #sharing: Sharing | null

  constructor(memory: Memory, sharing: Sharing | null) {
    this.#memory = memory
    this.#sharing = sharing
  }

  reset(): this {
    this.stop = 0
    this.count = 0
    return this
  }
  walk32(physical: number): number {
    return this.#load(physical, 4)
  }
  walk64(physical: number): number {
    return this.#load(physical, 8)
  }
  walkMark(): boolean {
    return true
  }

  #load(physical: number, sizeBytes: number): number {
    const memory = this.#memory
    const at = memory.index(physical)
    if (at < 0) {
      this.stop = 1
      return 0
    }
    this.read[this.count++] = physical
    this.#sharing?.noteWalk(memory.granule(at), memory.granule(at + sizeBytes - 1))
    this.high = sizeBytes === 8 ? memory.load(at + 4, 4) : 0
    return memory.load(at, 4)
  }
}

/** A page of one vCPU, and every translation of it that a walk could give. */
export interface Obtainable {
  readonly page: number
  readonly entries: readonly number[]
}

export class ObtainableTranslations {
  /** Of the last walk: error code where it gave nothing; the directory entry that led to a table, 0: none. */
  readonly out = new Walk()
  /** Registers as the walks of a vCPU see them: what its TLB was last told of. */
  readonly context = new Int32Array(REGISTER_WORDS)
  /** Entries in memory that the last `of` read, the directory's own first. */
  readonly reads: number[] = []
  /** And that directory entry, where it led to a table: low and high word. */
  directory: readonly [number, number] | null = null
  readonly #records: TlbRecords
  readonly #peek: Peek
  readonly #memory: Memory
  readonly #sharing: Sharing
  readonly #model: Model

  constructor(records: TlbRecords, memory: Memory, sharing: Sharing, model: Model) {
    this.#records = records
    this.#peek = new Peek(memory, sharing)
    this.#memory = memory
    this.#sharing = sharing
    this.#model = model
  }

  /** The walks to come are those of `vcpu`. @param cr0 bits of CR0 besides PG */
  enter(vcpu: number, cr0 = 0): void {
    this.#records.loadContext(vcpu, this.context)
    this.context[CR0] |= cr0
  }
  get entryBytes(): number {
    return (this.context[CR4] & CR4_PAE) !== 0 ? 8 : 4
  }

  /** The translation that the tables give for `linear`; 0: none. */
  walk(linear: number, access: number): number {
    const peek = this.#peek.reset()
    walkTables(this.context, peek, peek, linear, access, false, this.out)
    return peek.stop !== 0 ? 0 : this.out.entry
  }

  /** Physical addresses of the entries that a walk of `vcpu` for `linear` reads now. */
  entriesRead(vcpu: number, linear: number): number[] {
    this.enter(vcpu)
    this.walk(linear, 0)
    return [...this.#peek.read.subarray(0, this.#peek.count)]
  }

  /** The tables hold this directory entry for `linear` now, and who walks through it has no bit to set. */
  isPresentDirectory(linear: number, low: number, high: number): boolean {
    this.walk(linear, 0)
    return (this.out.pde & A) !== 0 && sameDirectory(this.out.pde, this.out.pdeHigh, low, high)
  }

  /** Every translation that a walk of `vcpu` could put into its TLB for `page`. */
  of(vcpu: number, page: number): number[] {
    this.enter(vcpu)
    const { out, reads } = this
    const entries: number[] = []
    const entry = this.walk(page, 0)
    reads.length = 0
    reads.push(...this.#peek.read.subarray(0, this.#peek.count))
    this.directory = out.pde !== 0 ? [out.pde, out.pdeHigh] : null
    if (entry !== 0 && this.isCacheable(entry)) entries.push(entry)
    const records = this.#records
    const region = page & records.regionMask(vcpu)
    for (let k = 0; k < records.directoryCount(vcpu); k++) if (records.regionAt(vcpu, k) === region) this.#through(page, records.lowAt(vcpu, k), records.highAt(vcpu, k), entries)
    return entries
  }

  /** Adds what a walk from a cached directory entry gives. */
  #through(page: number, low: number, high: number, entries: number[]): void {
    const { out } = this
    out.pde = low
    out.pdeHigh = high
    const peek = this.#peek.reset()
    walkTables(this.context, peek, peek, page, 0, true, out)
    if (peek.stop !== 0) return
    this.reads.push(...peek.read.subarray(0, peek.count))
    if (out.entry !== 0 && this.isCacheable(out.entry) && !entries.includes(out.entry)) entries.push(out.entry)
  }

  /**
   * Every linear page that walks of `vcpu` may lead to the page frame at `frame`, through present directory entries and cached ones. From
   * now on all the tables that were looked through are known to be walked: none of their entries changes unnoticed.
   */
  forEachPageTo(vcpu: number, frame: number, found: (page: number) => void): void {
    this.enter(vcpu)
    const { entryBytes } = this
    const regionBytes = ~this.#records.regionMask(vcpu) + 1
    const pages = new Set<number>()
    this.#forEachDirectoryEntry(vcpu, (region, entry) => {
      if (!this.#isLarge(entry))
        this.#entriesOf(entry & ~0xfff, entryBytes, (word, k) => {
          if ((word & P) !== 0 && (word & ~0xfff) === frame) pages.add(region + k * 4096)
        })
      else if (((entry ^ frame) & -regionBytes) === 0) pages.add(region + (frame & (regionBytes - 1)))
    })
    for (const page of pages) found(page | 0)
  }

  /**
   * Every page table and directory (physical address) that `vcpu` may walk through at any time, be it ahead of accesses that it never makes.
   * From now on none of the directory entries changes unnoticed.
   */
  forEachTable(vcpu: number, found: (table: number) => void): void {
    this.forEachDirectory(vcpu, found)
    this.#forEachDirectoryEntry(vcpu, (_, entry) => {
      if (!this.#isLarge(entry) && this.isCacheable(entry)) found(entry & ~0xfff)
    })
  }

  forEachDirectory(vcpu: number, found: (directory: number) => void): void {
    this.enter(vcpu)
    for (const [directory] of this.#directories()) found(directory)
  }

  /**
   * Every way in which a walk of `vcpu` comes through the entry at physical address `entry`: `found` is told of the directory entry in memory that
   * leads there, -1: there is none, as it is cached, or the entry is one of the directory. From now on none of the directory entries changes
   * unnoticed.
   */
  forEachWalkThrough(vcpu: number, entry: number, found: (directoryEntry: number) => void): void {
    this.enter(vcpu)
    const { entryBytes, out } = this
    if ((entry & (entryBytes - 1)) !== 0) return
    const table = entry & ~0xfff
    const number = (entry & 0xfff) / entryBytes
    const regionBytes = ~this.#records.regionMask(vcpu) + 1
    const leads = (word: number) => (word & P) !== 0 && (word & ~0xfff) === table && !this.#isLarge(word)
    for (const [directory, start] of this.#directories()) {
      // Be the table that it names where no memory is.
      if (directory === table && (this.walk(start + number * regionBytes, 0) !== 0 || out.pde !== 0 || this.#peek.stop !== 0)) found(-1)
      this.#entriesOf(directory, entryBytes, (word, k) => {
        if (leads(word) && this.walk(start + k * regionBytes + number * 4096, 0) !== 0) found((directory + k * entryBytes) >>> 0)
      })
    }
    const records = this.#records
    for (let k = 0; k < records.directoryCount(vcpu); k++) if (leads(records.lowAt(vcpu, k))) found(-1)
  }

  /**
   * The tables named by directory entries of `vcpu` in these bytes of memory, and the linear addresses that the entries are about, where
   * they could be cached.
   */
  forEachTableIn(vcpu: number, physical: number, sizeBytes: number, found: (region: number, table: number) => void): void {
    this.enter(vcpu)
    const { entryBytes } = this
    const regionBytes = ~this.#records.regionMask(vcpu) + 1
    for (const [directory, start] of this.#directories())
      for (let at = physical & -entryBytes; at < physical + sizeBytes; at += entryBytes) {
        if (((at ^ directory) & ~0xfff) !== 0) continue
        const entry = this.#memory.load(this.#memory.index(at), 4)
        if ((entry & P) !== 0 && !this.#isLarge(entry) && this.isCacheable(entry)) found((start + ((at & 0xfff) / entryBytes) * regionBytes) | 0, entry & ~0xfff)
      }
  }

  /** Directory entries that are present, and those that are cached: the linear address that each is about, its low word. */
  #forEachDirectoryEntry(vcpu: number, each: (region: number, entry: number) => void): void {
    const records = this.#records
    const regionBytes = ~records.regionMask(vcpu) + 1
    for (const [directory, start] of this.#directories())
      this.#entriesOf(directory, this.entryBytes, (entry, k) => {
        if ((entry & P) !== 0) each((start + k * regionBytes) | 0, entry)
      })
    for (let k = 0; k < records.directoryCount(vcpu); k++) each(records.regionAt(vcpu, k), records.lowAt(vcpu, k))
  }

  /** A directory entry maps a page: without PSE, bit 7 is nothing. */
  #isLarge(entry: number): boolean {
    return (entry & PS) !== 0 && (this.context[CR4] & (CR4_PAE | CR4_PSE)) !== 0
  }

  /** Physical address of each page directory of the context, and the linear address that it begins at. */
  #directories(): [number, number][] {
    const r = this.context
    if ((r[CR4] & CR4_PAE) === 0) return [[r[CR3] & ~0xfff, 0]]
    return [0, 1, 2, 3].filter((n) => (r[PDPTE + n * 2] & P) !== 0).map((n) => [r[PDPTE + n * 2] & ~0xfff, n << 30])
  }

  /** Low words of the entries of a table, and their numbers. */
  #entriesOf(table: number, sizeBytes: number, each: (entry: number, k: number) => void): void {
    const memory = this.#memory
    const at = memory.index(table)
    if (at < 0) return
    const { walked } = this.#sharing
    for (let g = memory.granule(at); g <= memory.granule(at + 4095); g++) if (walked[g] === 0) this.#sharing.noteWalk(g, g)
    for (let k = 0; k < 4096 / sizeBytes; k++) each(memory.load(at + k * sizeBytes, 4), k)
  }

  /** An entry may be cached by speculation: with `accessed`, only if its A bit is set. */
  isCacheable(entry: number): boolean {
    return this.#model.tlbSpeculative === 'any' || (entry & A) !== 0
  }
}
