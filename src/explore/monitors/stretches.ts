/** Stretches of addresses or page numbers that somebody has marked, as ghost state. */
import type { Machine } from '../../smp/machine.ts'
import { GhostList, type RowKind } from './ghostList.ts'

export interface Stretch {
  /** From `from` to before `to`, unsigned. */
  readonly from: number
  readonly to: number
  /** Who marked it. */
  readonly vcpu: number
}

const STRETCH: RowKind<Stretch> = {
  words: 3,
  pack: ({ from, to, vcpu }) => [from, to, vcpu],
  unpack: ([from, to, vcpu]) => ({ from: from >>> 0, to: to >>> 0, vcpu }),
  compare: (a, b) => a.from - b.from,
}

export class Stretches {
  readonly #list: GhostList<Stretch>

  /** @param most at the same time; @param what they are, for the report of more of them: `stretches of memory are free` */
  constructor(machine: Machine, ghosts: number, most: number, what: string) {
    this.#list = new GhostList(machine, ghosts, STRETCH, most, what)
  }

  static ghostWords(most: number): number {
    return GhostList.ghostWords(STRETCH, most)
  }

  get isEmpty(): boolean {
    return this.#list.length === 0
  }

  /** One that so many addresses from `address` touch; null: none. */
  find(address: number, size: number): Stretch | null {
    const from = address >>> 0
    return this.first((one) => one.from < from + size && one.to > from)
  }

  first(isIt: (one: Stretch) => boolean): Stretch | null {
    return this.#list.find(isIt) ?? null
  }

  /** Adds one that touches no other. */
  add(one: Stretch): void {
    this.#list.save(one.vcpu, [...this.#list.list(), one])
  }

  /** Takes `from`..`to` out of all of them. */
  remove(vcpu: number, from: number, to: number): void {
    const left = this.#list.list().flatMap((one) => [{ ...one, to: Math.min(one.to, from) }, { ...one, from: Math.max(one.from, to) }])
    this.#list.save(vcpu, left.filter((one) => one.from < one.to))
  }
}
