/** Which events, both possible in one state, do not commute there. */
import type { Act, OwnReads } from './act.ts'
import type { Cells } from './cells.ts'
import type { Fault } from './options.ts'

export class Dependence {
  readonly #cells: Cells
  readonly #fault: Fault | undefined

  constructor(cells: Cells, fault: Fault | undefined) {
    this.#cells = cells
    this.#fault = fault
  }

  /** Whether two events that are possible in one state are dependent there. @param drained stores by vCPU */
  clash(a: Act, b: Act, drained: Int32Array): boolean {
    if (a.process >> 1 === b.process >> 1) return this.#clashOfOne(a, b)
    if (((a.writes & (b.reads | b.writes)) | (a.reads & b.writes)) === 0) return false
    if (a.own === null && b.own === null) return this.#cells.conflict(a.touched, b.touched)
    return this.#dependent(a.touched, a.own, a.process >> 1, b.touched, b.own, b.process >> 1, drained)
  }

  /** As that, of one vCPU and its buffer. */
  #clashOfOne(a: Act, b: Act): boolean {
    if (a.process === b.process) return true
    if (this.#fault === 'no-walk-drains') return false
    return (a.process & 1) === 1 ? this.#cells.ownConflict(b.touched, a.touched) : this.#cells.ownConflict(a.touched, b.touched)
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
