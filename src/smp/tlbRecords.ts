/**
 * What a vCPU's translation caches hold *beside* what walks give now, as words of the state (translations.ts):
 *
 * ```
 * context      MODE ROOT PDPTE x 4 PAT      what the walks of this vCPU start from
 * pages        page | views, translation    stale translations, sorted
 * directories  region, entry low, high      stale directory entries in the paging-structure cache, sorted
 * ```
 *
 * Sorted, without what another record covers, and unused words 0: equal sets are equal states.
 */
import { A, D, G, NO_FETCH, P, PS, U, UNCACHED, W } from '../cpu/paging.ts'
import { CR0, CR0_PG, CR3, CR4, CR4_PAE, CR4_PGE, CR4_PSE, EFER_NXE, MSR_EFER, MSR_PAT_HI, MSR_PAT_LO, PDPTE } from '../cpu/registers.ts'
import type { Store } from '../state/store.ts'

/** Words of a vCPU. MODE: CR0.PG, CR4.PSE, PAE, PGE and EFER.NXE, each at its own bit; they do not collide. */
const MODE = 0
const ROOT = 1
const PDPTES = 2
const PAT = 10
const PAGE_COUNT = 12
const DIRECTORY_COUNT = 13
const PAGES = 14
const PAGE_WORDS = 2
const DIRECTORY_WORDS = 3
const MODE_CR4 = CR4_PSE | CR4_PAE | CR4_PGE

/** Views of a page record: through which of the two TLBs it can be used. */
export const VIEW_FETCH = 1
export const VIEW_DATA = 2
export const VIEW_BOTH = 3

/** Result of a walk that makes two translations differ, apart from A, D and G. */
const SAME = ~0xfff | W | U | NO_FETCH | UNCACHED | PS
/** Bits of a directory entry that matter to who has it cached. */
const SAME_DIRECTORY = ~0xfff | P | W | U | PS

export interface PageRecord {
  /** Linear. */
  readonly page: number
  /** A translation (cpu/paging.ts). */
  readonly entry: number
  readonly views: number
}

export class TlbRecords {
  /** There was no room for a record. */
  capped = false
  readonly #store: Store
  readonly #base: number
  /** Records of each kind that a vCPU has room for. */
  readonly #most: number

  constructor(store: Store, base: number, most: number) {
    this.#store = store
    this.#base = base
    this.#most = most
  }

  static words(most: number): number {
    return PAGES + most * (PAGE_WORDS + DIRECTORY_WORDS)
  }

  // --- context ----------------------------------------------------------------------------------------

  isOn(vcpu: number): boolean {
    return (this.#store.w[this.#at(vcpu) + MODE] & CR0_PG) !== 0
  }
  isPae(vcpu: number): boolean {
    return (this.#store.w[this.#at(vcpu) + MODE] & CR4_PAE) !== 0
  }
  rootOf(vcpu: number): number {
    return this.#store.w[this.#at(vcpu) + ROOT]
  }
  /** What a directory entry covers: linear addresses that agree in these bits. */
  regionMask(vcpu: number): number {
    return this.isPae(vcpu) ? ~0x1fffff : ~0x3fffff
  }

  /** The walks of `vcpu` start from these registers. */
  startsFrom(vcpu: number, r: Int32Array): boolean {
    const { w } = this.#store
    const at = this.#at(vcpu)
    if (w[at + MODE] !== modeOf(r) || w[at + ROOT] !== r[CR3] || w[at + PAT] !== r[MSR_PAT_LO] || w[at + PAT + 1] !== r[MSR_PAT_HI]) return false
    if ((r[CR4] & CR4_PAE) === 0) return true
    for (let k = 0; k < 8; k++) if (w[at + PDPTES + k] !== r[PDPTE + k]) return false
    return true
  }

  /** From now on they do. */
  enter(vcpu: number, r: Int32Array): void {
    const store = this.#store
    const at = this.#at(vcpu)
    const on = (r[CR0] & CR0_PG) !== 0
    store.set(at + MODE, on ? modeOf(r) : 0)
    store.set(at + ROOT, on ? r[CR3] : 0)
    store.set(at + PAT, on ? r[MSR_PAT_LO] : 0)
    store.set(at + PAT + 1, on ? r[MSR_PAT_HI] : 0)
    for (let k = 0; k < 8; k++) store.set(at + PDPTES + k, on && (r[CR4] & CR4_PAE) !== 0 ? r[PDPTE + k] : 0)
  }

  /** Fills in what walks look at of the registers `r`. */
  loadContext(vcpu: number, r: Int32Array): void {
    const { w } = this.#store
    const at = this.#at(vcpu)
    r[CR0] = w[at + MODE] & CR0_PG
    r[CR4] = w[at + MODE] & MODE_CR4
    r[MSR_EFER] = w[at + MODE] & EFER_NXE
    r[CR3] = w[at + ROOT]
    r[MSR_PAT_LO] = w[at + PAT]
    r[MSR_PAT_HI] = w[at + PAT + 1]
    for (let k = 0; k < 8; k++) r[PDPTE + k] = w[at + PDPTES + k]
  }

  // --- pages ------------------------------------------------------------------------------------------

  pageCount(vcpu: number): number {
    return this.#store.w[this.#at(vcpu) + PAGE_COUNT]
  }
  pageAt(vcpu: number, k: number): number {
    return this.#store.w[this.#page(vcpu, k)] & ~0xfff
  }
  viewsAt(vcpu: number, k: number): number {
    return this.#store.w[this.#page(vcpu, k)] & VIEW_BOTH
  }
  entryAt(vcpu: number, k: number): number {
    return this.#store.w[this.#page(vcpu, k) + 1]
  }

  addPage(vcpu: number, page: number, entry: number, views: number): void {
    const store = this.#store
    const { w } = store
    for (let k = this.pageCount(vcpu) - 1; k >= 0; k--) {
      if (this.pageAt(vcpu, k) !== page) continue
      const theirs = this.viewsAt(vcpu, k)
      const other = this.entryAt(vcpu, k)
      if (other === entry) {
        views |= theirs
        this.#removePage(vcpu, k)
      } else if ((views & ~theirs) === 0 && covers(other, entry)) return
      else if ((theirs & ~views) === 0 && covers(entry, other)) this.#removePage(vcpu, k)
    }
    const count = this.pageCount(vcpu)
    if (count === this.#most) {
      this.capped = true
      return
    }
    let place = 0
    while (place < count && before(this.pageAt(vcpu, place), this.entryAt(vcpu, place), page, entry)) place++
    const pages = this.#page(vcpu, 0)
    for (let k = count * PAGE_WORDS - 1; k >= place * PAGE_WORDS; k--) store.set(pages + k + PAGE_WORDS, w[pages + k])
    store.set(this.#page(vcpu, place), page | views)
    store.set(this.#page(vcpu, place) + 1, entry)
    store.set(this.#at(vcpu) + PAGE_COUNT, count + 1)
  }

  dropPages(vcpu: number, which: (page: number, entry: number) => boolean): void {
    for (let k = this.pageCount(vcpu) - 1; k >= 0; k--) if (which(this.pageAt(vcpu, k), this.entryAt(vcpu, k))) this.#removePage(vcpu, k)
  }

  /** Whether `keepOnly` would take something away. */
  wouldLose(vcpu: number, page: number, entry: number, views: number, alike: (other: number) => boolean): boolean {
    for (let k = this.pageCount(vcpu) - 1; k >= 0; k--) if (this.#isOther(vcpu, k, page, entry, alike) && (this.viewsAt(vcpu, k) & views) !== 0) return true
    return false
  }

  /**
   * Of the translations of `page` by pages of the size of `entry`, only that one can still be used through `views`, and those that are `alike`: it
   * may be one of them. One of another size may stand beside it, and either be used (SDM vol. 3A 5.10.2.3).
   */
  keepOnly(vcpu: number, page: number, entry: number, views: number, alike: (other: number) => boolean): void {
    for (let k = this.pageCount(vcpu) - 1; k >= 0; k--) {
      if (!this.#isOther(vcpu, k, page, entry, alike)) continue
      const record = this.#page(vcpu, k)
      this.#store.set(record, this.#store.w[record] & ~views)
      if (this.viewsAt(vcpu, k) === 0) this.#removePage(vcpu, k)
    }
  }

  /** Record `k` is another translation of `page`, by a page of the size of `entry`, and not `alike`. */
  #isOther(vcpu: number, k: number, page: number, entry: number, alike: (other: number) => boolean): boolean {
    const other = this.entryAt(vcpu, k)
    return this.pageAt(vcpu, k) === page && other !== entry && ((other ^ entry) & PS) === 0 && !alike(other)
  }

  #removePage(vcpu: number, k: number): void {
    const count = this.pageCount(vcpu)
    this.#remove(this.#page(vcpu, k), this.#page(vcpu, count), PAGE_WORDS)
    this.#store.set(this.#at(vcpu) + PAGE_COUNT, count - 1)
  }

  // --- directory entries ------------------------------------------------------------------------------

  directoryCount(vcpu: number): number {
    return this.#store.w[this.#at(vcpu) + DIRECTORY_COUNT]
  }
  regionAt(vcpu: number, k: number): number {
    return this.#store.w[this.#directory(vcpu, k)]
  }
  lowAt(vcpu: number, k: number): number {
    return this.#store.w[this.#directory(vcpu, k) + 1]
  }
  highAt(vcpu: number, k: number): number {
    return this.#store.w[this.#directory(vcpu, k) + 2]
  }

  addDirectory(vcpu: number, region: number, low: number, high: number): void {
    const store = this.#store
    const { w } = store
    const count = this.directoryCount(vcpu)
    const entry = (low & SAME_DIRECTORY) | A
    let place = 0
    for (; place < count; place++) {
      if (this.regionAt(vcpu, place) === region && this.lowAt(vcpu, place) === entry && this.highAt(vcpu, place) === high) return
      if (!before(this.regionAt(vcpu, place), this.lowAt(vcpu, place), region, entry)) break
    }
    if (count === this.#most) {
      this.capped = true
      return
    }
    for (let k = count; k > place; k--)
      for (let j = 0; j < DIRECTORY_WORDS; j++) store.set(this.#directory(vcpu, k) + j, w[this.#directory(vcpu, k - 1) + j])
    const record = this.#directory(vcpu, place)
    store.set(record, region)
    store.set(record + 1, entry)
    store.set(record + 2, high)
    store.set(this.#at(vcpu) + DIRECTORY_COUNT, count + 1)
  }

  dropDirectories(vcpu: number, which: (region: number, low: number, high: number) => boolean): void {
    for (let k = this.directoryCount(vcpu) - 1; k >= 0; k--) {
      if (!which(this.regionAt(vcpu, k), this.lowAt(vcpu, k), this.highAt(vcpu, k))) continue
      const count = this.directoryCount(vcpu)
      this.#remove(this.#directory(vcpu, k), this.#directory(vcpu, count), DIRECTORY_WORDS)
      this.#store.set(this.#at(vcpu) + DIRECTORY_COUNT, count - 1)
    }
  }

  // --- places -----------------------------------------------------------------------------------------

  #at(vcpu: number): number {
    return this.#base + vcpu * TlbRecords.words(this.#most)
  }
  #page(vcpu: number, k: number): number {
    return this.#at(vcpu) + PAGES + k * PAGE_WORDS
  }
  #directory(vcpu: number, k: number): number {
    return this.#at(vcpu) + PAGES + this.#most * PAGE_WORDS + k * DIRECTORY_WORDS
  }

  /** Closes the gap of the record at `record` in the list that ends at `end`. */
  #remove(record: number, end: number, words: number): void {
    const store = this.#store
    for (let at = record; at < end - words; at++) store.set(at, store.w[at + words])
    for (let at = end - words; at < end; at++) store.set(at, 0)
  }
}

function modeOf(r: Int32Array): number {
  return (r[CR0] & CR0_PG) | (r[CR4] & MODE_CR4) | (r[MSR_EFER] & EFER_NXE)
}

/**
 * Whoever may use translation `a` gains nothing from `b`: they lead to the same place, `a` needs no walk where `b` needs
 * none, and it lasts as long: a large page is dropped with other addresses, a small one with the use of another small one.
 */
export function covers(a: number, b: number): boolean {
  return ((a ^ b) & SAME) === 0 && (b & ~a & (A | D | G)) === 0
}

/** Two directory entries, low words and high words, that walks cannot tell apart but for their A bit. */
export function sameDirectory(aLow: number, aHigh: number, bLow: number, bHigh: number): boolean {
  return ((aLow ^ bLow) & SAME_DIRECTORY) === 0 && aHigh === bHigh
}

export function isGlobal(translation: number): boolean {
  return (translation & G) !== 0
}

function before(page: number, entry: number, otherPage: number, otherEntry: number): boolean {
  return page === otherPage ? entry >>> 0 < otherEntry >>> 0 : page >>> 0 < otherPage >>> 0
}
