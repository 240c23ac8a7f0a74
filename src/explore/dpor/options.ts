/** What a dpor search is asked for, and what it counts. */
import type { Limits } from '../explorable.ts'
import type { Live } from '../liveness/fairness.ts'

/** Ways to end of one execution. */
export interface Counts {
  /** Executions that ran to their end: one a class. */
  complete: number
  /** Stopped by an assumption. */
  cut: number
  /** A vCPU waits for what comes too late, or came too early, in this execution. */
  discarded: number
  /** Found to be equivalent to one that was explored. */
  redundant: number
  /** Came back to a state that it was in before (returns.ts). */
  endless: number
}

/** Ways to break the engine on purpose; tests demand that they are noticed. */
export type Fault =
  | 'no-drain-race' | 'no-sleep-wakeup' | 'lost-race' | 'no-wait-reversal' | 'no-open-ways' | 'no-fetch-order' | 'no-flags' | 'no-walk-drains'

/**
 * A part of a search: the executions that begin with `prefix`, but for those that are equivalent to one that goes on with
 * one of `sleep`. Above its end nodes are expanded fully (`split`), so that races are reversed below it only.
 */
export interface Task {
  readonly prefix: readonly number[]
  readonly sleep: readonly number[]
}

export const WHOLE: Task = { prefix: [], sleep: [] }

export interface DporOptions extends Limits {
  readonly fault?: Fault
  /** Called at the end of each execution, with the machine standing there. */
  readonly onEnd?: (how: keyof Counts, schedule: readonly number[]) => void
  /** Explores this part only. */
  readonly task?: Task
  /** Places (EIP) where vCPUs wait, as far as they are known; it grows. */
  readonly waitPlaces?: Set<number>
  /** A machine at the start, to judge executions that do not end; absent: they are not judged. */
  readonly makeAside?: () => Live
  /** When something is learnt that makes it necessary to start again: stops (`grown`). */
  readonly restart?: false
}
