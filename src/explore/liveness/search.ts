/**
 * The graph search, and after it the judgement of what goes on for ever. Most programs are right and small: unless the search is limited,
 * it first goes through all states once, without order, and only where that finds a violation, or does not come to an end soon, by cost.
 */
import type { Limits, MemoryLimit, Progress, Search } from '../explorable.ts'
import type { SavedPass } from '../graph/savedPass.ts'
import { GraphSearch } from '../graph/search.ts'
import type { Violation } from '../../smp/monitor.ts'
import type { Learnt } from '../../smp/sharing.ts'
import type { Verdict } from '../verdict.ts'
import type { Live } from './fairness.ts'
import { judgeLiveness, type Liveness, type LivenessOutcome, type LivenessReport } from './judge.ts'

/** Transitions that are kept: 8 bytes each. More where liveness was asked for. */
const EDGES_MAX = 20_000_000
const EDGES_ASKED_MAX = 120_000_000
/** States that a search without order may see. */
const PLAIN_STATES_MAX = 500_000

export interface LiveOptions {
  /** Transitions that are kept; above that liveness is not judged. */
  readonly edgesMax?: number
  /** Go by cost at once: where the search is limited, it is the order that makes it say something. */
  readonly byCost?: boolean
  /** A machine at the start that has the states of the search; absent: `makeAside` does. */
  readonly makeUncounted?: () => Live
  readonly saved?: SavedSearch
  /** What is known of shared memory; absent: nothing is learnt. */
  readonly learnt?: () => Learnt
}

/** A violation that was found, and what was known of shared memory then. */
export interface SavedFirst {
  readonly violation: Violation
  readonly schedule: readonly number[]
  readonly learnt: Learnt | null
}

/** A graph search as plain data. */
export interface SavedSearch {
  /** Null: nothing of it counts; it begins again with what was learnt. */
  readonly pass: SavedPass | null
  /** The search without order was done, or not made. */
  readonly second: boolean
  /** What was found by it. */
  readonly first: SavedFirst | null
  /** Of the search without order, where it is done. */
  readonly events: number
  readonly seconds: number
}

export class LiveSearch implements Search {
  #search: GraphSearch
  /** Makes the search by cost; null: it is that already. */
  #byCost: (() => GraphSearch) | null
  /** Violated, by a schedule that may not be the least. */
  #first: Verdict | null = null
  #events = 0
  #seconds = 0
  #stopped = false
  readonly #learnt: (() => Learnt) | undefined
  readonly #makeUncounted: () => Live
  readonly #makeAside: () => Live
  readonly #liveness: Exclude<Liveness, 'off'>
  readonly #edgesMax: number
  readonly #memory: MemoryLimit | undefined
  #outcome: LivenessOutcome | null = null

  /**
   * @param makeAside a machine at the start for what is no part of the search, which forgets nothing (smp/machine.ts)
   */
  constructor(makeMachine: () => Live, makeAside: () => Live, limits: Limits, liveness: Exclude<Liveness, 'off'>, { edgesMax, byCost = false, makeUncounted = makeAside, saved, learnt }: LiveOptions = {}) {
    this.#learnt = learnt
    this.#makeUncounted = makeUncounted
    this.#memory = limits.memory
    this.#makeAside = makeAside
    this.#liveness = liveness
    this.#edgesMax = edgesMax ?? (liveness === 'auto' ? EDGES_MAX : EDGES_ASKED_MAX)
    const make = (second: boolean, pass: SavedPass | null) =>
      second ? new GraphSearch(makeMachine, limits, this.#edgesMax, true, pass) : new GraphSearch(makeMachine, { ...limits, states: PLAIN_STATES_MAX }, this.#edgesMax, false, pass)
    const second = saved === undefined ? byCost : saved.second
    this.#byCost = second ? null : () => make(true, null)
    this.#search = make(second, saved?.pass ?? null)
    if (saved === undefined) return
    this.#events = saved.events
    this.#seconds = saved.seconds
    const reasons = ['the search was stopped: a schedule of lower cost may exist']
    if (saved.first === null) return
    const { learnt: known, ...first } = saved.first
    this.#first = { ...this.#search.verdict(), verdict: 'violated', strength: 'complete', bounds: {}, reasons, cost: null, ...first, ...(known === null ? {} : { learnt: known }) }
  }

  save(): SavedSearch {
    const first = this.#first?.violation ? { violation: this.#first.violation, schedule: this.#first.schedule!, learnt: this.#first.learnt ?? null } : null
    return { pass: this.#search.save(), second: this.#byCost === null, first, events: this.#events, seconds: this.#seconds + this.#search.seconds }
  }

  advance(): boolean {
    if (this.#search.advance()) return true
    const verdict = this.#search.verdict()
    const { graph } = this.#search
    // Where memory is short now it will not do for more; what there is can be kept, and gone on with.
    if (this.#byCost !== null && !this.#stopped && verdict.verdict !== 'holds' && (verdict.verdict === 'violated' || this.#memory?.isOver() !== true)) {
      if (verdict.verdict === 'violated') this.#first = { ...verdict, ...(this.#learnt === undefined ? {} : { learnt: this.#learnt() }) }
      this.#events += verdict.events
      this.#seconds += verdict.seconds
      this.#search = this.#byCost()
      this.#byCost = null
      return true
    }
    if (graph === null || verdict.verdict !== 'holds') return false
    this.#outcome = graph.full
      ? { violated: false, report: { covered: 'none', text: `not judged: there are more than ${this.#edgesMax} transitions${this.#liveness === 'auto' ? '; --liveness progress or termination takes more' : ''}` } }
      : judgeLiveness({ graph, search: this.#search, makeMachine: this.#makeUncounted, makeAside: this.#makeAside, liveness: this.#liveness })
    return false
  }

  stop(): void {
    this.#stopped = true
    this.#search.stop()
  }

  progress(): Progress {
    const progress = this.#search.progress()
    return { ...progress, events: progress.events + this.#events }
  }

  verdict(): Verdict {
    const last = this.#search.verdict()
    const safety = { ...(this.#first !== null && last.verdict !== 'violated' ? this.#first : last), events: last.events + this.#events, seconds: last.seconds + this.#seconds }
    const outcome = this.#outcome
    if (outcome?.violated) {
      const { lasso, violation, cost } = outcome
      return { ...safety, verdict: 'violated', strength: 'complete', bounds: {}, reasons: [], violation, schedule: lasso.schedule, cycleFrom: lasso.from, cost }
    }
    if (safety.verdict === 'violated') return safety
    const liveness: LivenessReport = outcome?.report ?? { covered: 'none', text: 'not judged: not all states were explored' }
    const missing = this.#liveness !== 'auto' && liveness.covered === 'none'
    if (!missing || safety.verdict !== 'holds') return { ...safety, liveness }
    return { ...safety, liveness, verdict: 'unknown', strength: 'bounded', bounds: {}, reasons: [...safety.reasons, `liveness was ${liveness.text}`] }
  }
}
