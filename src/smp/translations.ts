/**
 * Cached translations: what each vCPU may still use although the page tables say otherwise (SDM vol. 3A 5.10).
 *
 * While paging is on, a vCPU may use any translation that a walk could have given since the last invalidation that
 * applies to it. What a walk would give *now* (obtainable.ts) needs no bookkeeping, so the state holds the rest only
 * (tlbRecords.ts).
 *
 * A write to an entry turns what it replaces into stale ones; an invalidation drops them; what equals a present
 * translation is dropped too, so that the state is canonical and stays finite when an entry toggles for ever. A use is
 * a choice of the environment, offered only where its outcome differs from that of a walk (`enumerate`).
 *
 * With `tlbSpeculative=no` a translation is cached by the walk of an access only; then the records hold what was walked,
 * stale or not.
 *
 * Which pages matter is learnt (sharing.ts): a stale translation of a page that a vCPU never touches changes nothing, but
 * where it fills caches with what others access uncached (`cachesThrough`).
 */
import { CACHED_DIRECTORY, CACHED_PAGE, FETCH, A, D, denied, errorOf, P, PS, UNCACHED, W, type Walk } from '../cpu/paging.ts'
import { CR0, CR0_WP, CR3, CR4, CR4_PGE } from '../cpu/registers.ts'
import type { Store } from '../state/store.ts'
import type { Memory } from './memory.ts'
import type { Model } from './model.ts'
import { ObtainableTranslations, type Obtainable } from './obtainable.ts'
import type { Sharing } from './sharing.ts'
import type { StoreBuffer } from './storeBuffer.ts'
import { covers, isGlobal, TlbRecords, VIEW_BOTH, VIEW_DATA, VIEW_FETCH, type PageRecord } from './tlbRecords.ts'

export function translationWords(vcpus: number, model: Model): number {
  return model.tlb === 'none' ? 0 : vcpus * TlbRecords.words(model.tlbEntries)
}

/** What a write to the tables is about to replace, for one page of one vCPU. */
interface Replaced extends Obtainable {
  readonly vcpu: number
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

  readonly #memory: Memory
  readonly #sharing: Sharing
  readonly #model: Model
  readonly #vcpus: number
  readonly #speculates: boolean
  readonly #caches: boolean
  readonly #records: TlbRecords
  readonly #obtainable: ObtainableTranslations
  readonly #losing: (vcpu: number) => void
  #replaced: Replaced[] = []

  /** @param losing is told of a vCPU whose usable translations are about to become less, where caches matter */
  constructor(store: Store, base: number, memory: Memory, sharing: Sharing, model: Model, vcpus: number, losing: (vcpu: number) => void) {
    this.#losing = losing
    this.#memory = memory
    this.#sharing = sharing
    this.#model = model
    this.#vcpus = vcpus
    this.#speculates = model.tlbSpeculative !== 'no'
    this.#caches = model.tlb === 'pde'
    this.#records = new TlbRecords(store, base, model.tlbEntries)
    this.#obtainable = new ObtainableTranslations(this.#records, memory, sharing, model)
  }

  /** A vCPU held more stale translations than there is room for, or an access had too many alternatives: some behaviours are not covered. */
  get capped(): boolean {
    return this.#records.capped
  }

  /** Stale translations, and stale directory entries, that `vcpu` may use. */
  staleOf(vcpu: number): { readonly pages: number; readonly directories: number } {
    return { pages: this.#records.pageCount(vcpu), directories: this.#records.directoryCount(vcpu) }
  }

  /** Every stale translation of a vCPU, for tests and reports. */
  listPages(vcpu: number): PageRecord[] {
    const records = this.#records
    return Array.from({ length: records.pageCount(vcpu) }, (_, k) => ({ page: records.pageAt(vcpu, k), entry: records.entryAt(vcpu, k), views: records.viewsAt(vcpu, k) }))
  }

  isOn(vcpu: number): boolean {
    return this.#records.isOn(vcpu)
  }
  /** The walks of `vcpu` start from these registers. */
  startsFrom(vcpu: number, r: Int32Array): boolean {
    return this.#records.startsFrom(vcpu, r)
  }

  // --- uses -------------------------------------------------------------------------------------------

  /** `vcpu` accesses `linear`: its translation matters from now on. */
  notePage(vcpu: number, linear: number): void {
    if (this.#sharing.notePage(vcpu, linear >>> 12) && this.#speculates) this.#obtainable.of(vcpu, linear & ~0xfff)
  }

  /**
   * The cached translations and directory entries that `vcpu` may use for an access and that lead elsewhere than a walk
   * does now; their number.
   * @param access W, U, FETCH (cpu/paging.ts); @param r the vCPU's registers, for CR0.WP
   */
  enumerate(vcpu: number, linear: number, access: number, r: Int32Array): number {
    this.count = 0
    const records = this.#records
    const pages = records.pageCount(vcpu)
    const directories = records.directoryCount(vcpu)
    if (pages === 0 && directories === 0) return 0
    const walks = this.#obtainable
    walks.enter(vcpu, r[CR0] & CR0_WP)
    const page = linear & ~0xfff
    const now = walks.walk(linear, access)
    const { error } = walks.out
    const marks = (access & W) !== 0 ? A | D : A
    // What stands in memory, before a walk sets bits.
    const unset = now === 0 ? 0 : marks & ~walks.walk(linear, 0)
    const view = (access & FETCH) !== 0 ? VIEW_FETCH : VIEW_DATA
    for (let k = 0; k < pages; k++) {
      if (records.pageAt(vcpu, k) !== page || (records.viewsAt(vcpu, k) & view) === 0) continue
      const entry = records.entryAt(vcpu, k)
      const refused = denied(walks.context, entry, access)
      if (!refused && !passes(entry, access)) continue
      if (refused ? now === 0 && error === (errorOf(walks.context, access) | P) : now !== 0 && leadsAlike(now, entry) && (unset & entry) === 0) continue
      this.#option(CACHED_PAGE, entry, 0)
    }
    const region = linear & records.regionMask(vcpu)
    for (let k = 0; k < directories; k++) {
      const low = records.lowAt(vcpu, k)
      const high = records.highAt(vcpu, k)
      if (records.regionAt(vcpu, k) === region && !walks.isPresentDirectory(linear, low, high)) this.#option(CACHED_DIRECTORY, low, high)
    }
    return this.count
  }

  #option(kind: number, low: number, high: number): void {
    if (this.count === OPTIONS_MAX) {
      this.#records.capped = true
      return
    }
    this.kinds[this.count] = kind
    this.lows[this.count] = low
    this.highs[this.count++] = high
  }

  /**
   * `vcpu` uses the cached translation `entry`: then its TLB holds no other one of that page.
   * @param alike whether nobody could tell if it was this other one that was used
   */
  use(vcpu: number, linear: number, access: number, entry: number, alike: (other: number) => boolean = () => false): void {
    if (this.#model.tlbSplit === 'each') return
    const page = linear & ~0xfff
    const views = this.#views(access)
    if (this.#cachesMatter && this.#records.wouldLose(vcpu, page, entry, views, alike)) this.#losing(vcpu)
    this.#records.keepOnly(vcpu, page, entry, views, alike)
  }

  /**
   * A walk gave `walk` for an access of `vcpu`, the registers of which are `r`; `spans`: others ran while it was made; `marks`: it has set accessed or
   * dirty bits. Where it has not, it may as well have been a cached translation that leads there.
   */
  fill(vcpu: number, linear: number, access: number, walk: Walk, r: Int32Array, { spans, marks }: { readonly spans: boolean; readonly marks: boolean }): void {
    const page = linear & ~0xfff
    this.use(vcpu, linear, access, walk.entry | A, (other) => !marks && leadsAlike(other, walk.entry) && passes(other, access) && !denied(r, other, access))
    if (this.#speculates) {
      // A walk whose levels are of different ages gives what no walk at one moment does.
      if (spans && !this.#obtainable.of(vcpu, page).some((other) => covers(other, walk.entry))) this.#records.addPage(vcpu, page, walk.entry | A, this.#views(access))
      return
    }
    this.#records.addPage(vcpu, page, walk.entry | A, this.#views(access))
    if (this.#caches && walk.pde !== 0) this.#records.addDirectory(vcpu, linear & this.#records.regionMask(vcpu), walk.pde, walk.pdeHigh)
  }

  #views(access: number): number {
    return this.#model.tlbSplit !== 'split' ? VIEW_BOTH : (access & FETCH) !== 0 ? VIEW_FETCH : VIEW_DATA
  }

  /** Of the entries that a walk for `linear` reads, the physical address of one that `stores`, the vCPU's own, would change: walks do not see them. -1: none. */
  entryIn(stores: StoreBuffer, vcpu: number, linear: number): number {
    const walks = this.#obtainable
    return this.isOn(vcpu) ? (walks.entriesRead(vcpu, linear).find((entry) => stores.overlaps(entry, walks.entryBytes)) ?? -1) : -1
  }

  // --- writes to the tables ---------------------------------------------------------------------------

  /** Whether some walk may read the bytes at index `at`. */
  watches(at: number, sizeBytes: number): boolean {
    const { walked } = this.#sharing
    for (let g = this.#memory.granule(at); g <= this.#memory.granule(at + sizeBytes - 1); g++) if (walked[g] !== 0) return true
    return false
  }

  /** Whether a store of these bytes, though it changes none, takes away what a walk ahead has set unseen. */
  clearsUnseen(at: number, sizeBytes: number): boolean {
    if (this.#model.tlbSpeculative !== 'any') return false
    for (let entry = (at + 3) & ~3; entry < at + sizeBytes; entry += 4) if ((this.#memory.load(entry, 4) & (P | A)) === P) return true
    return false
  }

  /**
   * Bytes that `watches` named are about to change. Call `wrote` when they have.
   * @param wasRead nothing came between the writer's load of these bytes and its store: what has A clear in them was never cached
   */
  beforeWrite(physical: number, sizeBytes: number, wasRead: boolean): void {
    this.#sharing.noteTables()
    this.#replaced = []
    this.#lose(null)
    if (!this.#speculates) return
    const walks = this.#obtainable
    for (let vcpu = 0; vcpu < this.#vcpus; vcpu++) {
      if (!this.isOn(vcpu)) continue
      if (this.#caches) this.#noteTablesLeft(vcpu, physical, sizeBytes)
      for (const page of this.#pagesOf(vcpu)) {
        const entries = walks.of(vcpu, page)
        const written = (read: number) => overlaps(read, walks.entryBytes, physical, sizeBytes)
        const marks = (read: number) => written(read) && read >>> 0 >= physical >>> 0
        if (!walks.reads.some(written) || (wasRead && walks.reads.every((read) => !written(read) || (marks(read) && this.#bits(read) !== (P | A))))) continue
        const cached = this.#caches && walks.directory !== null && written(walks.reads[0]) && walks.isCacheable(walks.directory[0])
        // Who has cached it has set A on all levels, be it unseen.
        this.#replaced.push({ vcpu, page, entries: entries.map((entry) => entry | A), directory: cached ? walks.directory : null })
      }
    }
  }

  /** P and A of the entry at physical address `read`. */
  #bits(read: number): number {
    return this.#memory.load(this.#memory.index(read), 4) & (P | A)
  }

  /**
   * Where directory entries lead to tables that are freed, or that somebody looks for accessed bits in, it matters who has them cached still,
   * though nobody accesses a page there.
   */
  #noteTablesLeft(vcpu: number, physical: number, sizeBytes: number): void {
    const { anyJudged, anyLooked, judged } = this.#sharing
    if (!anyJudged && !anyLooked) return
    this.#obtainable.forEachTableIn(vcpu, physical, sizeBytes, (region, table) => {
      const at = this.#memory.index(table)
      const g = this.#memory.granule(at)
      if (at >= 0 && (judged[g] !== 0 || this.#sharing.isLooked(g >> 10))) this.notePage(vcpu, region)
    })
  }

  wrote(): void {
    for (const { vcpu, page, directory } of this.#replaced) {
      if (directory === null) continue
      const region = page & this.#records.regionMask(vcpu)
      this.#records.addDirectory(vcpu, region, directory[0], directory[1])
      this.#obtainable.enter(vcpu)
      this.#records.dropDirectories(vcpu, (at, low, high) => at === region && this.#obtainable.isPresentDirectory(page, low, high))
    }
    for (const { vcpu, page, entries } of this.#replaced) this.#keepStale(vcpu, page, entries)
    this.#replaced = []
  }

  // --- invalidations ----------------------------------------------------------------------------------

  /** INVLPG: the page, in whatever size it is mapped, and every directory entry. */
  invalidatePage(vcpu: number, linear: number): void {
    if (this.isOn(vcpu)) this.#invalidateOne(vcpu, linear, () => true)
  }

  /** A page fault at `linear` drops what would translate that address (SDM vol. 3A 5.10.4.1). */
  pageFault(vcpu: number, linear: number): void {
    const region = linear & this.#records.regionMask(vcpu)
    if (this.isOn(vcpu)) this.#invalidateOne(vcpu, linear, (at) => at === region)
  }

  /** Drops the translations of the page of `linear`, and the directory entries of the regions that `which` names. */
  #invalidateOne(vcpu: number, linear: number, which: (region: number) => boolean): void {
    const records = this.#records
    const mask = records.regionMask(vcpu)
    this.#lose(vcpu)
    // What walks from those directory entries could have put into the TLB stays.
    const derived = this.#speculates && records.directoryCount(vcpu) > 0 ? this.#obtainableIn(vcpu, (page) => which(page & mask)) : []
    records.dropDirectories(vcpu, which)
    records.dropPages(vcpu, (page, entry) => page === (linear & ~0xfff) || ((entry & PS) !== 0 && (page & mask) === (linear & mask)))
    for (const { page, entries } of derived) if (page !== (linear & ~0xfff)) this.#keepStale(vcpu, page, entries)
  }

  /** MOV CR3 and the like (`globalToo` false: global translations stay), CR0.PG, CR4. `r`: the registers as they are now. */
  invalidate(vcpu: number, r: Int32Array, globalToo: boolean): void {
    const records = this.#records
    this.#lose(vcpu)
    let kept: readonly Obtainable[] = []
    if (this.isOn(vcpu) && !globalToo && (r[CR4] & CR4_PGE) !== 0) {
      if (r[CR3] !== records.rootOf(vcpu)) this.#sharing.noteTables()
      if (this.#speculates) kept = this.#obtainableIn(vcpu, () => true)
    }
    records.dropDirectories(vcpu, () => true)
    records.dropPages(vcpu, (_, entry) => globalToo || !isGlobal(entry))
    records.enter(vcpu, r)
    if (!this.isOn(vcpu)) return
    for (const page of this.#pagesOf(vcpu)) this.#keepStale(vcpu, page, kept.find((one) => one.page === page)?.entries.filter(isGlobal) ?? [])
  }

  /** Registers changed what walks give (PDPTEs loaded by MOV CR0, EFER.NXE) and nothing is dropped. */
  retarget(vcpu: number, r: Int32Array): void {
    if (this.startsFrom(vcpu, r)) return
    this.#lose(vcpu)
    const before = this.isOn(vcpu) && this.#speculates ? this.#obtainableIn(vcpu, () => true) : []
    this.#records.enter(vcpu, r)
    for (const { page, entries } of before) this.#keepStale(vcpu, page, entries)
  }

  // --- caches -----------------------------------------------------------------------------------------

  /**
   * A linear page, if there is one, through which `vcpu` could use a translation now that lets its caches hold lines of the page frame at
   * `frame`; null: none. All pages that lead there matter from now on.
   */
  cachesThrough(vcpu: number, frame: number): { readonly page: number; readonly stale: boolean } | null {
    if (!this.isOn(vcpu)) return null
    const fills = (entry: number) => (entry & ~0xfff) === frame && (entry & UNCACHED) === 0
    const records = this.#records
    for (let k = records.pageCount(vcpu) - 1; k >= 0; k--) if (fills(records.entryAt(vcpu, k))) return { page: records.pageAt(vcpu, k), stale: this.#speculates }
    if (!this.#speculates) return null
    let first: number | null = null
    this.#obtainable.forEachPageTo(vcpu, frame, (page) => {
      this.notePage(vcpu, page)
      if (first === null && this.#obtainable.of(vcpu, page).some(fills)) first = page
    })
    return first === null ? null : { page: first, stale: false }
  }

  /**
   * Every page table that `vcpu` may walk through now, for accesses or ahead of them, by its physical address: it may read entries there, and
   * set bits in them.
   */
  forEachTable(vcpu: number, found: (table: number) => void): void {
    if (this.isOn(vcpu) && this.#speculates) this.#obtainable.forEachTable(vcpu, found)
  }

  /** The page directories that walks of `vcpu` begin with, by physical address. */
  forEachDirectory(vcpu: number, found: (directory: number) => void): void {
    if (this.isOn(vcpu)) this.#obtainable.forEachDirectory(vcpu, found)
  }
  /** The ways in which walks of `vcpu` come through the entry at physical address `entry` (obtainable.ts). */
  forEachWalkThrough(vcpu: number, entry: number, found: (directoryEntry: number) => void): void {
    if (this.isOn(vcpu) && this.#speculates) this.#obtainable.forEachWalkThrough(vcpu, entry, found)
  }

  get #cachesMatter(): boolean {
    return this.#sharing.uncachedLines.length > 0
  }
  /** Translations of `vcpu`, null: of all, are about to be taken away. */
  #lose(vcpu: number | null): void {
    if (!this.#cachesMatter) return
    for (let v = 0; v < this.#vcpus; v++) if (vcpu === null || v === vcpu) this.#losing(v)
  }

  #obtainableIn(vcpu: number, which: (page: number) => boolean): Obtainable[] {
    return this.#pagesOf(vcpu).filter(which).map((page) => ({ page, entries: this.#obtainable.of(vcpu, page) }))
  }

  /** Of `entries`, which walks could give before, keeps what they cannot give now; drops stale ones that they can. */
  #keepStale(vcpu: number, page: number, entries: readonly number[]): void {
    if (!this.#speculates) return
    const now = this.#obtainable.of(vcpu, page)
    this.#records.dropPages(vcpu, (at, entry) => at === page && now.some((other) => covers(other, entry)))
    for (const entry of entries) if (!now.some((other) => covers(other, entry))) this.#records.addPage(vcpu, page, entry, VIEW_BOTH)
  }

  #pagesOf(vcpu: number): readonly number[] {
    return this.#sharing.pagesOf(vcpu)
  }
}

/** Two translations lead to the same place, through the same caches. */
function leadsAlike(a: number, b: number): boolean {
  return ((a ^ b) & (~0xfff | UNCACHED)) === 0
}

/** An access through this translation needs no walk: a store does, to set D. */
function passes(entry: number, access: number): boolean {
  return (access & W) === 0 || (entry & D) !== 0
}

function overlaps(a: number, aBytes: number, b: number, bBytes: number): boolean {
  return a >>> 0 < (b >>> 0) + bBytes && b >>> 0 < (a >>> 0) + aBytes
}
