/** A list as ghost state: its length, then rows of `words` words each, sorted, the rest 0, so that equal lists hash alike. */
import type { Machine } from '../../smp/machine.ts'

/** How a row is written down, and what there is to say of it. */
export interface RowKind<T> {
  readonly words: number
  pack(row: T): readonly number[]
  unpack(words: Int32Array): T
  compare(a: T, b: T): number
}

export class GhostList<T> {
  readonly #machine: Machine
  readonly #ghosts: number
  readonly #kind: RowKind<T>
  readonly #most: number
  readonly #what: string

  /** @param most rows at the same time; @param what they are, for the report of more of them: `stretches of memory are free` */
  constructor(machine: Machine, ghosts: number, kind: RowKind<T>, most: number, what: string) {
    this.#machine = machine
    this.#ghosts = ghosts
    this.#kind = kind
    this.#most = most
    this.#what = what
  }

  static ghostWords(kind: RowKind<unknown>, most: number): number {
    return 1 + most * kind.words
  }

  get length(): number {
    return this.#machine.store.w[this.#ghosts]
  }

  at(k: number): T {
    const { words } = this.#kind
    const at = this.#ghosts + 1 + k * words
    return this.#kind.unpack(this.#machine.store.w.subarray(at, at + words))
  }

  list(): T[] {
    return Array.from({ length: this.length }, (_, k) => this.at(k))
  }

  find(isIt: (row: T) => boolean): T | undefined {
    for (let k = 0; k < this.length; k++) {
      const row = this.at(k)
      if (isIt(row)) return row
    }
    return undefined
  }

  /** @param vcpu who is to blame where there are too many */
  save(vcpu: number, rows: readonly T[]): void {
    const { store } = this.#machine
    const { words } = this.#kind
    if (rows.length > this.#most) return this.#machine.violate('limit', vcpu, `more than ${this.#most} ${this.#what} at once`)
    const sorted = [...rows].sort((a, b) => this.#kind.compare(a, b))
    const used = Math.max(rows.length, this.length)
    store.set(this.#ghosts, rows.length)
    for (let k = 0; k < used; k++) {
      const packed = k < sorted.length ? this.#kind.pack(sorted[k]) : null
      for (let i = 0; i < words; i++) store.set(this.#ghosts + 1 + k * words + i, packed === null ? 0 : packed[i])
    }
  }
}
