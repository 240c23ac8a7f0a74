/** What the reduction needs of a machine besides what every engine needs. */
import type { Observer } from '../../smp/events.ts'
import type { Footprint } from '../../smp/footprint.ts'
import type { Explorable } from '../explorable.ts'
import type { Granules } from './cells.ts'

export interface Reducible extends Explorable {
  /** Of the last step. */
  readonly footprint: Footprint
  readonly granules: Granules
  readonly vcpuCount: number
  bufferedStoresOf(vcpu: number): number
  symbolize(address: number): string
  /** All vCPUs run; otherwise one runs alone. */
  running(): boolean
  /** The choice needs the own stores before to have drained. */
  needsDrains(choice: number): boolean
  /** The last step changed nothing but registers and the stack of its vCPU. */
  readonly quiet: boolean
  registersOf(vcpu: number): Int32Array
  /** General registers, EIP and EFLAGS before the instruction whose event the last RUN was; only where `eventBegins`. */
  readonly eventRegisters: Int32Array
  /** Whether the next step of the vCPU is known to be its last, and only loads; `footprint` is that of the step then. Nothing follows when all have ended. */
  loadsAndEnds?(vcpu: number): boolean
  hasEnded?(vcpu: number): boolean
  /** Steps taken. */
  readonly step: number
  /** Whether its stack and other registers are what they were before the steps of these numbers (oldest first, all of this vCPU, all quiet). */
  restored(vcpu: number, steps: readonly number[]): boolean
  /** Private stores, and loads of what the vCPU does not write itself, so far; counted while there is an observer. */
  readonly privateStores: number
  readonly foreignLoads: number
  observer: Observer | null
  /** That event was the first of its instruction; the other registers were as before the step. */
  readonly eventBegins: boolean
  betweenInstructions(vcpu: number): boolean
  /** cpu/liveness.ts */
  liveRegisters(vcpu: number): number
  /** An upper bound of the ways that the vCPU's next event can go; 1: it is determined. */
  alternatives(vcpu: number): number
  /** What of others can add ways to the vCPU's next event: OPEN_TO_..., or 0. */
  openTo(vcpu: number): number
  /** The choice by a name that it keeps whatever others do: fetches by what they fetch. */
  identify(choice: number): number
  /** From now on a fetch of what memory holds keeps its name whatever that is: it comes before or after each write there (Cells). */
  orderFetches?(): void
  /** The choice of that name; -1: it is not enabled. */
  locate(name: number): number
  /** Whether the choice can become disabled or enabled by what others do. */
  canBeBlocked(choice: number): boolean
  /** What the reduction does not handle soundly; null: nothing. */
  readonly unreducible: string | null
  /** What an event touches, beside the access that it is, depends on what was read before. */
  readonly footprintsVary: boolean
  /** Address of the byte that a vCPU polls; -1: it polls none. */
  polledAddress(vcpu: number): number
}
