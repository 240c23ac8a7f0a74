/** The graph search, and after it the judgement of what goes on for ever. */
import type { Limits, Progress, Search } from '../explorable.ts'
import { GraphSearch } from '../graph.ts'
import type { Verdict } from '../verdict.ts'
import type { Live } from './fairness.ts'
import { judgeLiveness, type Liveness, type LivenessOutcome, type LivenessReport } from './judge.ts'

/** Transitions that are kept: 8 bytes each. More where liveness was asked for. */
const EDGES_MAX = 20_000_000
const EDGES_ASKED_MAX = 120_000_000

export class LiveSearch implements Search {
  readonly #search: GraphSearch
  readonly #makeAside: () => Live
  readonly #liveness: Exclude<Liveness, 'off'>
  readonly #edgesMax: number
  #outcome: LivenessOutcome | null = null

  /**
   * @param makeAside a machine at the start for what is no part of the search
   * @param edgesMax transitions that are kept; above that liveness is not judged
   */
  constructor(makeMachine: () => Live, makeAside: () => Live, limits: Limits, liveness: Exclude<Liveness, 'off'>, edgesMax?: number) {
    this.#makeAside = makeAside
    this.#liveness = liveness
    this.#edgesMax = edgesMax ?? (liveness === 'auto' ? EDGES_MAX : EDGES_ASKED_MAX)
    this.#search = new GraphSearch(makeMachine, limits, this.#edgesMax)
  }

  advance(): boolean {
    if (this.#search.advance()) return true
    const { graph } = this.#search
    if (graph === null || this.#search.verdict().verdict !== 'holds') return false
    this.#outcome = graph.full
      ? { violated: false, report: { covered: 'none', text: `not judged: there are more than ${this.#edgesMax} transitions${this.#liveness === 'auto' ? '; --liveness progress or termination takes more' : ''}` } }
      : judgeLiveness({ graph, search: this.#search, makeMachine: this.#makeAside, liveness: this.#liveness })
    return false
  }

  stop(): void {
    this.#search.stop()
  }

  progress(): Progress {
    return this.#search.progress()
  }

  verdict(): Verdict {
    const safety = this.#search.verdict()
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
