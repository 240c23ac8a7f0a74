/** What an engine needs of a machine; tests explore toy models through the same interface. */
import type { Violation } from '../smp/monitor.ts'
import type { OrdersSeen } from './orders.ts'
import type { Verdict } from './verdict.ts'

export interface Explorable {
  /** Hash lanes of the present state. */
  readonly store: { readonly h0: number; readonly h1: number }
  enabled(out: Int32Array): number
  take(choice: number): number
  undo(): void
  readonly violation: Violation | null
  readonly sharing: { grown: boolean }
  readonly weaknesses: ReadonlySet<string>
  /** Steps so far that were cut for their length (`localSteps`). */
  readonly longSteps?: number
  /** And where. */
  readonly coverage?: { readonly longSteps: Map<number, number> }
  canContinue(vcpu: number): boolean
  bufferedStores(): number
  isEnvironmentChoice(choice: number): boolean
}

export interface Limits {
  readonly states?: number
  readonly events?: number
  readonly seconds?: number
  readonly preemptions?: number
  /** Engine dpor: interrupts and NMIs taken in one execution at the most; fetches of bytes that an event before them has overwritten. */
  readonly interrupts?: number
  readonly stale?: number
  /** Takes the choices of a state in an order drawn from this 32-bit seed; absent: in their own. */
  readonly seed?: number
  /** Memory that the process may use. */
  readonly memory?: MemoryLimit
  /** Events between two returns to whoever drives the search. */
  readonly sliceEvents?: number
  /** Returns sooner where that takes long; no verdict depends on it. */
  readonly returnsSoon?: boolean
}

/** A bound on memory; how much is used is known to whoever runs the search. */
export interface MemoryLimit {
  isOver(): boolean
  /** Why a verdict cannot be given. */
  readonly reason: string
}

/** Where what a search may take is counted in events, a step that was cut for its length counts as so many. */
const LONG_STEP_EVENTS = 512

/** What a search has cost, in events of usual length. */
export function workOf(events: number, { longSteps = 0 }: Explorable): number {
  return events + LONG_STEP_EVENTS * longSteps
}

export interface Progress {
  readonly states: number
  readonly events: number
  /** `workOf` as the last whole slice ended; absent: as many as events. */
  readonly work?: number
  /** Preemptions of the schedules that are explored now. */
  readonly preemptions: number
  /** Paths that ended. */
  readonly executions?: number
  /** Estimate of the part of the search that is done, 0..1; absent: there is none. */
  readonly done?: number
  readonly orders?: OrdersSeen
}

/** An engine at work. Whoever drives it calls `advance` until it says false, and may do other things between. */
export interface Search {
  /** Goes on for a bounded number of events; false: the search is over. */
  advance(): boolean
  /** Ends the search before its time: the verdict then covers less. */
  stop(): void
  progress(): Progress
  verdict(): Verdict
  /** Until there is something to do, where others do the work; null: now. */
  waiting?(): Promise<void> | null
}

/** Drives a search to its end without a pause. */
export function finish(search: Search, onProgress?: (progress: Progress) => void): Verdict {
  while (search.advance()) onProgress?.(search.progress())
  return search.verdict()
}

/**
 * A machine for another pass, after `old` has learnt what is shared. What the new one learns on the way to its
 * initial state counts as growth again: its own first steps were made without it.
 */
export function remake<M extends Explorable>(old: M, makeMachine: () => M): M {
  old.sharing.grown = false
  old.coverage?.longSteps.clear()
  return makeMachine()
}

/** Most choices of one state. */
export const CHOICES_MAX = 8192
