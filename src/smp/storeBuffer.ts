/**
 * The store buffer of one vCPU, oldest entry first: FIFO (x86-TSO; Sewell et al., CACM 53(7), 2010), or, where the model
 * says so, drained in any order that keeps the order of stores to one byte and of stores on either side of an SFENCE.
 */
import type { Store } from '../state/store.ts'
import { BUFFER, BUFFER_COUNT, BUFFER_ENTRY_WORDS } from './layout.ts'

/** Size in bytes; and whether what was stored after it drains after it and all before it. */
const SIZE_MASK = 0xff
const ENDS_GROUP = 0x100
/** And whether it goes past the caches. */
export const UNCACHED_STORE = 0x200
/** And through which alias of its page it was made (Cpu.storeAlias), where that matters. */
const ALIAS_MASK = ~0xfff

export class StoreBuffer {
  readonly #store: Store
  readonly #count: number
  readonly #entries: number

  /** @param vcpu first word of the vCPU */
  constructor(store: Store, vcpu: number) {
    this.#store = store
    this.#count = vcpu + BUFFER_COUNT
    this.#entries = vcpu + BUFFER
  }

  get count(): number {
    return this.#store.w[this.#count]
  }

  address(k: number): number {
    return this.#store.w[this.#entries + k * BUFFER_ENTRY_WORDS]
  }
  size(k: number): number {
    return this.#store.w[this.#entries + k * BUFFER_ENTRY_WORDS + 1] & SIZE_MASK
  }
  alias(k: number): number {
    return this.#store.w[this.#entries + k * BUFFER_ENTRY_WORDS + 1] & ALIAS_MASK
  }
  isUncached(k: number): boolean {
    return (this.#store.w[this.#entries + k * BUFFER_ENTRY_WORDS + 1] & UNCACHED_STORE) !== 0
  }
  low(k: number): number {
    return this.#store.w[this.#entries + k * BUFFER_ENTRY_WORDS + 2]
  }
  high(k: number): number {
    return this.#store.w[this.#entries + k * BUFFER_ENTRY_WORDS + 3]
  }

  /** Appends an entry; the caller has made sure that there is room. Bytes beyond the size are cleared. @param how alias, UNCACHED_STORE */
  push(physical: number, sizeBytes: number, low: number, high: number, how: number): void {
    const at = this.#entries + this.count * BUFFER_ENTRY_WORDS
    this.#store.set(at, physical)
    this.#store.set(at + 1, sizeBytes | how)
    this.#store.set(at + 2, sizeBytes >= 4 ? low : low & ((1 << (sizeBytes * 8)) - 1))
    this.#store.set(at + 3, sizeBytes >= 8 ? high : sizeBytes <= 4 ? 0 : high & ((1 << ((sizeBytes - 4) * 8)) - 1))
    this.#store.set(this.#count, this.count + 1)
  }

  /** Later stores drain after all that are buffered now. */
  keepOrder(): void {
    if (this.count > 0) this.#endGroup(this.count - 1)
  }

  /** Entry `k` may drain before those that are older. */
  mayOvertake(k: number): boolean {
    for (let j = 0; j < k; j++) {
      const distance = (this.address(k) - this.address(j)) | 0
      if (this.#endsGroup(j) || (distance < this.size(j) && distance > -this.size(k))) return false
    }
    return true
  }

  /** Drops entry `k`. */
  remove(k: number): void {
    const store = this.#store
    const last = this.#entries + (this.count - 1) * BUFFER_ENTRY_WORDS
    if (k > 0 && this.#endsGroup(k)) this.#endGroup(k - 1)
    for (let at = this.#entries + k * BUFFER_ENTRY_WORDS; at < last; at++) store.set(at, store.w[at + BUFFER_ENTRY_WORDS])
    for (let at = last; at < last + BUFFER_ENTRY_WORDS; at++) store.set(at, 0)
    store.set(this.#count, this.count - 1)
  }

  #endsGroup(k: number): boolean {
    return (this.#store.w[this.#entries + k * BUFFER_ENTRY_WORDS + 1] & ENDS_GROUP) !== 0
  }
  #endGroup(k: number): void {
    const at = this.#entries + k * BUFFER_ENTRY_WORDS + 1
    this.#store.set(at, this.#store.w[at] | ENDS_GROUP)
  }

  /** The newest buffered value of the byte at `physical`; -1 where none is buffered. */
  byte(physical: number): number {
    for (let k = this.count - 1; k >= 0; k--) {
      const offset = (physical - this.address(k)) | 0
      if (offset < 0 || offset >= this.size(k)) continue
      return offset < 4 ? (this.low(k) >>> (offset * 8)) & 0xff : (this.high(k) >>> ((offset - 4) * 8)) & 0xff
    }
    return -1
  }

  /** The newest entry that holds the byte at `physical`; -1: none. */
  sourceOf(physical: number): number {
    for (let k = this.count - 1; k >= 0; k--) {
      const offset = (physical - this.address(k)) | 0
      if (offset >= 0 && offset < this.size(k)) return k
    }
    return -1
  }

  /** Whether any buffered store touches `physical .. physical + sizeBytes`. */
  overlaps(physical: number, sizeBytes: number): boolean {
    for (let k = 0; k < this.count; k++) {
      const distance = (physical - this.address(k)) | 0
      if (distance < this.size(k) && distance > -sizeBytes) return true
    }
    return false
  }

  /** Whether any buffered store through `alias` touches the byte at `physical`. */
  holdsThrough(physical: number, alias: number): boolean {
    for (let k = 0; k < this.count; k++) {
      const offset = (physical - this.address(k)) | 0
      if (offset >= 0 && offset < this.size(k) && this.alias(k) === alias) return true
    }
    return false
  }

  /** `memory` (1 to 4 bytes at `physical`) with the buffered bytes laid over it. */
  forward(physical: number, sizeBytes: number, memory: number): number {
    if (!this.overlaps(physical, sizeBytes)) return memory
    let value = memory
    for (let b = 0; b < sizeBytes; b++) {
      const byte = this.byte(physical + b)
      if (byte >= 0) value = (value & ~(0xff << (b * 8))) | (byte << (b * 8))
    }
    return value
  }

  /** Whether the newest entry that touches the access covers it whole (forwarding needs no merge), or none does. */
  coversOrMisses(physical: number, sizeBytes: number): boolean {
    for (let k = this.count - 1; k >= 0; k--) {
      const offset = (physical - this.address(k)) | 0
      if (offset >= this.size(k) || offset <= -sizeBytes) continue
      return offset >= 0 && offset + sizeBytes <= this.size(k)
    }
    return true
  }
}
