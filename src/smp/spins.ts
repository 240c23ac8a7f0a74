/**
 * Loops that look in vain a bounded number of times (cpu/countedLoop.ts), taken in two steps: all turns but the last at once, then
 * the last one, in which it gives up, event by event. What lies between is no loss: a turn that changed nothing but the count can
 * as well not have been made yet, so whoever sees what it waits for after any number of turns sees it before the first,
 * or in the last. Only where somebody has seen such a loop go round, and only as long as memory is such that it
 * would go on; else its events are what they are.
 */
import { countedLoop, isInsensitive, type CountedLoop } from '../cpu/countedLoop.ts'
import type { Op } from '../cpu/decode.ts'
import { EIP } from '../cpu/registers.ts'
import type { Sharing } from './sharing.ts'

/** Turns in vain after which a loop is looked at. */
export const TURNS_SEEN = 8
/** Turns taken at once, at the most. */
export const TURNS_MAX = 1 << 16
/** Events of one turn. */
export const TURN_EVENTS_MAX = 16
const LOOKS_MAX = 4
const GENERAL_REGISTERS = 8

/** What the code is seen through: as it stands in memory, with the stack of one vCPU. */
export interface CodeView {
  opAt(eip: number): Op | null
  live(eip: number): number
}

export class Spins {
  readonly #sharing: Sharing
  /** As was known when the machine was made: a search in which more is learnt starts again. */
  readonly #counters: ReadonlyMap<number, number>
  /** By vCPU: its registers when it last came to the head of a loop. */
  readonly #seen: (Int32Array | undefined)[] = []
  readonly #looks = new Map<number, number>()

  constructor(sharing: Sharing) {
    this.#sharing = sharing
    this.#counters = new Map([...sharing.spins].filter(([, counters]) => counters > 0))
  }

  /** Some loop counts. */
  get any(): boolean {
    return this.#counters.size > 0
  }

  /** General registers, as bits, that count in the loop whose turns begin at `eip`; 0: it is none. */
  countersAt(eip: number): number {
    return this.#counters.size === 0 ? 0 : (this.#counters.get(eip) ?? 0)
  }

  /** `vcpu` has come to its place again, for the time of this number in a row, with nothing changed but registers. */
  noteTurn(vcpu: number, turns: number, registers: Int32Array, code: () => CodeView): void {
    const eip = registers[EIP] >>> 0
    if (turns < TURNS_SEEN - 1 || this.#sharing.spins.has(eip) || (this.#looks.get(eip) ?? 0) >= LOOKS_MAX) return
    const before = this.#seen[vcpu]
    this.#seen[vcpu] = registers.slice()
    if (turns < TURNS_SEEN || before === undefined || before[EIP] >>> 0 !== eip) return
    let counters = 0
    for (let k = 0; k < GENERAL_REGISTERS; k++) if (before[k] !== registers[k]) counters |= 1 << k
    const { opAt, live } = code()
    if (counters === 0 || countedLoop(eip | 0, counters, opAt, live) === null) this.#looks.set(eip, (this.#looks.get(eip) ?? 0) + 1)
    else this.#sharing.noteSpin(eip, counters)
  }

  /** An event at `from` changed something, and its vCPU has come to `to`: a loop with both in it does more than to look. */
  noteChange(from: number, to: number, opAt: (eip: number) => Op | null): void {
    for (const head of this.#counters.keys()) {
      const body = this.structureAt(head, opAt)?.body
      if (body?.has(from | 0) && body.has(to | 0)) this.#sharing.noteSpin(head, REJECTED)
    }
  }

  /** The loop at `head`, whatever is done with its registers outside; null: the code is no longer what it was. */
  structureAt(head: number, opAt: (eip: number) => Op | null): CountedLoop | null {
    let loop = this.#loops.get(head)
    if (loop === undefined) this.#loops.set(head, (loop = countedLoop(head | 0, this.#counters.get(head)!, opAt, () => 0)))
    return loop
  }
  readonly #loops = new Map<number, CountedLoop | null>()
}
const REJECTED = -1

/**
 * Whether nobody can tell, wherever the loop is left by what it read, how many turns there were: its counters went from those
 * among the registers `first` to those in `last`.
 */
export function isForgotten(loop: CountedLoop, first: Int32Array, last: Int32Array, { opAt, live }: CodeView): boolean {
  return loop.sensitive.every(({ at, register, added }) => {
    const from = (first[register] + added) | 0
    const to = (last[register] + added) | 0
    return isInsensitive(at, register, Math.min(from, to), Math.max(from, to), opAt, live)
  })
}
