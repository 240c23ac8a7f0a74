/**
 * What a search and its workers say to each other. Plain data, so that it can cross threads:
 *
 * ```
 *  search  ── begin(image, knobs) ──► worker        once
 *          ── learnt ───────────────►               when the search starts again: what was under way is given up
 *          ── task ─────────────────►
 *          ◄── progress ─────────────
 *          ◄── end ──────────────────               how the task ended, and what was learnt on the way
 * ```
 */
import type { MachineImage } from '../../smp/image.ts'
import type { KnobValue } from '../../smp/model.ts'
import type { Learnt } from '../../smp/sharing.ts'
import type { Task } from '../dpor/options.ts'
import type { TaskEnd } from './taskRun.ts'

/** What has been learnt about the program by all that was explored so far. */
export interface Knowledge {
  readonly learnt: Learnt
  /** Places (EIP) where vCPUs wait. */
  readonly waitPlaces: readonly number[]
}

export type ToWorker =
  | { readonly kind: 'begin'; readonly image: MachineImage; readonly knobs: Readonly<Record<string, KnobValue>>; readonly taskEvents: number }
  | { readonly kind: 'learnt'; readonly epoch: number; readonly knowledge: Knowledge }
  | { readonly kind: 'task'; readonly epoch: number; readonly task: Task }

export type FromWorker =
  | { readonly kind: 'progress'; readonly epoch: number; readonly events: number; readonly executions: number }
  | { readonly kind: 'end'; readonly epoch: number; readonly end: TaskEnd; readonly knowledge: Knowledge | null }
  | { readonly kind: 'broken'; readonly message: string }

/** The search's end of the line to one worker. */
export interface Port {
  post(message: ToWorker): void
  /** Set by the search. */
  onMessage: (message: FromWorker) => void
  /** Ends the worker. */
  close(): void
}
