/**
 * What a step touched that other actors can see: the dynamic footprint from which partial-order reduction
 * derives dependence. Rows of four words, in the order of the accesses:
 *
 * ```
 * kind | physical address, or number of a resource | size in bytes | source
 * ```
 *
 * `source`, of a FP_READ: index of the own store buffer entry that it was forwarded from, -1: memory.
 */
import type { StoreBuffer } from './storeBuffer.ts'

/** Data load: sees the own store buffer. */
export const FP_READ = 0
export const FP_WRITE = 1
/** Page walk or fetch: sees memory only, so that own drains matter to it. */
export const FP_MEMORY_READ = 2
/** A resource that is no memory is read, or changed. */
export const FP_RESOURCE_READ = 3
export const FP_RESOURCE_WRITE = 4
/** What follows on this vCPU needs the stores before to have drained. */
export const FP_FENCE = 5
/** As FP_READ, of memory, where a load that an own store overlaps in part waits until it has drained: own drains matter to it. */
export const FP_WAITING_READ = 6
/** Fetch that waits for own stores to the same bytes; otherwise it is a FP_MEMORY_READ. */
export const FP_FETCH = 7
/** As FP_FETCH, of bytes that may be stale: stores of others matter to it by FP_CODE_SEEN alone. */
export const FP_STALE_FETCH = 8
/**
 * A fetch has used what the first so many code writes (`address`) of the running phase made; later ones it does not know of. `size` 1: it
 * was stale, other than what memory held.
 */
export const FP_CODE_SEEN = 9

/** As FP_STALE_FETCH, where own stores lag as those of others do. */
export const FP_LAGGING_FETCH = 10

/** Had memory held something else, the event would have touched more: a compare that failed would have written. */
export const FP_VARIES = 11

/** A resource (the translations of a vCPU) is updated, by no event of its own: it does not stand before or after a fence. */
export const FP_TRANSLATING = 12

export const FP_WORDS = 4

/**
 * Resources: the history of code writes, the ghost state that marks feed, then of each vCPU: pending interrupts and kicks; its
 * translations.
 */
export const RESOURCE_HISTORY = 0
export const RESOURCE_MARKS = 1
const RESOURCES_BEFORE = 2
const RESOURCES_A_VCPU = 2
export const pendingOf = (vcpu: number): number => RESOURCES_BEFORE + vcpu * RESOURCES_A_VCPU
export const translationsOf = (vcpu: number): number => pendingOf(vcpu) + 1
export const resourceCount = (vcpus: number): number => pendingOf(vcpus)

export class Footprint {
  words = new Int32Array(64)
  /** Words used. */
  length = 0

  clear(): void {
    this.length = 0
  }

  add(kind: number, address: number, sizeBytes: number, source: number = -1): void {
    if (this.length === this.words.length) {
      const words = new Int32Array(this.words.length * 2)
      words.set(this.words)
      this.words = words
    }
    const at = this.length
    this.words[at] = kind
    this.words[at + 1] = address
    this.words[at + 2] = sizeBytes
    this.words[at + 3] = source
    this.length = at + FP_WORDS
  }

  /** A resource is read, and changed by what it was: own stores that drain commute with that no more than others' events do. */
  addUpdate(resource: number): void {
    this.add(FP_RESOURCE_READ, resource, 0)
    this.add(FP_RESOURCE_WRITE, resource, 0)
  }

  /** Takes over `count` words of rows. */
  load(from: Int32Array, at: number, count: number): void {
    if (count > this.words.length) this.words = new Int32Array(count * 2)
    for (let k = 0; k < count; k++) this.words[k] = from[at + k]
    this.length = count
  }

  /** Shared data was loaded. */
  hasLoads(): boolean {
    for (let at = 0; at < this.length; at += FP_WORDS) if (this.words[at] === FP_READ || this.words[at] === FP_WAITING_READ) return true
    return false
  }

  /** Nothing was done but loads of shared data from memory. */
  isLoadsOnly(): boolean {
    for (let at = 0; at < this.length; at += FP_WORDS) if (this.words[at] !== FP_READ || this.words[at + 3] >= 0) return false
    return true
  }

  /** A data load; a row for each run of bytes that come from one place. @param waits for own stores that it overlaps in part */
  addLoad(buffer: StoreBuffer, physical: number, sizeBytes: number, waits: boolean): void {
    const ofMemory = waits ? FP_WAITING_READ : FP_READ
    if (!buffer.overlaps(physical, sizeBytes)) return this.add(ofMemory, physical, sizeBytes)
    let from = 0
    let source = buffer.sourceOf(physical)
    for (let b = 1; b <= sizeBytes; b++) {
      const next = b < sizeBytes ? buffer.sourceOf(physical + b) : -2
      if (next === source) continue
      this.add(source < 0 ? ofMemory : FP_READ, physical + from, b - from, source)
      from = b
      source = next
    }
  }
}
