/** Sleep sets: per node of the present execution, events that were explored there and what is independent of them since. */
import { grown, grownFlags } from './cells.ts'
import { FORKED, processOf, type OwnReads } from './dependence.ts'
import type { Fault } from './options.ts'
import type { Path } from './path.ts'

/**
 * How an event sleeps. No execution has to be planned in which it could come first. Where it is independent of all that is planned it may
 * still come first, or what follows may wake it. A plan wakes everything that sleeps where it begins, so that what is left
 * are executions in which it comes first; but not what sleeps
 *
 * - since the task began: another task explores what begins with it, and plans nothing here;
 * - freely: where something was tried that no plan led to (another way to go, or whatever comes after a plan).
 */
const SLEEPS_SINCE_BEGIN = 1
const SLEEPS_FREELY = 2

export class SleepSets {
  choice = new Int32Array(256)
  touched = new Int32Array(256)
  readonly own: (OwnReads | null)[] = []
  /** SLEEPS_... */
  kind = new Uint8Array(256)
  /** Entries in use. */
  count = 0
  /** Those of node d: at[d] .. at[d + 1]; of the last node: .. count. */
  at = new Int32Array(257)
  readonly #path: Path
  readonly #fault: Fault | undefined

  constructor(path: Path, fault: Fault | undefined) {
    this.#path = path
    this.#fault = fault
  }

  grow(): void {
    this.at = grown(this.at)
  }

  add(choice: number, touched: number, own: OwnReads | null, kind: number): void {
    const at = this.count++
    if (at === this.choice.length) {
      this.choice = grown(this.choice)
      this.touched = grown(this.touched)
      this.kind = grownFlags(this.kind)
    }
    this.choice[at] = choice
    this.touched[at] = touched
    this.own[at] = own
    this.kind[at] = kind
  }

  /** What sleeps at the last node began to before the task, another of which explores what begins with it. */
  begin(): void {
    this.kind.fill(SLEEPS_SINCE_BEGIN | SLEEPS_FREELY, 0, this.count)
  }

  /** At the last node, which is d, something is tried that no plan led to. */
  sleepFreely(d: number): void {
    for (let k = this.at[d]; k < this.count; k++) this.kind[k] |= SLEEPS_FREELY
  }

  /** Event d, which was the last and has been taken back, sleeps at its node. */
  addBack(d: number): void {
    const { trail } = this.#path
    this.add(trail.choice[d], trail.touched[d], trail.own[d], 0)
    this.at[d + 1] = this.count
  }

  /** Who slept before event d and is independent of it sleeps on. */
  passOn(d: number): void {
    const { trail, dependence } = this.#path
    this.at[d + 1] = this.count
    const from = this.at[d]
    const to = this.at[d + 1]
    for (let k = from; k < to; k++) {
      if (this.#fault !== 'no-sleep-wakeup') {
        if (dependence.clash(this.choice[k], this.touched[k], this.own[k], trail.choice[d], trail.touched[d], trail.own[d], trail.drained)) continue
      } else if (processOf(this.choice[k]) === trail.process[d]) continue
      this.add(this.choice[k], this.touched[k], this.own[k], this.kind[k])
    }
  }

  /** At the last node, which is d. */
  sleeps(d: number, choice: number): boolean {
    for (let k = this.at[d]; k < this.count; k++) if ((this.choice[k] & ~FORKED) === choice) return true
    return false
  }

  sleepsSinceBegin(d: number, choice: number): boolean {
    for (let k = this.at[d]; k < this.count; k++) if ((this.kind[k] & SLEEPS_SINCE_BEGIN) !== 0 && (this.choice[k] & ~FORKED) === choice) return true
    return false
  }

  /** The choice sleeps, and others may wake it. */
  sleepsLightly(d: number, choice: number): boolean {
    for (let k = this.at[d]; k < this.count; k++)
      if ((this.choice[k] & ~FORKED) === choice) return this.#path.cells.concernsOthers(this.touched[k])
    return false
  }
}
