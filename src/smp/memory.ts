/**
 * Guest-physical memory: sparse 4 KB pages inside the store's words. An access never crosses a page
 * (cpu/bus.ts), so one look-up serves it.
 */
import type { Store } from '../state/store.ts'
import type { Region } from './image.ts'
import type { StepMemo } from './stepMemo.ts'

export const PAGE_BYTES = 4096
const DIRECTORY_PAGES = 1024

/** What changes memory: a store; an update by a page walk, which changes no translation; an access that has read, at once, what it replaces. */
export const BY_STORE = 0
export const BY_WALKER = 1
export const BY_LOCKED = 2

/** Stands for every stretch of 4 MB in which nothing is mapped. */
const EMPTY = new Int32Array(DIRECTORY_PAGES)

/** The page table of an image, in two levels as the i386 has it: computed once, shared by the machines that run it. */
export class PageMap {
  /** By directory and page: offset in bytes from the start of memory, plus the access bits (image.ts), plus 8; 0: unmapped. */
  readonly #entries: Int32Array[] = new Array<Int32Array>(DIRECTORY_PAGES).fill(EMPTY)
  readonly sizeBytes: number

  constructor(regions: readonly Region[]) {
    let next = 0
    for (const region of regions) {
      for (let page = region.start >>> 12; page < (region.start + region.sizeBytes) / PAGE_BYTES; page++) {
        const directory = page >>> 10
        if (this.#entries[directory] === EMPTY) this.#entries[directory] = new Int32Array(DIRECTORY_PAGES)
        const table = this.#entries[directory]
        if (table[page & 1023] === 0) {
          table[page & 1023] = next | MAPPED
          next += PAGE_BYTES
        }
        table[page & 1023] |= region.access
      }
    }
    this.sizeBytes = next
  }

  /** Offset of physical address `address` from the start of memory; -1: nothing is mapped there. */
  find(address: number): number {
    const entry = this.#entries[address >>> 22][(address >>> 12) & 1023]
    return entry === 0 ? -1 : (entry & ~(PAGE_BYTES - 1)) + (address & (PAGE_BYTES - 1))
  }

  /** Access bits of the page of `address`; 0: nothing is mapped there. */
  access(address: number): number {
    return this.#entries[address >>> 22][(address >>> 12) & 1023] & ~MAPPED & (PAGE_BYTES - 1)
  }
}
const MAPPED = 8

export class Memory {
  readonly map: PageMap
  /** The same bytes as the store's words. */
  readonly u8: Uint8Array
  /** Notes which words a step depends on. */
  memo: StepMemo | null = null
  /** Index in `u8` of the first byte of the first page. */
  readonly firstByte: number
  readonly #store: Store

  /** @param base first word of memory in the store */
  constructor(store: Store, base: number, map: PageMap, regions: readonly Region[]) {
    this.#store = store
    this.firstByte = base * 4
    this.map = map
    this.u8 = new Uint8Array(store.w.buffer)
    for (const region of regions)
      for (let at = 0; at < region.bytes.length; at += PAGE_BYTES)
        this.u8.set(region.bytes.subarray(at, at + PAGE_BYTES), this.index(region.start + at))
  }

  /** Byte index in the store of a physical address; negative where nothing is mapped. */
  index(physical: number): number {
    const offset = this.map.find(physical)
    return offset < 0 ? -1 : this.firstByte + offset
  }

  /** Index of the dword granule that holds byte `index`, counted from the start of memory. */
  granule(index: number): number {
    return (index - this.firstByte) >> 2
  }

  allows(physical: number, access: number): boolean {
    return (this.map.access(physical) & access) !== 0
  }

  /** The step depends on the `sizeBytes` at byte index `at`. */
  note(at: number, sizeBytes: number): void {
    if (this.memo !== null && this.memo.recording) this.memo.noteWords(at >> 2, (at + sizeBytes - 1) >> 2)
  }

  /** Little-endian load of 1 to 4 bytes at byte index `at`. */
  load(at: number, sizeBytes: number): number {
    this.note(at, sizeBytes)
    const u8 = this.u8
    switch (sizeBytes) {
      case 4:
        return u8[at] | (u8[at + 1] << 8) | (u8[at + 2] << 16) | (u8[at + 3] << 24)
      case 1:
        return u8[at]
      case 2:
        return u8[at] | (u8[at + 1] << 8)
      default:
        return u8[at] | (u8[at + 1] << 8) | (u8[at + 2] << 16)
    }
  }

  /** Whether the 1 to 8 bytes at byte index `at` are these already. */
  holds(at: number, sizeBytes: number, low: number, high: number): boolean {
    this.note(at, sizeBytes)
    for (let b = 0; b < sizeBytes; b++) if (this.u8[at + b] !== (((b < 4 ? low : high) >>> ((b & 3) * 8)) & 0xff)) return false
    return true
  }

  /** Store of 1 to 8 bytes at byte index `at`, through the store's setter. */
  store(at: number, sizeBytes: number, low: number, high: number): void {
    this.note(at, sizeBytes)
    const store = this.#store
    for (let done = 0; done < sizeBytes; ) {
      const word = (at + done) >> 2
      const shift = (at + done) & 3
      const count = Math.min(4 - shift, sizeBytes - done)
      const value = done === 0 ? low : done < 4 ? (low >>> (done * 8)) | (high << (32 - done * 8)) : high >>> ((done - 4) * 8)
      if (count === 4) store.set(word, value)
      else {
        const mask = ((1 << (count * 8)) - 1) << (shift * 8)
        store.set(word, (store.w[word] & ~mask) | ((value << (shift * 8)) & mask))
      }
      done += count
    }
  }
}
