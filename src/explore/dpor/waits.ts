/** Who waits at which node of the present execution (loops.ts): a vCPU that reads in vain until somebody changes what it reads. */
import { UNKNOWN } from './cells.ts'
import type { Path } from './path.ts'

export class Waits {
  /** A place was found where a vCPU waits: what was explored before took its turns for events. */
  grown = false
  readonly #path: Path
  /** Per node and vCPU: what it reads in vain there, if it waits (UNKNOWN: it does not). */
  #reads: Int32Array
  /** Places (EIP) where a vCPU has waited, for all passes. */
  readonly #places: Set<number>

  constructor(path: Path, places: Set<number>) {
    this.#path = path
    this.#places = places
    this.#reads = new Int32Array(257 * path.vcpus).fill(UNKNOWN)
  }

  /** @param nodes that there is room for from now on */
  grow(nodes: number): void {
    const reads = new Int32Array((nodes + 1) * this.#path.vcpus).fill(UNKNOWN)
    reads.set(this.#reads)
    this.#reads = reads
  }

  /** Vcpus wait at the place of the event that was taken last. */
  isPlace(): boolean {
    return this.#places.size > 0 && this.#places.has(this.#path.place())
  }

  /** `vcpu` reads in vain at node d what the cells hold. */
  add(d: number, vcpu: number): void {
    this.#reads[d * this.#path.vcpus + vcpu] = this.#path.cells.waitNumber()
    const place = this.#path.place()
    if (this.#places.has(place)) return
    this.#places.add(place)
    this.grown = true
  }

  at(d: number, vcpu: number): boolean {
    return this.#reads[d * this.#path.vcpus + vcpu] !== UNKNOWN
  }

  /** Who waits at node d. */
  list(d: number): number[] {
    const waiting: number[] = []
    for (let v = 0; v < this.#path.vcpus; v++) if (this.at(d, v)) waiting.push(v)
    return waiting
  }

  /** Who waited before event d for what it did not change waits on. */
  passOn(d: number): void {
    if (this.#places.size === 0) return
    const { trail, cells, vcpus } = this.#path
    const { act } = trail.events[d]
    const from = d * vcpus
    for (let v = 0; v < vcpus; v++) {
      const read = this.#reads[from + v]
      const goesOn = read === UNKNOWN || act.process >> 1 === v || cells.conflict(read, act.touched)
      this.#reads[from + vcpus + v] = goesOn ? UNKNOWN : read
    }
  }
}
