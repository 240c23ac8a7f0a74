/** What an event is to the reduction: who did what. Acts are values: the trail, sleep sets and wakeup trees share them. */
import { choiceKind, choiceVcpu, DRAIN } from '../../smp/choice.ts'
import type { Cells } from './cells.ts'

/** Cells of an event that read own stores, and which (-1: others'). */
export interface OwnReads {
  readonly cells: Int32Array
  /** Number of the store among those of the vCPU. */
  readonly stores: Int32Array
}

export interface Act {
  readonly choice: number
  readonly process: number
  /** cells.ts; UNKNOWN: the event has not been seen yet. */
  readonly touched: number
  readonly own: OwnReads | null
  /** Cells.readsOf and writesOf. */
  readonly reads: number
  readonly writes: number
}

/** Mark on a choice: the process could have gone another way there. */
export const FORKED = 1 << 30

/** Recent acts, a power of two. */
const RECENT = 1024

export function processOf(choice: number): number {
  return choiceVcpu(choice) * 2 + (choiceKind(choice) === DRAIN ? 1 : 0)
}

export class Acts {
  readonly #cells: Cells
  /** By hash: most events have been seen before. */
  readonly #recent: (Act | undefined)[] = Array.from({ length: RECENT })

  constructor(cells: Cells) {
    this.#cells = cells
  }

  make(choice: number, touched: number, own: OwnReads | null): Act {
    const at = Math.imul(choice ^ Math.imul(touched, 0x85ebca6b), 0x9e3779b1) >>> 22
    const known = this.#recent[at]
    if (known !== undefined && known.choice === choice && known.touched === touched && own === null) return known
    const act = { choice, process: processOf(choice), touched, own, reads: this.#cells.readsOf(touched), writes: this.#cells.writesOf(touched) }
    if (own === null) this.#recent[at] = act
    return act
  }
}
