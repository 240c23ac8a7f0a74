/**
 * Cached translations: what each vCPU may still use although the page tables say otherwise (SDM vol. 3A 5.10).
 *
 * While paging is on, a vCPU may use any translation that a walk could have given since the last invalidation that
 * applies to it. What a walk would give *now* needs no bookkeeping, so the state holds the rest only:
 *
 * ```
 * context      MODE ROOT PDPTE x 4          what the walks of this vCPU start from
 * pages        page | views, translation    stale translations, sorted
 * directories  region, entry low, high      stale directory entries in the paging-structure cache, sorted
 * ```
 *
 * A write to an entry turns what it replaces into stale ones; an invalidation drops them; what equals a present
 * translation is dropped too, so that the state is canonical and stays finite when an entry toggles for ever. A use is
 * a choice of the environment, offered only where its outcome differs from that of a walk (`enumerate`).
 *
 * With `tlbSpeculative=no` a translation is cached by the walk of an access only; then `pages` and `directories` hold
 * what was walked, stale or not.
 *
 * Which pages matter is learnt (sharing.ts): a stale translation of a page that a vCPU never touches changes nothing.
 */
import { CACHED_DIRECTORY, CACHED_PAGE, FETCH, A, D, denied, errorOf, G, P, PS, U, W, NO_FETCH, Walk, walkTables, type WalkPort } from '../cpu/paging.ts'
import { CR0, CR0_PG, CR0_WP, CR3, CR4, CR4_PAE, CR4_PGE, CR4_PSE, EFER_NXE, MSR_EFER, PDPTE, REGISTER_WORDS } from '../cpu/registers.ts'
import type { Store } from '../state/store.ts'
import type { Memory } from './memory.ts'
import type { Model } from './model.ts'
import type { Sharing } from './sharing.ts'

/** Words of a vCPU. MODE: CR0.PG, CR4.PSE, PAE, PGE and EFER.NXE, each at its own bit; they do not collide. */
const MODE = 0
const ROOT = 1
const PDPTES = 2
const PAGE_COUNT = 10
const DIRECTORY_COUNT = 11
const PAGES = 12
const PAGE_WORDS = 2
const DIRECTORY_WORDS = 3
const MODE_CR4 = CR4_PSE | CR4_PAE | CR4_PGE

/** Views of a page record: through which of the two TLBs it can be used. */
const VIEW_FETCH = 1
const VIEW_DATA = 2
const VIEW_BOTH = 3

/** Result of a walk that makes two translations differ, apart from A, D, G and the size of the page. */
const SAME = ~0xfff | W | U | NO_FETCH
/** Bits of a directory entry that matter to who has it cached. */
const SAME_DIRECTORY = ~0xfff | P | W | U | PS

export function translationWords(vcpus: number, model: Model): number {
  return model.tlb === 'none' ? 0 : vcpus * vcpuWords(model.tlbEntries)
}
function vcpuWords(entries: number): number {
  return PAGES + entries * (PAGE_WORDS + DIRECTORY_WORDS)
}

/** Page-table entries as memory has them now; remembers which were read. */
class Peek implements WalkPort {
  high = 0
  /** An entry was where no memory is. */
  stop = 0
  readonly read = new Int32Array(2)
  count = 0
  readonly #memory: Memory
  readonly #sharing: Sharing

  constructor(memory: Memory, sharing: Sharing) {
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
    this.#sharing.noteWalk(memory.granule(at), memory.granule(at + sizeBytes - 1))
    this.high = sizeBytes === 8 ? memory.load(at + 4, 4) : 0
    return memory.load(at, 4)
  }
}

/** What a write to the tables is about to replace, for one page of one vCPU. */
interface Replaced {
  readonly vcpu: number
  readonly page: number
  readonly entries: readonly number[]
  /** The directory entry, where that is written and could be cached: low and high word. */
  readonly directory: readonly [number, number] | null
}

/** Alternatives of one access are counted up to here. */
const OPTIONS_MAX = 64

export class Translations {
  /** What the last `enumerate` found: CACHED_PAGE or CACHED_DIRECTORY, and the entry. */
  readonly kinds = new Int32Array(OPTIONS_MAX)
  readonly lows = new Int32Array(OPTIONS_MAX)
  readonly highs = new Int32Array(OPTIONS_MAX)
  count = 0
  /** A vCPU held more stale translations than there is room for: some behaviours are not covered. */
  capped = false

  readonly #store: Store
  readonly #base: number
  readonly #memory: Memory
  readonly #sharing: Sharing
  readonly #model: Model
  readonly #vcpus: number
  readonly #speculates: boolean
  readonly #caches: boolean
  readonly #peek: Peek
  readonly #out = new Walk()
  /** Registers as the walks of a vCPU see them: what its TLB was last told of. */
  readonly #context = new Int32Array(REGISTER_WORDS)
  #replaced: Replaced[] = []

  constructor(store: Store, base: number, memory: Memory, sharing: Sharing, model: Model, vcpus: number) {
    this.#store = store
    this.#base = base
    this.#memory = memory
    this.#sharing = sharing
    this.#model = model
    this.#vcpus = vcpus
    this.#speculates = model.tlbSpeculative !== 'no'
    this.#caches = model.tlb === 'pde'
    this.#peek = new Peek(memory, sharing)
  }

  /** Stale translations, and stale directory entries, that `vcpu` may use. */
  staleOf(vcpu: number): { readonly pages: number; readonly directories: number } {
    const at = this.#at(vcpu)
    return { pages: this.#store.w[at + PAGE_COUNT], directories: this.#store.w[at + DIRECTORY_COUNT] }
  }

  /** Every stale translation of a vCPU, for tests and reports: linear page, translation. */
  listPages(vcpu: number): { readonly page: number; readonly entry: number; readonly views: number }[] {
    const { w } = this.#store
    const at = this.#at(vcpu)
    return Array.from({ length: w[at + PAGE_COUNT] }, (_, k) => {
      const word = w[at + PAGES + k * PAGE_WORDS]
      return { page: word & ~0xfff, entry: w[at + PAGES + k * PAGE_WORDS + 1], views: word & VIEW_BOTH }
    })
  }

  // --- uses -------------------------------------------------------------------------------------------

  /** `vcpu` accesses `linear`: its translation matters from now on. */
  notePage(vcpu: number, linear: number): void {
    if (this.#sharing.notePage(vcpu, linear >>> 12) && this.#speculates) this.#obtainable(vcpu, linear & ~0xfff)
  }

  /**
   * The cached translations and directory entries that `vcpu` may use for an access and that lead elsewhere than a walk
   * does now; their number.
   * @param access W, U, FETCH (cpu/paging.ts); @param r the vCPU's registers, for CR0.WP
   */
  enumerate(vcpu: number, linear: number, access: number, r: Int32Array): number {
    this.count = 0
    const { w } = this.#store
    const at = this.#at(vcpu)
    const pages = w[at + PAGE_COUNT]
    const directories = w[at + DIRECTORY_COUNT]
    if (pages === 0 && directories === 0) return 0
    const context = this.#load(vcpu)
    context[CR0] |= r[CR0] & CR0_WP
    const page = linear & ~0xfff
    const now = this.#walk(linear, access)
    const error = this.#out.error
    const marks = (access & W) !== 0 ? A | D : A
    // What stands in memory, before a walk sets bits.
    const unset = now === 0 ? 0 : marks & ~this.#walk(linear, 0)
    const view = (access & FETCH) !== 0 ? VIEW_FETCH : VIEW_DATA
    for (let k = 0; k < pages; k++) {
      const word = w[at + PAGES + k * PAGE_WORDS]
      if ((word & ~0xfff) !== page || (word & view) === 0) continue
      const entry = w[at + PAGES + k * PAGE_WORDS + 1]
      const refused = denied(context, entry, access)
      // A store through an entry that is not dirty walks, to set D.
      if (!refused && (access & W) !== 0 && (entry & D) === 0) continue
      if (refused ? now === 0 && error === (errorOf(context, access) | P) : now !== 0 && ((now ^ entry) & ~0xfff) === 0 && (unset & entry) === 0) continue
      this.#option(CACHED_PAGE, entry, 0)
    }
    const region = linear & this.#regionMask(vcpu)
    for (let k = 0; k < directories; k++) {
      const record = this.#directoryAt(vcpu, k)
      if (w[record] !== region || this.#isPresentDirectory(linear, w[record + 1], w[record + 2])) continue
      this.#option(CACHED_DIRECTORY, w[record + 1], w[record + 2])
    }
    return this.count
  }

  /** `vcpu` uses the cached translation `entry`: then its TLB holds no other one of that page. */
  use(vcpu: number, linear: number, access: number, entry: number): void {
    this.#keepOnly(vcpu, linear & ~0xfff, access, entry)
  }

  /** A walk gave `walk` for an access of `vcpu`; `spans`: others ran while it was made. */
  fill(vcpu: number, linear: number, access: number, walk: Walk, spans: boolean): void {
    const page = linear & ~0xfff
    this.#keepOnly(vcpu, page, access, walk.entry | A)
    if (this.#speculates) {
      // A walk whose levels are of different ages gives what no walk at one moment does.
      if (spans && !this.#obtainable(vcpu, page).some((other) => covers(other, walk.entry))) this.#add(vcpu, page, walk.entry | A, this.#views(access))
      return
    }
    this.#add(vcpu, page, walk.entry | A, this.#views(access))
    if (this.#caches && walk.pde !== 0) this.#addDirectory(vcpu, linear & this.#regionMask(vcpu), walk.pde, walk.pdeHigh)
  }

  // --- writes to the tables ---------------------------------------------------------------------------

  /** Whether some walk may read the bytes at index `at`. */
  watches(at: number, sizeBytes: number): boolean {
    const { walked } = this.#sharing
    for (let g = this.#memory.granule(at); g <= this.#memory.granule(at + sizeBytes - 1); g++) if (walked[g] !== 0) return true
    return false
  }

  /** Bytes that `watches` named are about to change. Call `wrote` when they have. */
  beforeWrite(physical: number, sizeBytes: number): void {
    this.#sharing.noteTables()
    this.#replaced = []
    if (!this.#speculates) return
    for (let v = 0; v < this.#vcpus; v++) {
      if (!this.isOn(v)) continue
      for (const page of this.#pagesOf(v)) {
        const entries = this.#obtainable(v, page)
        const entryBytes = this.#entryBytes()
        const written = (read: number) => overlaps(read, entryBytes, physical, sizeBytes)
        if (!this.#reads.some(written)) continue
        const cached = this.#caches && this.#directory !== null && written(this.#reads[0]) && this.#cacheable(this.#directory[0])
        this.#replaced.push({ vcpu: v, page, entries, directory: cached ? this.#directory : null })
      }
    }
  }

  wrote(): void {
    for (const { vcpu, page, directory } of this.#replaced) {
      if (directory === null) continue
      const region = page & this.#regionMask(vcpu)
      this.#addDirectory(vcpu, region, directory[0], directory[1])
      this.#load(vcpu)
      this.#dropDirectories(vcpu, (at, low, high) => at === region && this.#isPresentDirectory(page, low, high))
    }
    for (const { vcpu, page, entries } of this.#replaced) this.#keepStale(vcpu, page, entries)
    this.#replaced = []
  }

  // --- invalidations ----------------------------------------------------------------------------------

  isOn(vcpu: number): boolean {
    return (this.#store.w[this.#at(vcpu) + MODE] & CR0_PG) !== 0
  }

  /** The walks of `vcpu` start from these registers. */
  startsFrom(vcpu: number, r: Int32Array): boolean {
    const { w } = this.#store
    const at = this.#at(vcpu)
    if (w[at + MODE] !== modeOf(r) || w[at + ROOT] !== r[CR3]) return false
    if ((r[CR4] & CR4_PAE) === 0) return true
    for (let k = 0; k < 8; k++) if (w[at + PDPTES + k] !== r[PDPTE + k]) return false
    return true
  }

  /** INVLPG: the page, in whatever size it is mapped, and every directory entry. */
  invalidatePage(vcpu: number, linear: number): void {
    if (!this.isOn(vcpu)) return
    const derived = this.#derived(vcpu, () => true)
    this.#dropDirectories(vcpu, () => true)
    this.#dropPage(vcpu, linear)
    for (const { page, entries } of derived) if (page !== (linear & ~0xfff)) this.#keepStale(vcpu, page, entries)
  }

  /** A page fault at `linear` drops what would translate that address (SDM vol. 3A 5.10.4.1). */
  pageFault(vcpu: number, linear: number): void {
    if (!this.isOn(vcpu)) return
    const region = linear & this.#regionMask(vcpu)
    const derived = this.#derived(vcpu, (at) => at === region)
    this.#dropDirectories(vcpu, (at) => at === region)
    this.#dropPage(vcpu, linear)
    for (const { page, entries } of derived) if (page !== (linear & ~0xfff)) this.#keepStale(vcpu, page, entries)
  }

  /** MOV CR3 and the like (`globalToo` false: global translations stay), CR0.PG, CR4. `r`: the registers as they are now. */
  invalidate(vcpu: number, r: Int32Array, globalToo: boolean): void {
    const wasOn = this.isOn(vcpu)
    const kept: { page: number; entries: readonly number[] }[] = []
    if (wasOn && !globalToo && (r[CR4] & CR4_PGE) !== 0) {
      if (r[CR3] !== this.#store.w[this.#at(vcpu) + ROOT]) this.#sharing.noteTables()
      if (this.#speculates) for (const page of this.#pagesOf(vcpu)) kept.push({ page, entries: this.#obtainable(vcpu, page).filter((entry) => (entry & G) !== 0) })
    }
    this.#dropDirectories(vcpu, () => true)
    this.#dropPages(vcpu, (_, entry) => globalToo || (entry & G) === 0)
    this.#enter(vcpu, r)
    if (!this.isOn(vcpu)) return
    for (const page of this.#speculates ? this.#pagesOf(vcpu) : []) this.#keepStale(vcpu, page, kept.find((one) => one.page === page)?.entries ?? [])
  }

  /** Registers changed what walks give (PDPTEs loaded by MOV CR0, EFER.NXE) and nothing is dropped. */
  retarget(vcpu: number, r: Int32Array): void {
    if (this.startsFrom(vcpu, r)) return
    const before = this.isOn(vcpu) && this.#speculates ? this.#pagesOf(vcpu).map((page) => ({ page, entries: this.#obtainable(vcpu, page) })) : []
    this.#enter(vcpu, r)
    for (const { page, entries } of before) this.#keepStale(vcpu, page, entries)
  }

  #enter(vcpu: number, r: Int32Array): void {
    const store = this.#store
    const at = this.#at(vcpu)
    const on = (r[CR0] & CR0_PG) !== 0
    store.set(at + MODE, on ? modeOf(r) : 0)
    store.set(at + ROOT, on ? r[CR3] : 0)
    for (let k = 0; k < 8; k++) store.set(at + PDPTES + k, on && (r[CR4] & CR4_PAE) !== 0 ? r[PDPTE + k] : 0)
  }

  // --- what walks could give --------------------------------------------------------------------------

  #load(vcpu: number): Int32Array {
    const { w } = this.#store
    const at = this.#at(vcpu)
    const r = this.#context
    r[CR0] = w[at + MODE] & CR0_PG
    r[CR4] = w[at + MODE] & MODE_CR4
    r[MSR_EFER] = w[at + MODE] & EFER_NXE
    r[CR3] = w[at + ROOT]
    for (let k = 0; k < 8; k++) r[PDPTE + k] = w[at + PDPTES + k]
    return r
  }

  /** The translation that the tables give for `linear` in the context that is loaded; 0: none. */
  #walk(linear: number, access: number): number {
    const peek = this.#peek.reset()
    walkTables(this.#context, peek, peek, linear, access, false, this.#out)
    return peek.stop !== 0 ? 0 : this.#out.entry
  }

  /** Entries in memory that the last `#obtainable` read, the directory's own first, and that directory entry. */
  #reads: number[] = []
  #directory: readonly [number, number] | null = null

  /** Every translation that a walk of `vcpu` could put into its TLB for `page` now. */
  #obtainable(vcpu: number, page: number): number[] {
    this.#load(vcpu)
    const out = this.#out
    const entries: number[] = []
    const entry = this.#walk(page, 0)
    this.#reads = [...this.#peek.read.subarray(0, this.#peek.count)]
    this.#directory = out.pde !== 0 ? [out.pde, out.pdeHigh] : null
    if (entry !== 0 && this.#cacheable(entry)) entries.push(entry)
    const region = page & this.#regionMask(vcpu)
    const { w } = this.#store
    for (let k = 0; k < w[this.#at(vcpu) + DIRECTORY_COUNT]; k++) {
      const record = this.#directoryAt(vcpu, k)
      if (w[record] === region) this.#through(page, w[record + 1], w[record + 2], entries)
    }
    return entries
  }

  /** Adds what a walk from a cached directory entry gives. */
  #through(page: number, low: number, high: number, entries: number[]): void {
    const out = this.#out
    out.pde = low
    out.pdeHigh = high
    const peek = this.#peek.reset()
    walkTables(this.#context, peek, peek, page, 0, true, out)
    if (peek.stop !== 0) return
    this.#reads.push(...peek.read.subarray(0, peek.count))
    if (out.entry !== 0 && this.#cacheable(out.entry) && !entries.includes(out.entry)) entries.push(out.entry)
  }

  /** What walks from cached directory entries (of the regions that `which` names) could have put into the TLB. */
  #derived(vcpu: number, which: (region: number) => boolean): { page: number; entries: number[] }[] {
    const { w } = this.#store
    const derived: { page: number; entries: number[] }[] = []
    if (!this.#speculates || w[this.#at(vcpu) + DIRECTORY_COUNT] === 0) return derived
    const mask = this.#regionMask(vcpu)
    for (const page of this.#pagesOf(vcpu)) if (which(page & mask)) derived.push({ page, entries: this.#obtainable(vcpu, page) })
    return derived
  }

  /** An entry may be cached by speculation: with `accessed`, only if its A bit is set. */
  #cacheable(entry: number): boolean {
    return this.#model.tlbSpeculative === 'any' || (entry & A) !== 0
  }

  #pagesOf(vcpu: number): readonly number[] {
    return this.#sharing.pagesOf(vcpu)
  }
  #regionMask(vcpu: number): number {
    return (this.#store.w[this.#at(vcpu) + MODE] & CR4_PAE) !== 0 ? ~0x1fffff : ~0x3fffff
  }
  #entryBytes(): number {
    return (this.#context[CR4] & CR4_PAE) !== 0 ? 8 : 4
  }

  /** The tables hold this directory entry for `linear` now. */
  #isPresentDirectory(linear: number, low: number, high: number): boolean {
    const out = this.#out
    this.#walk(linear, 0)
    return out.pde !== 0 && ((out.pde ^ low) & SAME_DIRECTORY) === 0 && out.pdeHigh === high
  }

  // --- records ----------------------------------------------------------------------------------------

  #at(vcpu: number): number {
    return this.#base + vcpu * vcpuWords(this.#model.tlbEntries)
  }
  #directoryAt(vcpu: number, k: number): number {
    return this.#at(vcpu) + PAGES + this.#model.tlbEntries * PAGE_WORDS + k * DIRECTORY_WORDS
  }

  #views(access: number): number {
    return this.#model.tlbSplit !== 'split' ? VIEW_BOTH : (access & FETCH) !== 0 ? VIEW_FETCH : VIEW_DATA
  }

  #option(kind: number, low: number, high: number): void {
    if (this.count === OPTIONS_MAX) {
      this.capped = true
      return
    }
    this.kinds[this.count] = kind
    this.lows[this.count] = low
    this.highs[this.count++] = high
  }

  /** A TLB holds one translation of a page: using one drops the others. */
  #keepOnly(vcpu: number, page: number, access: number, entry: number): void {
    const { w } = this.#store
    const at = this.#at(vcpu)
    if (w[at + PAGE_COUNT] === 0 || this.#model.tlbSplit === 'each') return
    const views = this.#views(access)
    for (let k = w[at + PAGE_COUNT] - 1; k >= 0; k--) {
      const record = at + PAGES + k * PAGE_WORDS
      if ((w[record] & ~0xfff) !== page || w[record + 1] === entry) continue
      this.#store.set(record, w[record] & ~views)
      if ((w[record] & VIEW_BOTH) === 0) this.#removePage(vcpu, k)
    }
  }

  /** Of `entries`, which walks could give before, keeps what they cannot give now; drops stale ones that they can. */
  #keepStale(vcpu: number, page: number, entries: readonly number[]): void {
    if (!this.#speculates) return
    const now = this.#obtainable(vcpu, page)
    this.#dropPages(vcpu, (at, entry) => at === page && now.some((other) => covers(other, entry)))
    for (const entry of entries) if (!now.some((other) => covers(other, entry))) this.#add(vcpu, page, entry, VIEW_BOTH)
  }

  #add(vcpu: number, page: number, entry: number, views: number): void {
    const store = this.#store
    const { w } = store
    const at = this.#at(vcpu)
    for (let k = w[at + PAGE_COUNT] - 1; k >= 0; k--) {
      const record = at + PAGES + k * PAGE_WORDS
      if ((w[record] & ~0xfff) !== page) continue
      const theirs = w[record] & VIEW_BOTH
      if (w[record + 1] === entry) {
        views |= theirs
        this.#removePage(vcpu, k)
      } else if ((views & ~theirs) === 0 && covers(w[record + 1], entry)) return
      else if ((theirs & ~views) === 0 && covers(entry, w[record + 1])) this.#removePage(vcpu, k)
    }
    const count = w[at + PAGE_COUNT]
    if (count === this.#model.tlbEntries) {
      this.capped = true
      return
    }
    let place = 0
    while (place < count && before(w[at + PAGES + place * PAGE_WORDS] & ~0xfff, w[at + PAGES + place * PAGE_WORDS + 1], page, entry)) place++
    for (let k = count * PAGE_WORDS - 1; k >= place * PAGE_WORDS; k--) store.set(at + PAGES + k + PAGE_WORDS, w[at + PAGES + k])
    store.set(at + PAGES + place * PAGE_WORDS, page | views)
    store.set(at + PAGES + place * PAGE_WORDS + 1, entry)
    store.set(at + PAGE_COUNT, count + 1)
  }

  #removePage(vcpu: number, k: number): void {
    const at = this.#at(vcpu)
    const count = this.#store.w[at + PAGE_COUNT]
    this.#remove(at + PAGES + k * PAGE_WORDS, at + PAGES + count * PAGE_WORDS, PAGE_WORDS)
    this.#store.set(at + PAGE_COUNT, count - 1)
  }

  /** Closes the gap of the record at `record` in the list that ends at `end`. */
  #remove(record: number, end: number, words: number): void {
    const store = this.#store
    for (let at = record; at < end - words; at++) store.set(at, store.w[at + words])
    for (let at = end - words; at < end; at++) store.set(at, 0)
  }

  #dropPages(vcpu: number, which: (page: number, entry: number) => boolean): void {
    const { w } = this.#store
    const at = this.#at(vcpu)
    for (let k = w[at + PAGE_COUNT] - 1; k >= 0; k--) {
      const record = at + PAGES + k * PAGE_WORDS
      if (which(w[record] & ~0xfff, w[record + 1])) this.#removePage(vcpu, k)
    }
  }

  /** Drops the translations of the page of `linear`; of a large page, all of them. */
  #dropPage(vcpu: number, linear: number): void {
    const mask = this.#regionMask(vcpu)
    this.#dropPages(vcpu, (page, entry) => page === (linear & ~0xfff) || ((entry & PS) !== 0 && (page & mask) === (linear & mask)))
  }

  #addDirectory(vcpu: number, region: number, low: number, high: number): void {
    const store = this.#store
    const { w } = store
    const at = this.#at(vcpu)
    const count = w[at + DIRECTORY_COUNT]
    const entry = (low & SAME_DIRECTORY) | A
    let place = 0
    for (; place < count; place++) {
      const record = this.#directoryAt(vcpu, place)
      if (w[record] === region && w[record + 1] === entry && w[record + 2] === high) return
      if (!before(w[record], w[record + 1], region, entry)) break
    }
    if (count === this.#model.tlbEntries) {
      this.capped = true
      return
    }
    for (let k = count; k > place; k--)
      for (let j = 0; j < DIRECTORY_WORDS; j++) store.set(this.#directoryAt(vcpu, k) + j, w[this.#directoryAt(vcpu, k - 1) + j])
    const record = this.#directoryAt(vcpu, place)
    store.set(record, region)
    store.set(record + 1, entry)
    store.set(record + 2, high)
    store.set(at + DIRECTORY_COUNT, count + 1)
  }

  #dropDirectories(vcpu: number, which: (region: number, low: number, high: number) => boolean): void {
    const { w } = this.#store
    const at = this.#at(vcpu)
    for (let k = w[at + DIRECTORY_COUNT] - 1; k >= 0; k--) {
      const record = this.#directoryAt(vcpu, k)
      if (!which(w[record], w[record + 1], w[record + 2])) continue
      const count = w[at + DIRECTORY_COUNT]
      this.#remove(record, this.#directoryAt(vcpu, count), DIRECTORY_WORDS)
      this.#store.set(at + DIRECTORY_COUNT, count - 1)
    }
  }
}

function modeOf(r: Int32Array): number {
  return (r[CR0] & CR0_PG) | (r[CR4] & MODE_CR4) | (r[MSR_EFER] & EFER_NXE)
}

/**
 * Whoever may use translation `a` gains nothing from `b`: they lead to the same place, `a` needs no walk where `b` needs
 * none, and it lasts as long.
 */
function covers(a: number, b: number): boolean {
  return ((a ^ b) & SAME) === 0 && (b & ~a & (A | D | G)) === 0 && (a & ~b & PS) === 0
}

function before(page: number, entry: number, otherPage: number, otherEntry: number): boolean {
  return page === otherPage ? entry >>> 0 < otherEntry >>> 0 : page >>> 0 < otherPage >>> 0
}

function overlaps(a: number, aBytes: number, b: number, bBytes: number): boolean {
  return a >>> 0 < (b >>> 0) + bBytes && b >>> 0 < (a >>> 0) + aBytes
}
