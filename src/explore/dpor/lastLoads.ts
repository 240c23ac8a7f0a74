/**
 * The end of an execution in which nobody has more to do than one load each: these events are independent of one another, so what they
 * do is known before they are carried out. They join the execution, for its races, and the machine stays where it is.
 */
import { packChoice, RUN } from '../../smp/choice.ts'
import type { Path } from './path.ts'
import type { SleepSets } from './sleepSets.ts'
import type { Waits } from './waits.ts'

export class LastLoads {
  readonly #path: Path
  readonly #sleep: SleepSets
  readonly #waits: Waits

  constructor(path: Path, sleep: SleepSets, waits: Waits) {
    this.#path = path
    this.#sleep = sleep
    this.#waits = waits
  }

  /** From node d, the last, where `first` goes on: appends all that is left. False: there is more than loads, or somebody sleeps. */
  append(d: number, first: number): boolean {
    const { machine, vcpus, stoppedCount } = this.#path
    if (machine.loadsAndEnds === undefined || stoppedCount > 0 || !machine.loadsAndEnds(first)) return false
    for (let v = 0; v < vcpus; v++) if (machine.bufferedStoresOf(v) > 0 || this.#waits.at(d, v)) return false
    this.#push(packChoice(RUN, first))
    for (let v = 0; v < vcpus; v++) {
      if (v === first || machine.hasEnded!(v)) continue
      if (!machine.canContinue(v) || machine.alternatives(v) > 1 || this.#sleep.processSleeps(d, v * 2) || !machine.loadsAndEnds(v)) {
        this.remove(d)
        return false
      }
      this.#push(packChoice(RUN, v))
    }
    return true
  }

  /** The event whose footprint the machine has. */
  #push(choice: number): void {
    const { trail, cells, machine } = this.#path
    const event = trail.events[trail.depth]
    cells.read(machine.footprint)
    event.actual = choice
    event.real = true
    event.blockable = false
    event.varies = cells.varies || machine.footprintsVary
    event.stepAt = machine.step
    trail.push(choice, 0, false, false)
    this.#path.foreseen++
  }

  /** Takes back what was appended from node d on. */
  remove(d: number): void {
    const { trail } = this.#path
    while (trail.depth > d) trail.pop()
    this.#path.foreseen = 0
  }
}
