/** What an engine says about a property, and how strongly. */
import type { Violation } from '../smp/monitor.ts'
import type { Cost } from './cost.ts'

export interface Verdict {
  readonly verdict: 'holds' | 'violated' | 'unknown'
  /** `complete`: every behaviour of the model; `bounded`: every one within `bounds`; `sampled`: some. */
  readonly strength: 'complete' | 'bounded' | 'sampled'
  readonly bounds: Readonly<Record<string, number>>
  /** Distinct machine states. */
  readonly states: number
  /** Paths that ended: at an end of the execution, or in a state that was known. */
  readonly executions: number
  /** Choices taken. */
  readonly events: number
  readonly seconds: number
  /** Engine dpor: how executions ended that are not among `executions`. */
  readonly others?: { readonly discarded: number; readonly redundant: number; readonly cut: number }
  readonly engine: string
  /** Why the verdict is not `complete`, or why nothing can be said. */
  readonly reasons: readonly string[]
  readonly violation: Violation | null
  /** Choices from the start that lead to the violation. */
  readonly schedule: readonly number[] | null
  readonly cost: Cost | null
}
