/**
 * Executions that come back to a state that they were in: round a loop with effects, so that it is no wait (loops.ts). Nothing
 * new follows, and without an end to it the search would have none. A fair run round the cycle is a livelock, if those who
 * run there are meant to end: they do in some execution.
 */
import { choiceVcpu } from '../../smp/choice.ts'
import type { Violation } from '../../smp/monitor.ts'
import { type Live, owesAnything } from '../liveness/fairness.ts'
import { goesRound, judgeLasso, type Lasso, whoWaits } from '../liveness/lasso.ts'
import { endedOf, throughOf } from '../liveness/stateGraph.ts'
import { grown } from './cells.ts'

export interface Livelock {
  readonly lasso: Lasso
  readonly violation: Violation
}

/** Buckets of states, a power of two. */
const BUCKETS = 1024
/** Cycles that are judged, and of those that are not fair how many are gone on from fairly. */
const JUDGED_MAX = 256
const CLOSED_MAX = 16
const CANDIDATES_MAX = 16

/** Why nothing is said where so many executions came back. */
export function describeEndless(executions: number): string {
  return `${executions} executions came back to a state that they were in before, and were ended there: dpor does not say what else follows; use --engine graph`
}

export class Returns {
  readonly #makeAside: (() => Live) | null
  /** States of the present execution in which a vCPU had just gone backwards, a stack: node, hash, the one before in its bucket. */
  #nodes = new Int32Array(64)
  #h0 = new Int32Array(64)
  #h1 = new Int32Array(64)
  #before = new Int32Array(64)
  readonly #heads = new Int32Array(BUCKETS).fill(-1)
  #top = 0
  /** vCPUs, as bits, that ended in some execution. */
  #everEnded = 0
  /** The present execution came back here, and where it had been; -1: it did not. */
  node = -1
  from = -1
  #judged = 0
  #closed = 0
  readonly #candidates: (Livelock & { readonly actors: number })[] = []

  /** @param makeAside a machine at the start, to carry cycles out; null: they are not judged */
  constructor(makeAside: (() => Live) | null) {
    this.#makeAside = makeAside
  }

  /** The execution has come to `node`, by a step backwards: every cycle has one. */
  note(node: number, { h0, h1 }: { readonly h0: number; readonly h1: number }): void {
    const bucket = h0 & (BUCKETS - 1)
    for (let k = this.#heads[bucket]; k >= 0; k = this.#before[k])
      if (this.#h0[k] === h0 && this.#h1[k] === h1) {
        this.node = node
        this.from = this.#nodes[k]
        return
      }
    if (this.#top === this.#nodes.length) {
      this.#nodes = grown(this.#nodes)
      this.#h0 = grown(this.#h0)
      this.#h1 = grown(this.#h1)
      this.#before = grown(this.#before)
    }
    this.#nodes[this.#top] = node
    this.#h0[this.#top] = h0
    this.#h1[this.#top] = h1
    this.#before[this.#top] = this.#heads[bucket]
    this.#heads[bucket] = this.#top++
  }

  /** The execution is taken back to `node`. */
  backTo(node: number): void {
    if (this.node > node) this.node = -1
    while (this.#top > 0 && this.#nodes[this.#top - 1] > node) {
      this.#top--
      this.#heads[this.#h0[this.#top] & (BUCKETS - 1)] = this.#before[this.#top]
    }
  }

  /** An execution has ended here. */
  noteEnd(machine: Live): void {
    if (this.#makeAside !== null) this.#everEnded |= endedOf(machine)
  }

  /** An execution has come so far that all of so many vCPUs end. */
  noteAllEnd(vcpus: number): void {
    this.#everEnded |= vcpus < 32 ? (1 << vcpus) - 1 : -1
  }

  /** The execution came back to where it was after `from` choices: it is judged, or what follows from there in turns. */
  judge(schedule: readonly number[], from: number): void {
    if (this.#makeAside === null || this.#judged++ >= JUDGED_MAX || this.#candidates.length >= CANDIDATES_MAX) return
    const make = this.#makeAside
    const machine = make()
    for (const choice of schedule) machine.take(choice)
    const victim = lowest(~throughOf(machine))
    const lasso = { schedule, from }
    const violation = judgeLasso(make(), lasso, victim)
    const found = violation !== null ? { lasso, violation } : this.#closed++ < CLOSED_MAX ? goesRound(make, schedule, victim) : null
    if (found !== null && !passesMarks(make(), found.lasso)) this.#candidates.push({ ...found, actors: actorsOf(found.lasso) })
  }

  /** The execution may end here, where `machine` stands: what may still come need not. Who has not ended then, and waits, is judged. */
  judgeStop(machine: Live, taken: () => readonly number[]): void {
    const make = this.#makeAside
    if (make === null || this.#candidates.length >= CANDIDATES_MAX || owesAnything(machine)) return
    const schedule = taken()
    const lasso = { schedule, from: schedule.length }
    for (let v = 0; v < machine.vcpuCount; v++) {
      const place = `${v} ${machine.eip(v)}`
      if (this.#stops.has(place)) continue
      this.#stops.add(place)
      const violation = judgeLasso(make(), lasso, v)
      if (violation !== null) this.#candidates.push({ lasso, violation, actors: whoWaits(make(), lasso).includes(v) ? 0 : 1 << v })
    }
  }
  /** vCPUs, and where they stood as an execution could end. */
  readonly #stops = new Set<string>()

  /** A fair cycle of those who end in other executions, for all that is known now. */
  get livelock(): Livelock | null {
    return this.#candidates.find(({ actors }) => (actors & ~this.#everEnded) === 0) ?? null
  }
}

function actorsOf({ schedule, from }: Lasso): number {
  return schedule.slice(from).reduce((actors, choice) => actors | (1 << choiceVcpu(choice)), 0)
}

/** Somebody gets on in the cycle by passing XM_PROGRESS. */
function passesMarks(machine: Live, { schedule, from }: Lasso): boolean {
  return schedule.some((choice, step) => {
    machine.take(choice)
    return step >= from && machine.progressed !== 0
  })
}

function lowest(mask: number): number {
  return 31 - Math.clz32(mask & -mask)
}
