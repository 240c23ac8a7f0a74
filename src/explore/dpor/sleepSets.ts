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
import { FORKED, type Act } from './act.ts'
import type { Path } from './path.ts'

/** Who sleeps at a node. */
interface Sleepers {
  /** Its entries: from .. to. Before `free` they sleep freely; before `since`: since the task began. */
  from: number
  to: number
  free: number
  since: number
  /** Bit v & 31 for vCPU v, and for its store buffer; and bits of what they read and write (Cells.readsOf). */
  runs: number
  drains: number
  reads: number
  writes: number
}

const makeSleepers = (): Sleepers => ({ from: 0, to: 0, free: 0, since: 0, runs: 0, drains: 0, reads: 0, writes: 0 })

export class SleepSets {
  readonly #acts: Act[] = []
  readonly #nodes: Sleepers[] = Array.from({ length: 257 }, makeSleepers)
  readonly #path: Path

  constructor(path: Path) {
    this.#path = path
  }

  grow(): void {
    for (let left = this.#nodes.length; left > 0; left--) this.#nodes.push(makeSleepers())
  }

  /** Entries of node d: from .. to. Before `free` they sleep freely. */
  at(d: number): Readonly<Pick<Sleepers, 'from' | 'to' | 'free'>> {
    return this.#nodes[d]
  }

  entry(k: number): Act {
    return this.#acts[k]
  }

  list(d: number): readonly Act[] {
    const { from, to } = this.#nodes[d]
    return this.#acts.slice(from, to)
  }

  /** What sleeps at the last node, which is d, began to before the task, another of which explores what begins with it. */
  begin(d: number): void {
    const node = this.#nodes[d]
    node.since = node.free = node.to
  }

  /** At the last node, which is d, something is tried that no plan led to. */
  sleepFreely(d: number): void {
    const node = this.#nodes[d]
    node.free = node.to
  }

  /** Event d, which was the last and has been taken back, sleeps at its node. */
  addBack(d: number): void {
    this.#add(this.#nodes[d], this.#path.trail.events[d].act)
  }

  #add(node: Sleepers, act: Act): void {
    const { process } = act
    this.#acts[node.to++] = act
    if ((process & 1) === 0) node.runs |= 1 << (process >> 1)
    else node.drains |= 1 << (process >> 1)
    node.reads |= act.reads
    node.writes |= act.writes
  }

  /** Who slept before event d and is independent of it sleeps on. */
  passOn(d: number): void {
    const node = this.#nodes[d]
    const next = this.#nodes[d + 1]
    const { act } = this.#path.trail.events[d]
    const woken = this.#firstWoken(node, act)
    const { to } = node
    if (woken === to) {
      next.from = node.from
      next.to = to
      next.free = node.free
      next.since = node.since
      next.runs = node.runs
      next.drains = node.drains
      next.reads = node.reads
      next.writes = node.writes
      return
    }
    next.from = next.to = next.free = next.since = to
    next.runs = next.drains = next.reads = next.writes = 0
    for (let k = node.from; k < to; k++) {
      const sleeper = this.#acts[k]
      if (k === woken || (k > woken && this.#wakes(act, sleeper))) continue
      this.#add(next, sleeper)
      if (k < node.free) next.free++
      if (k < node.since) next.since++
    }
  }

  /** The first sleeper at the node that an event wakes; `to` of the node: it wakes none. */
  #firstWoken(node: Sleepers, act: Act): number {
    const { to } = node
    const same = ((act.process & 1) === 0 ? node.runs : node.drains) & (1 << (act.process >> 1))
    if (same === 0 && ((act.writes & (node.reads | node.writes)) | (act.reads & node.writes)) === 0) return to
    let k = node.from
    while (k < to && !this.#wakes(act, this.#acts[k])) k++
    return k
  }

  #wakes(act: Act, sleeper: Act): boolean {
    if (this.#path.fault === 'no-sleep-wakeup') return sleeper.process === act.process
    return this.#path.dependence.clash(sleeper, act, this.#path.trail.drained)
  }

  /** At node e sleeps what this event of the present execution does. */
  sleepsAlike(e: number, { choice, touched }: Act): boolean {
    const { from, to } = this.#nodes[e]
    for (let k = from; k < to; k++) {
      const sleeper = this.#acts[k]
      if (sleeper.choice === choice && sleeper.touched === touched) return true
    }
    return false
  }

  /** At the last node, which is d. */
  sleeps(d: number, choice: number): boolean {
    return this.#find(this.#nodes[d], choice) < this.#nodes[d].to
  }

  sleepsSinceBegin(d: number, choice: number): boolean {
    const node = this.#nodes[d]
    return node.since > node.from && this.#find(node, choice) < node.since
  }

  /** The choice sleeps, and others may wake it. */
  sleepsLightly(d: number, choice: number): boolean {
    const node = this.#nodes[d]
    const k = this.#find(node, choice)
    return k < node.to && this.#path.cells.concernsOthers(this.#acts[k].touched)
  }

  /** Some choice of the process sleeps. */
  processSleeps(d: number, process: number): boolean {
    const { from, to, runs, drains } = this.#nodes[d]
    const bits = (process & 1) === 0 ? runs : drains
    if ((bits & (1 << (process >> 1))) === 0) return false
    if (this.#path.vcpus <= 32) return true
    for (let k = from; k < to; k++) if (this.#acts[k].process === process) return true
    return false
  }

  /** The entry of a choice; `to` of the node: none. */
  #find({ from, to }: Sleepers, choice: number): number {
    let k = from
    while (k < to && (this.#acts[k].choice & ~FORKED) !== choice) k++
    return k
  }
}
