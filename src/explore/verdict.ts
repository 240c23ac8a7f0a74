/** What an engine says about a property, and how strongly. */
import type { Violation } from '../smp/monitor.ts'
import type { Learnt } from '../smp/sharing.ts'
import type { Cost } from './cost.ts'
import type { LivenessReport } from './liveness/judge.ts'
import type { OrdersSeen } from './orders.ts'
import type { Guarantee } from './sampling/pct.ts'

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
  /** Of them those that were taken to explore, not to come back to a state; absent: all. */
  readonly transitions?: number
  /** Memory of the table of states, in bytes, where there is one. */
  readonly bytes?: number
  readonly seconds: number
  /** Of these, those of the pass that counts: without setting up, and earlier passes, in which it was learnt what is shared. */
  readonly passSeconds?: number
  /** Engine dpor: how executions ended that are not among `executions`. */
  readonly others?: { readonly discarded: number; readonly redundant: number; readonly cut: number; readonly endless: number }
  readonly engine: string
  /** Engine auto: which engine gave the verdict, and why that one. */
  readonly chosen?: string
  /** Samples by pct: what they guarantee. */
  readonly guarantees?: readonly Guarantee[]
  /** Pairs of conflicting accesses that were seen, and how many in both orders (orders.ts); absent: the engine does not tell. */
  readonly orders?: OrdersSeen
  /** Why the verdict is not `complete`, or why nothing can be said. */
  readonly reasons: readonly string[]
  readonly violation: Violation | null
  /** Choices from the start that lead to the violation. */
  readonly schedule: readonly number[] | null
  /** What was known of shared memory as `schedule` was found, which decides where its steps end; absent: what is known now. */
  readonly learnt?: Learnt
  /** The violation is a run that goes on for ever: from this choice of `schedule` on it goes round. */
  readonly cycleFrom?: number
  /** What is said about runs that go on for ever; absent: nothing. */
  readonly liveness?: LivenessReport
  readonly cost: Cost | null
}
