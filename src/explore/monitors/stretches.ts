/** Stretches of memory that somebody has marked, as ghost state: sorted by start, so that equal sets hash alike. */
import type { Machine } from '../../smp/machine.ts'

const WORDS = 3

export interface Stretch {
  /** Physical addresses from `from` to before `to`. */
  readonly from: number
  readonly to: number
  /** Who marked it. */
  readonly vcpu: number
}

export class Stretches {
  readonly #machine: Machine
  /** Number of stretches, then each: start, end, vCPU; the rest 0. */
  readonly #ghosts: number
  readonly #most: number
  readonly #what: string

  /** @param most at the same time; @param what they are, for the report of more of them: `stretches of memory are free` */
  constructor(machine: Machine, ghosts: number, most: number, what: string) {
    this.#machine = machine
    this.#ghosts = ghosts
    this.#most = most
    this.#what = what
  }

  static ghostWords(most: number): number {
    return 1 + most * WORDS
  }

  get isEmpty(): boolean {
    return this.#machine.store.w[this.#ghosts] === 0
  }

  /** One that these bytes touch; null: none. */
  find(address: number, sizeBytes: number): Stretch | null {
    const { w } = this.#machine.store
    const from = address >>> 0
    for (let k = 0; k < w[this.#ghosts]; k++) {
      const one = this.#at(k)
      if (one.from < from + sizeBytes && one.to > from) return one
    }
    return null
  }

  /** Adds one that touches no other. */
  add(one: Stretch): void {
    this.#save(one.vcpu, [...this.#list(), one].sort((a, b) => a.from - b.from))
  }

  /** Takes `from`..`to` out of all of them. */
  remove(vcpu: number, from: number, to: number): void {
    const left = this.#list().flatMap((one) => [{ ...one, to: Math.min(one.to, from) }, { ...one, from: Math.max(one.from, to) }])
    this.#save(vcpu, left.filter((one) => one.from < one.to))
  }

  #at(k: number): Stretch {
    const { w } = this.#machine.store
    const at = this.#ghosts + 1 + k * WORDS
    return { from: w[at] >>> 0, to: w[at + 1] >>> 0, vcpu: w[at + 2] }
  }

  #list(): Stretch[] {
    return Array.from({ length: this.#machine.store.w[this.#ghosts] }, (_, k) => this.#at(k))
  }

  #save(vcpu: number, list: readonly Stretch[]): void {
    const { store } = this.#machine
    if (list.length > this.#most) return this.#machine.violate('limit', vcpu, `more than ${this.#most} ${this.#what} at once`)
    const used = Math.max(list.length, store.w[this.#ghosts])
    store.set(this.#ghosts, list.length)
    for (let k = 0; k < used; k++) {
      const words = k < list.length ? [list[k].from, list[k].to, list[k].vcpu] : [0, 0, 0]
      words.forEach((word, i) => store.set(this.#ghosts + 1 + k * WORDS + i, word))
    }
  }
}
