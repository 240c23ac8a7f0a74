/**
 * Which conflicting accesses were seen in which order: how much of the interleaving a search that proves nothing has tried. A
 * party is a vCPU's access to a granule (read or written, by it or by its store buffer); two parties of different vCPUs
 * conflict when one writes, and a pair is covered when each has come right before the other.
 */
const PAIRS_MAX = 20_000
/** Orders that were seen lately, a power of two. */
const LATELY = 1024

export interface OrdersSeen {
  /** Conflicting pairs, and how many of them were seen in both orders. */
  readonly pairs: number
  readonly both: number
}

export class Orders {
  pairs = 0
  both = 0
  readonly #after = new Map<number, Set<number>>()

  /** Rows of four words, [process, cell] twice. */
  readonly #lately = new Int32Array(LATELY * 4).fill(-1)

  /** @param process dpor/trail.ts; @param cell dpor/cells.ts, at most 31 bits */
  static party(process: number, cell: number): number {
    return process * 2 ** 31 + cell
  }

  /** As `note`, of party `a`, `aCell` and party `b`, `bCell`; fast where they were noted lately. */
  noteAccesses(a: number, aCell: number, b: number, bCell: number): void {
    const lately = this.#lately
    const hash = Math.imul(aCell, 0x9e3779b1) ^ Math.imul(bCell, 0x85ebca6b) ^ Math.imul(a * 512 + b, 0xc2b2ae35)
    const at = ((hash >>> 16) & (LATELY - 1)) * 4
    if (lately[at] === a && lately[at + 1] === aCell && lately[at + 2] === b && lately[at + 3] === bCell) return
    lately[at] = a
    lately[at + 1] = aCell
    lately[at + 2] = b
    lately[at + 3] = bCell
    this.note(Orders.party(a, aCell), Orders.party(b, bCell))
  }

  /** Party `a` came right before party `b`. */
  note(a: number, b: number): void {
    let after = this.#after.get(a)
    if (after === undefined) this.#after.set(a, (after = new Set()))
    if (after.has(b) || this.pairs >= PAIRS_MAX) return
    after.add(b)
    if (this.#after.get(b)?.has(a) === true) this.both++
    else this.pairs++
  }

  /** First and second of every order seen, alternating. */
  list(): number[] {
    return [...this.#after].flatMap(([a, after]) => [...after].flatMap((b) => [a, b]))
  }

  addAll(list: readonly number[]): void {
    for (let k = 0; k + 1 < list.length; k += 2) this.note(list[k], list[k + 1])
  }
}
