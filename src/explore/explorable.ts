/** What an engine needs of a machine; tests explore toy models through the same interface. */
import type { Violation } from '../smp/monitor.ts'

export interface Explorable {
  /** Hash lanes of the present state. */
  readonly store: { readonly h0: number; readonly h1: number }
  enabled(out: Int32Array): number
  take(choice: number): number
  undo(): void
  readonly violation: Violation | null
  readonly sharing: { grown: boolean }
  readonly weaknesses: ReadonlySet<string>
  canContinue(vcpu: number): boolean
  bufferedStores(): number
  isEnvironmentChoice(choice: number): boolean
}

export interface Limits {
  readonly states?: number
  readonly events?: number
  readonly seconds?: number
  readonly preemptions?: number
  /** Asked now and then; true: stop. */
  readonly stop?: () => boolean
}

/** Most choices of one state. */
export const CHOICES_MAX = 8192
