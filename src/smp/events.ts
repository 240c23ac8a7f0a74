/** What an observer of one execution is told; engines run without one. */
import type { Op } from '../cpu/decode.ts'

/** Kinds of events. New ones go to the end: traces hash their numbers. */
export const EVENT_KINDS = [
  /** An instruction retired: `address` is its EIP, `op` the instruction. */
  'instruction',
  /** Shared code was fetched: `address`, `bytes`; `stale` when they are not what memory holds. */
  'fetch',
  'load',
  /** A store entered the store buffer. */
  'store',
  /** The oldest buffered store reached memory. */
  'drain',
  /** Access of a locked read-modify-write. */
  'locked-load',
  'locked-store',
  'interrupt',
  'nmi',
  'exception',
  'send',
  'serialize',
  'block',
  'choose',
  'mark',
  'end',
  /** A page walk loaded an entry that others may write: `address`, `value`. */
  'walk',
  /** A cached translation of linear `address` was used, `value`; or, with `stale`, a cached directory entry. */
  'translation',
  /** INVLPG of linear `address`; `sizeBytes` 0: all translations but global ones, or (`value` 1) all. */
  'invalidate',
  /** WBINVD; CLFLUSH of the line at `address`, of `sizeBytes`. */
  'cache-flush',
  /** Of fewer pCPUs than vCPUs it gets one; it loses it (`value` 1: it has nothing to do and gives it up; 2: XM_YIELD). */
  'schedule',
  'deschedule',
  /** The hypervisor says so, or that it runs: it writes `value` to the vCPU's byte at `address` (XM_STEAL_TIME). */
  'steal',
  /** A page walk ahead of accesses set A of the entry at `address`, which is `value` now; `vcpu`: the one that is about to load it; `text`: whose walk it was. */
  'walk-ahead',
] as const
export type EventKind = (typeof EVENT_KINDS)[number]

export interface MachineEvent {
  readonly kind: EventKind
  readonly vcpu: number
  /** Physical address, vector, or number, by kind. */
  readonly address: number
  readonly sizeBytes: number
  readonly value: number
  readonly op?: Op
  readonly bytes?: Uint8Array
  readonly stale?: boolean
  readonly text?: string
}

export type Observer = (event: MachineEvent) => void
