/**
 * Sleep sets: per node of the present execution, events that were explored there and what is independent of them since.
 *
 * How an event sleeps: no execution has to be planned in which it could come first. Where it is independent of all that is planned it may
 * still come first, or what follows may wake it. A plan wakes everything that sleeps where it begins, so that what is left
 * are executions in which it comes first; but not what sleeps
 *
 * - since the task began: another task explores what begins with it, and plans nothing here;
 * - freely: where something was tried that no plan led to (another way to go, or whatever comes after a plan).
 *
 * The entries of a node stand one after the other, those that sleep since the task began first, then others that sleep freely, then the
 * rest. A node at which nobody was woken has the entries of the one before.
 */
import { grown } from './cells.ts'
import { FORKED, processOf, type OwnReads } from './dependence.ts'
import type { Path } from './path.ts'

export class SleepSets {
  choice = new Int32Array(256)
  touched = new Int32Array(256)
  readonly own: (OwnReads | null)[] = []
  /** Entries of node d: from[d] .. to[d]; before free[d] they sleep freely. */
  from = new Int32Array(257)
  to = new Int32Array(257)
  free = new Int32Array(257)
  /** Before since[d]: since the task began. */
  #since = new Int32Array(257)
  /** Who sleeps at node d: bit v & 31 for vCPU v, and for its store buffer; and bits of what they read and write (Cells.readsOf). */
  #runs = new Int32Array(257)
  #drains = new Int32Array(257)
  #reads = new Int32Array(257)
  #writes = new Int32Array(257)
  readonly #path: Path

  constructor(path: Path) {
    this.#path = path
  }

  grow(): void {
    this.from = grown(this.from)
    this.to = grown(this.to)
    this.free = grown(this.free)
    this.#since = grown(this.#since)
    this.#runs = grown(this.#runs)
    this.#drains = grown(this.#drains)
    this.#reads = grown(this.#reads)
    this.#writes = grown(this.#writes)
  }

  /** What sleeps at the last node, which is d, began to before the task, another of which explores what begins with it. */
  begin(d: number): void {
    this.#since[d] = this.free[d] = this.to[d]
  }

  /** At the last node, which is d, something is tried that no plan led to. */
  sleepFreely(d: number): void {
    this.free[d] = this.to[d]
  }

  /** Event d, which was the last and has been taken back, sleeps at its node. */
  addBack(d: number): void {
    const { trail } = this.#path
    this.#add(d, trail.choice[d], trail.touched[d], trail.own[d])
  }

  #add(d: number, choice: number, touched: number, own: OwnReads | null): void {
    const { cells } = this.#path
    const at = this.to[d]++
    if (at === this.choice.length) {
      this.choice = grown(this.choice)
      this.touched = grown(this.touched)
    }
    this.choice[at] = choice
    this.touched[at] = touched
    this.own[at] = own
    const process = processOf(choice)
    if ((process & 1) === 0) this.#runs[d] |= 1 << (process >> 1)
    else this.#drains[d] |= 1 << (process >> 1)
    this.#reads[d] |= cells.readsOf(touched)
    this.#writes[d] |= cells.writesOf(touched)
  }

  /** Who slept before event d and is independent of it sleeps on. */
  passOn(d: number): void {
    const woken = this.#firstWoken(d)
    const to = this.to[d]
    if (woken === to) {
      this.from[d + 1] = this.from[d]
      this.to[d + 1] = to
      this.free[d + 1] = this.free[d]
      this.#since[d + 1] = this.#since[d]
      this.#runs[d + 1] = this.#runs[d]
      this.#drains[d + 1] = this.#drains[d]
      this.#reads[d + 1] = this.#reads[d]
      this.#writes[d + 1] = this.#writes[d]
      return
    }
    this.from[d + 1] = this.to[d + 1] = this.free[d + 1] = this.#since[d + 1] = to
    this.#runs[d + 1] = this.#drains[d + 1] = this.#reads[d + 1] = this.#writes[d + 1] = 0
    for (let k = this.from[d]; k < to; k++) {
      if (k === woken || (k > woken && this.#wakes(d, k))) continue
      this.#add(d + 1, this.choice[k], this.touched[k], this.own[k])
      if (k < this.free[d]) this.free[d + 1]++
      if (k < this.#since[d]) this.#since[d + 1]++
    }
  }

  /** The first sleeper that event d wakes; to[d]: it wakes none. */
  #firstWoken(d: number): number {
    const { trail, cells } = this.#path
    const to = this.to[d]
    const touched = trail.touched[d]
    const writes = cells.writesOf(touched)
    const same = ((trail.process[d] & 1) === 0 ? this.#runs[d] : this.#drains[d]) & (1 << (trail.process[d] >> 1))
    if (same === 0 && ((writes & (this.#reads[d] | this.#writes[d])) | (cells.readsOf(touched) & this.#writes[d])) === 0) return to
    let k = this.from[d]
    while (k < to && !this.#wakes(d, k)) k++
    return k
  }

  #wakes(d: number, k: number): boolean {
    const { trail, dependence } = this.#path
    if (this.#path.fault === 'no-sleep-wakeup') return processOf(this.choice[k]) === trail.process[d]
    return dependence.clash(this.choice[k], this.touched[k], this.own[k], trail.choice[d], trail.touched[d], trail.own[d], trail.drained)
  }

  /** What event x of the present execution does sleeps at node e. */
  sleepsAlike(e: number, x: number): boolean {
    const { trail } = this.#path
    const choice = trail.choice[x]
    const touched = trail.touched[x]
    for (let k = this.from[e]; k < this.to[e]; k++) if (this.choice[k] === choice && this.touched[k] === touched) return true
    return false
  }

  /** At the last node, which is d. */
  sleeps(d: number, choice: number): boolean {
    return this.#find(d, choice) < this.to[d]
  }

  sleepsSinceBegin(d: number, choice: number): boolean {
    return this.#since[d] > this.from[d] && this.#find(d, choice) < this.#since[d]
  }

  /** The choice sleeps, and others may wake it. */
  sleepsLightly(d: number, choice: number): boolean {
    const k = this.#find(d, choice)
    return k < this.to[d] && this.#path.cells.concernsOthers(this.touched[k])
  }

  /** Some choice of the process sleeps. */
  processSleeps(d: number, process: number): boolean {
    const bits = (process & 1) === 0 ? this.#runs[d] : this.#drains[d]
    if ((bits & (1 << (process >> 1))) === 0) return false
    if (this.#path.vcpus <= 32) return true
    for (let k = this.from[d]; k < this.to[d]; k++) if (processOf(this.choice[k]) === process) return true
    return false
  }

  /** The entry of a choice; to[d]: none. */
  #find(d: number, choice: number): number {
    const to = this.to[d]
    let k = this.from[d]
    while (k < to && (this.choice[k] & ~FORKED) !== choice) k++
    return k
  }
}
