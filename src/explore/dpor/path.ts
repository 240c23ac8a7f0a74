/** The present execution as the machine went along it: the machine stands at its end, and can be brought back to any node of it. */
import { EIP } from '../../cpu/registers.ts'
import { choiceKind, choiceVcpu, DRAIN } from '../../smp/choice.ts'
import { resourceCount } from '../../smp/footprint.ts'
import type { Violation } from '../../smp/monitor.ts'
import { Cells, grown, grownFlags } from './cells.ts'
import { Dependence } from './dependence.ts'
import type { Fault } from './options.ts'
import type { Reducible } from './reducible.ts'
import { Trail } from './trail.ts'

export class Path {
  readonly machine: Reducible
  readonly cells: Cells
  readonly trail: Trail
  readonly dependence: Dependence
  readonly vcpus: number
  readonly fault: Fault | undefined
  /** Number of events of the task's prefix, which stay. */
  floor = 0
  /** Whether event d was carried out by the machine (an execution that an assumption cuts stays before it). */
  real = new Uint8Array(256)
  /** The machine's choice that event d was: in the trail stands its name (Reducible.identify). */
  actual = new Int32Array(256)
  /** The machine's step that it was. */
  stepAt = new Int32Array(256)
  /** It can block (Reducible.canBeBlocked). */
  blockable = new Uint8Array(256)
  /** What event d touches depends on what it reads, or on what comes after that. */
  varies = new Uint8Array(256)
  /** Per vCPU: it goes no further in this execution, since event d (-1: it does). */
  readonly stopped: Int32Array
  stoppedCount = 0
  /** Events at the end that the machine has not carried out (lastLoads.ts). */
  foreseen = 0
  violation: Violation | null = null
  /** That leads to it. */
  schedule: readonly number[] | null = null
  /** Where it is a run that goes on for ever: from this choice on it goes round; -1: it is none. */
  cycleFrom = -1

  constructor(machine: Reducible, fault: Fault | undefined) {
    const vcpus = machine.vcpuCount
    this.machine = machine
    this.vcpus = vcpus
    this.cells = new Cells(machine.granules)
    this.fault = fault
    this.trail = new Trail(vcpus, machine.granules.memory + resourceCount(vcpus), this.cells, fault)
    this.dependence = new Dependence(this.cells, fault)
    this.stopped = new Int32Array(vcpus).fill(-1)
    for (let v = 0; v < vcpus; v++) this.trail.startWith(v, machine.bufferedStoresOf(v))
  }

  grow(): void {
    this.real = grownFlags(this.real)
    this.actual = grown(this.actual)
    this.stepAt = grown(this.stepAt)
    this.blockable = grownFlags(this.blockable)
    this.varies = grownFlags(this.varies)
  }

  /** `vcpu` goes no further, as event d shows. */
  halt(vcpu: number, d: number): void {
    this.stopped[vcpu] = d
    this.stoppedCount++
  }

  /** Event d is taken back. */
  unhalt(vcpu: number, d: number): void {
    if (this.stopped[vcpu] !== d) return
    this.stopped[vcpu] = -1
    this.stoppedCount--
  }

  /** The machine's choice of that name; -1: it is not enabled, or its vCPU goes no further. */
  locate(name: number): number {
    if (choiceKind(name) !== DRAIN && this.stopped[choiceVcpu(name)] >= 0) return -1
    return this.machine.locate(name)
  }

  /** EIP of the event that was taken last. */
  place(): number {
    return this.machine.eventBegins ? this.machine.eventRegisters[EIP] : -1
  }

  /** Where the machine stands while executions are planned; -1: at the end. */
  #standing = -1

  /** Brings the machine to node e of the execution. */
  goTo(e: number): void {
    if (this.#standing < 0) this.#standing = this.trail.depth - this.foreseen
    let at = this.#standing
    while (at > e) if (this.real[--at] === 1) this.machine.undo()
    for (; at < e; at++) {
      this.stepAt[at] = this.machine.step
      if (this.real[at] === 1) this.machine.take(this.actual[at])
    }
    this.#standing = e
  }

  /** And back to the end. */
  comeBack(): void {
    if (this.#standing >= 0) this.goTo(this.trail.depth - this.foreseen)
    this.#standing = -1
  }

  /** What the machine took up to node `to`. */
  choices(to = this.trail.depth): number[] {
    const choices: number[] = []
    for (let d = 0; d < to; d++) if (this.real[d] === 1) choices.push(this.actual[d])
    return choices
  }

  /** A violation was found. */
  fail(violation: Violation, schedule: readonly number[], cycleFrom: number = -1): void {
    this.violation = violation
    this.schedule = schedule
    this.cycleFrom = cycleFrom
  }
}
