/** What the reduction needs of a machine besides what every engine needs. */
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
  /** The next event of the vCPU needs the stores before to have drained. */
  needsDrains(vcpu: number): boolean
  /** The last step changed nothing but registers of its vCPU. */
  readonly quiet: boolean
  registersOf(vcpu: number): Int32Array
  /** Registers before the instruction whose event the last RUN was; only where `eventBegins`. */
  readonly eventRegisters: Int32Array
  /** That event was the first of its instruction. */
  readonly eventBegins: boolean
  betweenInstructions(vcpu: number): boolean
  /** cpu/liveness.ts */
  liveRegisters(vcpu: number): number
  /** An upper bound of the ways that the vCPU's next event can go; 1: it is determined. */
  alternatives(vcpu: number): number
  /** Whether the pending event of the vCPU can become disabled or enabled by what others do. */
  canBeBlocked(vcpu: number): boolean
  /** What the reduction does not handle soundly; null: nothing. */
  readonly unreducible: string | null
}
