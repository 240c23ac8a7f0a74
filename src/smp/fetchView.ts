/**
 * Stale instruction fetch: what bytes a vCPU may execute when code has been rewritten under it.
 *
 * Every write to shared code becomes a *version*; the history is the list of versions, oldest first, in the
 * order in which the stores reached memory:
 *
 * ```
 *            entry 0        entry 1        entry m-1
 * time  0 ----------- 1 ----------- 2 ... ----------- m = what memory holds
 *        old bytes 0    old bytes 1
 * ```
 *
 * Each entry has, per vCPU, a bit for each of its bytes: *passed*, this vCPU can no longer fetch what was
 * there before. Passing is monotone; a core-serialising event passes everything, using a byte of some age
 * passes what is older. A rung of the ladder is a constraint on the times at which the bytes of one instruction
 * are taken (model.ts, docs/model.md). An entry is dropped when it bears on nothing that can still be fetched: everyone has
 * passed it, and no older one that somebody has not passed changed bytes that he would fetch with its bytes; for whoever
 * has seen its bytes may not fetch with them what was replaced before. So the history holds what can still be observed.
 *
 * On a CPU with a prefetch queue (386, 486) a byte can only be older than memory when it stood in the queue as it
 * was written: within `queueBytes` ahead of EIP, without a jump between. A jump refills the queue.
 *
 * A vCPU with paging on sees its own stores where it fetches through the alias that they were made through (smcMatch=linear):
 * they stay unpassed for it, and each fetch compares.
 *
 * Entry: physical address; size in bytes (1-8, bits 0-3), writer (bits 4-9) and the alias of the page that it wrote through
 * (bits 12-31, storeBuffer.ts); old bytes in 2 words; then passed bits, 8 a vCPU, 4 vCPUs a word.
 */
import type { Store } from '../state/store.ts'
import { HISTORY_COUNT } from './layout.ts'
import type { Memory } from './memory.ts'
import type { Model } from './model.ts'
import type { Sharing } from './sharing.ts'

const INT3 = 0xcc
/** Longest instruction, in bytes (SDM vol. 2A 2.3.11). */
export const WINDOW = 15
/** More byte strings than this for one fetch are not enumerated; the verdict is then bounded. */
const VARIANTS_MAX = 1024

export function historyWords(vcpus: number, entriesMax: number): number {
  return entriesMax * entryWords(vcpus)
}
function entryWords(vcpus: number): number {
  return 4 + ((vcpus + 3) >> 2)
}

/** Length of the instruction that the first `available` bytes hold; 0: more bytes are needed. */
export type LengthOf = (bytes: Uint8Array, available: number) => number

/** Whether the byte at `physical` may stand in the prefetch queue of `vcpu`. */
export type InQueue = (vcpu: number, physical: number) => boolean

export class FetchView {
  /** Variants of the last `enumerate`, 16 bytes each: bytes, and the time of each byte. */
  readonly bytes = new Uint8Array(VARIANTS_MAX * 16)
  readonly times = new Uint8Array(VARIANTS_MAX * 16)
  readonly lengths = new Uint8Array(VARIANTS_MAX)
  count = 0
  /** Code writes that the last `use` needed to be made before; later ones it would not have noticed. */
  seen = 0
  /** The history or the variants reached their cap: some behaviours are not covered. */
  capped = false

  readonly #store: Store
  readonly #base: number
  /** Number of code writes so far, then of each entry its number among them (layout.ts); not part of the hashed state. */
  readonly #serials: number
  readonly #memory: Memory
  readonly #sharing: Sharing
  readonly #model: Model
  readonly #vcpus: number
  readonly #entry: number
  readonly #inQueue: InQueue
  /** Value of each window byte at each time, 16 a time; earliest time each byte may have. */
  readonly #versions: Uint8Array
  readonly #floor = new Uint8Array(16)
  readonly #bytes = new Uint8Array(16)
  readonly #time = new Uint8Array(16)
  readonly #physical = new Int32Array(16)
  /** Alias of the page that each window byte is fetched through. */
  readonly #alias = new Int32Array(16)

  constructor(store: Store, base: number, serials: number, memory: Memory, sharing: Sharing, model: Model, vcpus: number, inQueue: InQueue) {
    this.#store = store
    this.#base = base
    this.#serials = serials
    this.#memory = memory
    this.#sharing = sharing
    this.#model = model
    this.#vcpus = vcpus
    this.#entry = entryWords(vcpus)
    this.#inQueue = inQueue
    this.#versions = new Uint8Array((model.fetchHistory + 2) * 16)
  }

  get entries(): number {
    return this.#store.w[HISTORY_COUNT]
  }

  /**
   * Notes that `writer` is about to store `sizeBytes` at `physical`. Call before memory changes.
   * @param writer vCPU; its own view passes the write at once where the CPU compares stores with what it
   *   has fetched (Pentium and later, SDM vol. 3A 11.6)
   * @param paged the writer has paging on
   * @returns whether it may be seen stale
   */
  push(writer: number, physical: number, sizeBytes: number, low: number, high: number, alias: number, paged: boolean): boolean {
    if (this.#model.fetch.kind === 'coherent' || !this.#sharing.codeShared) return false
    const memory = this.#memory
    const at = memory.index(physical)
    let changed = 0
    let fetched = false
    for (let b = 0; b < sizeBytes; b++) {
      if (memory.u8[at + b] !== byteOf(low, high, b)) changed |= 1 << b
      if (this.#sharing.fetchers[memory.granule(at + b)] !== 0) fetched = true
    }
    if (!fetched) return false
    const seesOwn = this.#model.ownStoresSeen && !(paged && this.#model.matchesLinear)
    if (changed === 0) {
      // It sees what it has stored, though somebody else had stored the same before.
      if (seesOwn) this.#passOlder(this.entries, writer, physical, sizeBytes)
      this.#compact()
      return false
    }
    if (this.entries === this.#model.fetchHistory) {
      this.capped = true
      this.#remove(0)
    }
    const entry = this.#base + this.entries * this.#entry
    const store = this.#store
    store.set(entry, physical)
    store.set(entry + 1, sizeBytes | (writer << 4) | alias)
    store.set(entry + 2, memory.load(at, Math.min(4, sizeBytes)))
    store.set(entry + 3, sizeBytes > 4 ? memory.load(at + 4, sizeBytes - 4) : 0)
    for (let k = 4; k < this.#entry; k++) store.set(entry + k, 0)
    store.set(HISTORY_COUNT, this.entries + 1)
    store.set(this.#serials + this.entries, store.w[this.#serials])
    for (let v = 0; v < this.#vcpus; v++) {
      let passed = ~changed & 0xff
      if (v === writer && seesOwn) passed = 0xff
      else if (this.#model.queueOnly || (v === writer && this.#model.cpu.queueBytes > 0))
        for (let b = 0; b < sizeBytes; b++) if (!this.#inQueue(v, physical + b)) passed |= 1 << b
      for (let b = 0; b < sizeBytes; b++)
        if ((this.#sharing.fetchers[memory.granule(at + b)] & (1 << v)) === 0) passed |= 1 << b
      this.#pass(this.entries - 1, v, passed)
      if (v === writer && passed === 0xff) this.#passOlder(this.entries - 1, v, physical, sizeBytes)
    }
    if (this.#compact(this.entries - 1) && !this.#mayHoldBack(writer, physical, changed)) return false
    store.set(this.#serials, store.w[this.#serials] + 1)
    return true
  }

  /** Core serialisation on `vcpu`: nothing that was fetched before may be executed after. */
  serialize(vcpu: number): void {
    if (this.entries === 0) return
    for (let k = 0; k < this.entries; k++) this.#pass(k, vcpu, 0xff)
    this.#compact()
  }

  /** `vcpu` jumped: its prefetch queue is refilled, so that it sees its own stores, and everything that only the queue held back. */
  branch(vcpu: number): void {
    let changed = false
    for (let k = 0; k < this.entries; k++) {
      const own = this.#writer(k) === vcpu
      if (!own && !this.#model.queueOnly) continue
      this.#pass(k, vcpu, 0xff)
      if (own) this.#passOlder(k, vcpu, this.#store.w[this.#base + k * this.#entry], this.#store.w[this.#base + k * this.#entry + 1] & 0xf)
      changed = true
    }
    if (changed) this.#compact()
  }

  /**
   * The byte strings that `vcpu` may execute at the instruction whose bytes stand at the physical addresses
   * `physical[0 .. available)`, into `bytes`, `times`, `lengths`, `count`; number 0 is what memory holds now.
   * Of all ways to take the same bytes, the earliest is listed: it leaves the most open for later.
   */
  enumerate(vcpu: number, linear: number, physical: Int32Array, available: number, lengthOf: LengthOf): number {
    this.count = 0
    this.#physical.set(physical.subarray(0, 16))
    for (let b = 0; b < available; b++) this.#alias[b] = ((linear + b) ^ physical[b]) & ~0xfff
    const m = this.#fillVersions(vcpu, available)
    const now = m * 16
    if (m === 0 || this.#model.fetch.kind === 'coherent') {
      this.#bytes.set(this.#versions.subarray(now, now + 16))
      this.#time.fill(m)
      this.#emit(lengthOf(this.#bytes, available) || available)
      return 1
    }
    this.#extend(0, 0, m, linear, available, lengthOf)
    for (let v = 1; v < this.count; v++) if (this.#equalsNow(v, now)) this.#swap(0, v)
    return this.count
  }

  /** `vcpu` executes variant `v` of the last `enumerate`: what is older than its bytes can no longer be seen. */
  use(vcpu: number, v: number): void {
    this.seen = 0
    for (let b = 0; b < this.lengths[v]; b++) {
      const time = this.times[v * 16 + b]
      if (time > 0) this.seen = Math.max(this.seen, this.#store.w[this.#serials + time] + 1)
      for (let k = 0; k < time; k++) {
        const bit = this.#bitOf(k, this.#physical[b])
        if (bit !== 0) this.#pass(k, vcpu, bit)
      }
    }
    this.#compact()
  }

  /**
   * Rung `strict`: whether variant `v` holds a byte that was modified since `vcpu` last serialised, other
   * than by a one-byte store that places or removes an INT3.
   */
  races(vcpu: number, v: number): boolean {
    for (let k = 0; k < this.entries; k++) {
      if (this.#exempt(k)) continue
      for (let b = 0; b < this.lengths[v]; b++) {
        const bit = this.#bitOf(k, this.#physical[b])
        if (bit !== 0 && !this.#isPast(k, vcpu, bit, b)) return true
      }
    }
    return false
  }

  #extend(from: number, notBefore: number, m: number, linear: number, available: number, lengthOf: LengthOf): void {
    const end = Math.min(available, this.#chunkEnd(from, linear))
    const versions = this.#versions
    const accepted: number[] = []
    for (let t = notBefore; t <= m; t++) {
      const row = t * 16
      for (let b = from; b < end; b++) this.#bytes[b] = versions[row + b]
      const length = lengthOf(this.#bytes, end)
      const limit = length === 0 ? end : Math.min(length, end)
      if (!this.#allowed(t, from, limit)) continue
      if (accepted.some((other) => sameBytes(versions, other * 16, row, from, limit))) continue
      accepted.push(t)
      for (let b = from; b < limit; b++) this.#time[b] = t
      if (length !== 0 || end === available) this.#emit(length || available)
      else this.#extend(end, this.#model.fetch.kind === 'ordered' ? t : 0, m, linear, available, lengthOf)
    }
  }

  #chunkEnd(from: number, linear: number): number {
    const chunk = this.#model.fetch.chunkBytes
    return chunk === 0 ? WINDOW : from + chunk - ((linear + from) & (chunk - 1))
  }

  #allowed(t: number, from: number, limit: number): boolean {
    for (let b = from; b < limit; b++) if (t < this.#floor[b]) return false
    return true
  }

  #emit(length: number): void {
    if (this.count === VARIANTS_MAX) {
      this.capped = true
      return
    }
    this.bytes.set(this.#bytes, this.count * 16)
    this.times.set(this.#time, this.count * 16)
    this.lengths[this.count++] = length
  }

  #equalsNow(v: number, now: number): boolean {
    for (let b = 0; b < this.lengths[v]; b++) if (this.bytes[v * 16 + b] !== this.#versions[now + b]) return false
    return true
  }

  #swap(a: number, b: number): void {
    for (const array of [this.bytes, this.times]) {
      const kept = array.slice(a * 16, a * 16 + 16)
      array.copyWithin(a * 16, b * 16, b * 16 + 16)
      array.set(kept, b * 16)
    }
    const length = this.lengths[a]
    this.lengths[a] = this.lengths[b]
    this.lengths[b] = length
  }

  /** Fills the table of versions; returns the time that is "now", 0 where no entry touches the window. */
  #fillVersions(vcpu: number, available: number): number {
    const memory = this.#memory
    let m = this.entries
    let touched = false
    for (let b = 0; b < available; b++) {
      this.#floor[b] = 0
      let value = memory.u8[memory.index(this.#physical[b])]
      this.#versions[m * 16 + b] = value
      for (let k = m - 1; k >= 0; k--) {
        const bit = this.#bitOf(k, this.#physical[b])
        if (bit !== 0) {
          const newer = value
          value = byteOf(this.#old(k), this.#oldHigh(k), bitIndex(bit))
          // A byte that was rewritten with what it held has one version there: it keeps nobody from older times.
          if (!this.#isPast(k, vcpu, bit, b)) touched = true
          else if (value !== newer) this.#floor[b] = Math.max(this.#floor[b], k + 1)
        }
        this.#versions[k * 16 + b] = value
      }
    }
    if (!touched && m > 0) {
      // Nothing older can be seen: the present is the only version.
      this.#versions.copyWithin(0, m * 16, m * 16 + 16)
      m = 0
    }
    return m
  }

  /** Bit of the byte at `physical` in entry `k`; 0 where the entry does not touch it. */
  #bitOf(k: number, physical: number): number {
    const entry = this.#base + k * this.#entry
    const byte = (physical - this.#store.w[entry]) | 0
    return byte >= 0 && byte < (this.#store.w[entry + 1] & 0xf) ? 1 << byte : 0
  }

  #old(k: number): number {
    return this.#store.w[this.#base + k * this.#entry + 2]
  }
  #oldHigh(k: number): number {
    return this.#store.w[this.#base + k * this.#entry + 3]
  }

  #exempt(k: number): boolean {
    const entry = this.#base + k * this.#entry
    if ((this.#store.w[entry + 1] & 0xf) !== 1) return false
    if ((this.#old(k) & 0xff) === INT3) return true
    // The new value: what the next entry that touches the byte replaced, or memory.
    const physical = this.#store.w[entry]
    for (let next = k + 1; next < this.entries; next++) {
      const bit = this.#bitOf(next, physical)
      if (bit !== 0) return byteOf(this.#old(next), this.#oldHigh(next), bitIndex(bit)) === INT3
    }
    return this.#memory.u8[this.#memory.index(physical)] === INT3
  }

  #writer(k: number): number {
    return (this.#store.w[this.#base + k * this.#entry + 1] >>> 4) & 0x3f
  }

  #passed(k: number, vcpu: number): number {
    return (this.#store.w[this.#base + k * this.#entry + 4 + (vcpu >> 2)] >>> ((vcpu & 3) * 8)) & 0xff
  }

  /** `vcpu` can no longer fetch what entry `k` replaced at byte `b` of the window, whose bit in the entry is `bit`. */
  #isPast(k: number, vcpu: number, bit: number, b: number): boolean {
    if ((this.#passed(k, vcpu) & bit) !== 0) return true
    if (!this.#model.matchesLinear || this.#writer(k) !== vcpu) return false
    return (this.#store.w[this.#base + k * this.#entry + 1] & ~0xfff) === this.#alias[b]
  }

  #pass(k: number, vcpu: number, bits: number): void {
    const word = this.#base + k * this.#entry + 4 + (vcpu >> 2)
    this.#store.set(word, this.#store.w[word] | (bits << ((vcpu & 3) * 8)))
  }

  /** `vcpu` has stored these bytes: what the entries before `newest` replaced there it can no longer fetch. */
  #passOlder(newest: number, vcpu: number, physical: number, sizeBytes: number): void {
    for (let k = 0; k < newest; k++)
      for (let b = 0; b < sizeBytes; b++) {
        const bit = this.#bitOf(k, physical + b)
        if (bit !== 0) this.#pass(k, vcpu, bit)
      }
  }

  /** Drops the entries that bear on nothing that can still be fetched; true where entry `watched` was one of them. */
  #compact(watched: number = -1): boolean {
    let dropped = false
    let number = 0
    for (let k = 0; k < this.entries; number++) {
      if (this.#isOpen(k) || this.#holdsBack(k)) {
        k++
        continue
      }
      this.#remove(k)
      if (number === watched) dropped = true
    }
    return dropped
  }

  #isOpen(k: number): boolean {
    for (let v = 0; v < this.#vcpus; v++) if (this.#open(k, v) !== 0) return true
    return false
  }

  /** Bytes of entry `k` that `vcpu` may still fetch as they were before, a bit each. */
  #open(k: number, vcpu: number): number {
    return ~this.#passed(k, vcpu) & ((1 << (this.#store.w[this.#base + k * this.#entry + 1] & 0xf)) - 1)
  }

  /**
   * Whether entry `k`, which everyone has passed, still keeps a vCPU from what an older entry replaced: what that would be
   * fetched with is bytes of `k`, and no time had both.
   */
  #holdsBack(k: number): boolean {
    for (let older = 0; older < k; older++)
      for (let v = 0; v < this.#vcpus; v++) {
        const open = this.#open(older, v)
        if (open !== 0 && this.#bindsTogether(older, open, k, v)) return true
      }
    return false
  }

  /** Whether `vcpu` may fetch, tied to each other in time, a byte of entry `older` that is in `open` and one of entry `k`. */
  #bindsTogether(older: number, open: number, k: number, vcpu: number): boolean {
    const { kind, chunkBytes } = this.#model.fetch
    const w = this.#store.w
    const from = w[this.#base + older * this.#entry]
    const at = w[this.#base + k * this.#entry]
    for (let b = (w[this.#base + k * this.#entry + 1] & 0xf) - 1; b >= 0; b--) {
      const physical = at + b
      if ((this.#sharing.fetchers[this.#memory.granule(this.#memory.index(physical))] & (1 << vcpu)) === 0) continue
      for (let rest = open; rest !== 0; rest &= rest - 1) {
        const other = from + bitIndex(rest & -rest)
        // Pages that follow each other need not do so in physical memory: distances are taken within a page.
        const distance = ((physical - other) << 20) >> 20
        if (Math.abs(distance) >= WINDOW) continue
        // A later chunk keeps an earlier one from nothing, even in order.
        const apart = ((physical ^ other) & 0xfff & -chunkBytes) !== 0
        if (apart && (kind !== 'ordered' || distance > 0)) continue
        return true
      }
    }
    return false
  }

  /**
   * Whether a write of `writer` at `physical` that nobody is open to could yet hold something back, had another come before: then
   * their order matters. Bits of `changed`: its bytes.
   */
  #mayHoldBack(writer: number, physical: number, changed: number): boolean {
    const { writers, fetchers } = this.#sharing
    // Chunks of one byte: who stores to the same byte is ordered by that.
    if (this.#model.fetch.chunkBytes === 1) return false
    for (let rest = changed; rest !== 0; rest &= rest - 1) {
      const byte = physical + bitIndex(rest & -rest)
      const from = byte - WINDOW + 1
      const to = byte + WINDOW - 1
      // What follows the page, in memory that is fetched from, is not known here.
      if (from >> 12 !== to >> 12) return true
      const own = fetchers[this.#memory.granule(this.#memory.index(byte))]
      const last = this.#memory.granule(this.#memory.index(to))
      for (let g = this.#memory.granule(this.#memory.index(from)); g <= last; g++)
        if ((writers[g] & ~(1 << writer)) !== 0 && (fetchers[g] & own) !== 0) return true
    }
    return false
  }

  #remove(k: number): void {
    const store = this.#store
    const last = this.#base + (this.entries - 1) * this.#entry
    for (let at = this.#base + k * this.#entry; at < last; at++) store.set(at, store.w[at + this.#entry])
    for (let at = last; at < last + this.#entry; at++) store.set(at, 0)
    for (let j = k; j < this.entries - 1; j++) store.set(this.#serials + 1 + j, store.w[this.#serials + 2 + j])
    store.set(HISTORY_COUNT, this.entries - 1)
  }
}

function byteOf(low: number, high: number, byte: number): number {
  return byte < 4 ? (low >>> (byte * 8)) & 0xff : (high >>> ((byte - 4) * 8)) & 0xff
}

function bitIndex(bit: number): number {
  return 31 - Math.clz32(bit)
}

function sameBytes(table: Uint8Array, a: number, b: number, from: number, limit: number): boolean {
  for (let k = from; k < limit; k++) if (table[a + k] !== table[b + k]) return false
  return true
}
