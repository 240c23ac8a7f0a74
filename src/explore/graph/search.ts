/** The explicit-state search as its users see it: passes (pass.ts), each with what those before it learnt is shared. */
import { finish, remake, type Explorable, type Limits, type Progress, type Search } from '../explorable.ts'
import type { StateGraph } from '../liveness/stateGraph.ts'
import type { Verdict } from '../verdict.ts'
import { Pass } from './pass.ts'
import type { SavedPass } from './savedPass.ts'

const PASSES_MAX = 64

/** @param makeMachine a machine in its initial state; machines of one exploration share what they learn */
export function explore(makeMachine: () => Explorable, limits: Limits, onProgress?: (progress: Progress) => void): Verdict {
  return finish(new GraphSearch(makeMachine, limits), onProgress)
}

/** Passes until no more shared memory is learnt; only the last one counts. */
export class GraphSearch implements Search {
  readonly #makeMachine: () => Explorable
  readonly #started = performance.now()
  readonly #newPass: (machine: Explorable) => Pass
  #machine: Explorable
  #pass: Pass
  #passes = 1
  #problem: string | null = null

  /**
   * @param edgesMax transitions that are kept for a judgement of cycles (`graph`), where the machine allows one
   * @param byCost false: each state is expanded once, whoever ran last; several times faster, but what is found is not of least cost
   * @param saved a pass of such a search, to go on with; machines know what was known then. @throws RangeError where it does not fit
   */
  constructor(makeMachine: () => Explorable, limits: Limits, edgesMax: number = 0, byCost: boolean = true, saved: SavedPass | null = null) {
    this.#makeMachine = makeMachine
    this.#newPass = (machine) => new Pass(machine, limits, this.#started, edgesMax, byCost)
    this.#machine = makeMachine()
    this.#pass = this.#newPass(this.#machine)
    if (saved !== null) this.#pass.restore(saved)
  }

  get seconds(): number {
    return (performance.now() - this.#started) / 1000
  }

  /** Null: what was explored so far counts for nothing, as more memory is shared than was known. */
  save(): SavedPass | null {
    return this.#problem !== null || this.#machine.sharing.grown ? null : this.#pass.save()
  }

  advance(): boolean {
    const outcome = this.#pass.advance()
    if (outcome !== 'grown') return outcome === 'paused'
    if (this.#passes === PASSES_MAX) {
      this.#problem = 'the set of shared memory did not settle'
      return false
    }
    this.#passes++
    this.#machine = remake(this.#machine, this.#makeMachine)
    this.#pass = this.#newPass(this.#machine)
    return true
  }

  stop(): void {
    this.#pass.stop()
  }

  progress(): Progress {
    return this.#pass.progress()
  }

  verdict(): Verdict {
    return this.#pass.verdict(this.#problem)
  }

  /** All states and transitions, where they were kept and nothing was left out; and how to find a state. */
  get graph(): StateGraph | null {
    return this.#pass.isWhole ? this.#pass.graph : null
  }
  stateOf(h0: number, h1: number): number {
    return this.#pass.stateOf(h0, h1)
  }
}
