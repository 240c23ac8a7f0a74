/**
 * What buses have in common that carry out every access at once: stores are in memory when they are done, code is fetched from memory as it
 * is, translations are not cached, so there is nothing to wait for or to forget.
 */
import { NOT_CACHED } from '../cpu/paging.ts'

export abstract class ImmediateBus {
  locked = false
  high = 0
  low = 0

  abstract read32(physical: number): number
  abstract read64(physical: number): number
  /** Sets bits of a paging-structure entry. */
  abstract walkOr(physical: number, bits: number): void

  walk32(physical: number): number {
    return this.read32(physical)
  }
  walk64(physical: number): number {
    return this.read64(physical)
  }
  walkMark(physical: number, bits: number): boolean {
    this.walkOr(physical, bits)
    return true
  }

  fence(): void {}
  orderStores(): void {}
  serialize(): void {}
  branch(): void {}
  lookup(): number {
    return NOT_CACHED
  }
  fill(): void {}
  gateInvalidation(): void {}
  invalidatePage(_linear: number): void {}
  invalidateTlb(): void {}
  retarget(): void {}
  flushCaches(): void {}
  flushLine(): void {}

  hypercall(): boolean {
    return false
  }
}
