/** The present execution as the machine went along it: the machine stands at its end, and can be brought back to any node of it. */
import { EIP } from '../../cpu/registers.ts'
import { choiceKind, choiceVcpu, DRAIN } from '../../smp/choice.ts'
import { resourceCount } from '../../smp/footprint.ts'
import type { Violation } from '../../smp/monitor.ts'
import { Acts } from './act.ts'
import { Cells } from './cells.ts'
import { Dependence } from './dependence.ts'
import type { DporOptions, Fault } from './options.ts'
import type { Reducible } from './reducible.ts'
import { Trail } from './trail.ts'

export class Path {
  readonly machine: Reducible
  readonly cells: Cells
  readonly acts: Acts
  readonly trail: Trail
  readonly dependence: Dependence
  readonly vcpus: number
  readonly fault: Fault | undefined
  /** Number of events of the task's prefix, which stay. */
  floor = 0
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

  /** @param stale there is a budget of stale fetches: which of them are has to be the same in a whole class */
  constructor(machine: Reducible, { fault, stale }: DporOptions) {
    const vcpus = machine.vcpuCount
    this.machine = machine
    this.vcpus = vcpus
    if (stale !== undefined) machine.orderFetches?.()
    this.cells = new Cells(machine.granules, stale !== undefined)
    this.acts = new Acts(this.cells)
    this.fault = fault
    this.trail = new Trail(vcpus, machine.granules.memory + resourceCount(vcpus), this.cells, this.acts, fault)
    this.dependence = new Dependence(this.cells, fault)
    this.stopped = new Int32Array(vcpus).fill(-1)
    for (let v = 0; v < vcpus; v++) this.trail.startWith(v, machine.bufferedStoresOf(v))
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
    const { events } = this.trail
    let at = this.#standing
    while (at > e) if (events[--at].real) this.machine.undo()
    for (; at < e; at++) {
      const event = events[at]
      event.stepAt = this.machine.step
      if (event.real) this.machine.take(event.actual)
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
    for (let d = 0; d < to; d++) {
      const { real, actual } = this.trail.events[d]
      if (real) choices.push(actual)
    }
    return choices
  }

  /** A violation was found. */
  fail(violation: Violation, schedule: readonly number[], cycleFrom: number = -1): void {
    this.violation = violation
    this.schedule = schedule
    this.cycleFrom = cycleFrom
  }
}
