/**
 * A monitor judges an execution and never influences it. Its ghost state lives in the machine's hashed,
 * undoable words; whatever feeds that state is a visible event, so that reduction cannot lose it.
 */
import type { Op } from '../cpu/decode.ts'
import type { Sharing } from './sharing.ts'
import type { Board } from './board.ts'

export interface Monitor {
  /** As `xmcheck list` shows it. */
  readonly name: string
  /** Words of ghost state that it needs for `machine`; they start as 0. */
  ghostWords(vcpus: number, sharing: Sharing): number
  /** Called once, with the first of its ghost words. */
  attach(machine: Board, ghosts: number): void
  /** Addresses at which it wants `onExecute`. */
  readonly watches?: readonly number[]
  /** The instruction at `eip`, with these bytes, is about to be executed by `vcpu`. */
  onExecute?(vcpu: number, eip: number, op: Op): void
  /** A data access of `vcpu` in the running phase, at the moment it is made (a store: when it is executed, not when it drains). */
  onAccess?(vcpu: number, physical: number, sizeBytes: number, write: boolean): void
  /** `vcpu` uses a cached translation, or (P set only) a cached directory entry, that the tables do not hold; `access`: W, U, FETCH. */
  onTranslation?(vcpu: number, linear: number, entry: number, access: number): void
  /** A page walk of `vcpu` loads an entry. */
  onWalk?(vcpu: number, physical: number, sizeBytes: number): void
  /** A store of `vcpu` reaches memory from its buffer; `uncached`: past the caches. */
  onDrain?(vcpu: number, physical: number, sizeBytes: number, uncached: boolean): void
  /** `vcpu` is about to execute `sizeBytes` of code at linear address `eip`. */
  onFetch?(vcpu: number, eip: number, sizeBytes: number, physical: number): void
  /** An interrupt, NMI or fault was taken by `vcpu`, or (`asked`) INT n: it will go on at `eip`, which stands at linear address `place`. Not INT3. */
  onInterrupt?(vcpu: number, place: number, eip: number, asked: boolean): void
  /** Others must be able to act before `vcpu` returns to what stands at linear address `place` (RET, IRET). */
  delaysReturn?(vcpu: number, place: number): boolean
  /** `vcpu` has returned to what stood at linear address `place`. */
  onReturn?(vcpu: number, place: number): void
  /** What `op` (null: the delivery of an event) changes on `vcpu` decides whether what others do is right: they must be able to act before it, and it counts as an event. */
  tells?(vcpu: number, op: Op | null): boolean
  /** `vcpu` has ended. */
  onEnd?(vcpu: number): void
  /** A store of the running phase is about to change memory, private ones included; `low`, `high`: the value; `walker`: bits that a page walk sets. */
  onWrite?(vcpu: number, physical: number, sizeBytes: number, low: number, high: number, walker: boolean): void
  /**
   * Accesses and fetches are of no interest to it as long as its ghost state is what it is now, or it makes the same of them in every step that does the same. A monitor with `onAccess`,
   * `onFetch`, `onReturn` or `onEnd` that has no such moments sees every step executed (stepMemo.ts).
   */
  isIdle?(): boolean
  /** The page tables that walks of `vcpu` begin with are others now. */
  onTables?(vcpu: number): void
  /** What translations `vcpu` may use is about to become less. */
  beforeInvalidation?(vcpu: number): void
  /** `vcpu` empties its caches (WBINVD), or (`physical` not null) the line there in all caches (CLFLUSH). */
  onCacheFlush?(vcpu: number, physical: number | null): void
  /** A marking guest call (guestCalls.ts): `enter`, `leave`, `free`, `alloc`, `building` and so on. */
  onMark?(vcpu: number, call: number, eax: number, edx: number): void
}

/** What a violation is: `kind` is stable and machine-readable, `message` is for people. */
export interface Violation {
  readonly kind: string
  readonly message: string
  readonly vcpu: number
  readonly eip: number
}
