/** Which events, both possible in one state, do not commute there. */
import { choiceKind, choiceVcpu, DRAIN } from '../../smp/choice.ts'
import type { Cells } from './cells.ts'
import type { Fault } from './options.ts'

/** Cells of an event that read own stores, and which (-1: others'). */
export interface OwnReads {
  readonly cells: Int32Array
  /** Number of the store among those of the vCPU. */
  readonly stores: Int32Array
}

export function processOf(choice: number): number {
  return choiceVcpu(choice) * 2 + (choiceKind(choice) === DRAIN ? 1 : 0)
}

/** Mark on a choice: the process could have gone another way there. */
export const FORKED = 1 << 30

export class Dependence {
  readonly #cells: Cells
  readonly #fault: Fault | undefined

  constructor(cells: Cells, fault: Fault | undefined) {
    this.#cells = cells
    this.#fault = fault
  }

  /** Whether two events (choice, cells.ts, own stores that they read) that are possible in one state are dependent there. @param drained stores by vCPU */
  clash(a: number, aTouched: number, aOwn: OwnReads | null, b: number, bTouched: number, bOwn: OwnReads | null, drained: Int32Array): boolean {
    const aVcpu = choiceVcpu(a)
    const bVcpu = choiceVcpu(b)
    if (aVcpu === bVcpu) {
      const aDrain = choiceKind(a) === DRAIN
      const bDrain = choiceKind(b) === DRAIN
      if (aDrain === bDrain) return true
      if (this.#fault === 'no-walk-drains') return false
      return aDrain ? this.#cells.ownConflict(bTouched, aTouched) : this.#cells.ownConflict(aTouched, bTouched)
    }
    if (aOwn === null && bOwn === null) return this.#cells.conflict(aTouched, bTouched)
    return this.#dependent(aTouched, aOwn, aVcpu, bTouched, bOwn, bVcpu, drained)
  }

  /** As that, of different vCPUs. */
  #dependent(a: number, aOwn: OwnReads | null, aVcpu: number, b: number, bOwn: OwnReads | null, bVcpu: number, drained: Int32Array): boolean {
    if (!this.#cells.conflict(a, b)) return false
    if (aOwn === null && bOwn === null) return true
    if (aOwn !== null) {
      for (let k = 0; k < aOwn.cells.length; k++)
        if (aOwn.stores[k] < drained[aVcpu] && this.#dependent(aOwn.cells[k], null, aVcpu, b, bOwn, bVcpu, drained)) return true
      return false
    }
    return this.#dependent(b, bOwn, bVcpu, a, aOwn, aVcpu, drained)
  }
}
