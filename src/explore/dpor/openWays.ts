/** Ways that an event has only when others come first: an interrupt that has been sent, code that has been written. */
import { choiceKind, choiceVcpu, RUN } from '../../smp/choice.ts'
import { RESOURCE_VCPU } from '../../smp/footprint.ts'
import { OPEN_TO_CODE, OPEN_TO_INTERRUPTS } from '../../smp/machine.ts'
import { grownFlags } from './cells.ts'
import type { Chooser } from './chooser.ts'
import { FORKED } from './dependence.ts'
import type { Path } from './path.ts'
import type { WakeupSequence } from './wakeupSequence.ts'

export class OpenWays {
  readonly #path: Path
  readonly #sequence: WakeupSequence
  readonly #chooser: Chooser
  /** What of others could have added ways to event d (Reducible.openTo), and own stores that were buffered. */
  #open = new Uint8Array(256)
  #buffered = new Uint8Array(256)
  #any = false

  constructor(path: Path, sequence: WakeupSequence, chooser: Chooser) {
    this.#path = path
    this.#sequence = sequence
    this.#chooser = chooser
  }

  grow(): void {
    this.#open = grownFlags(this.#open)
    this.#buffered = grownFlags(this.#buffered)
  }

  /** The machine is about to take `choice` as event d. @param buffered own stores */
  note(d: number, choice: number, buffered: number): void {
    this.#open[d] = choiceKind(choice) === RUN ? this.#path.machine.openTo(choiceVcpu(choice)) : 0
    this.#buffered[d] = buffered
    if (this.#open[d] !== 0) this.#any = true
  }

  /** Plans the executions in which one of the events from `from` on came early enough for others to go another way. */
  reverse(from: number): void {
    if (this.#any) for (let d = Math.max(from, 1); d < this.#path.trail.depth && this.#path.violation === null; d++) this.#reverseOpens(d)
  }

  /** As that, of event d, if it can add ways to their events. */
  #reverseOpens(d: number): void {
    const { trail, cells, floor } = this.#path
    const process = trail.process[d]
    if ((process & 1) === 0 && trail.codeWrites[d] === 0 && !cells.concernsOthers(trail.touched[d])) return
    for (let e = d - 1; e >= floor; e--) {
      if (this.#open[e] === 0 || trail.before(e, d)) continue
      const vcpu = trail.process[e] >> 1
      const arrives =
        (this.#open[e] & OPEN_TO_INTERRUPTS) !== 0 &&
        (process === vcpu * 2 + 1 ? this.#buffered[e] > 0 : process >> 1 !== vcpu && cells.writesResource(trail.touched[d], RESOURCE_VCPU + vcpu))
      const writes = (this.#open[e] & OPEN_TO_CODE) !== 0 && trail.codeWrites[d] > 0
      if (arrives || writes) this.#plan(e, d)
      if (this.#path.violation !== null) return
    }
  }

  /** Plans the ways that the process of event e has only when what came between, up to event d, has come before it. */
  #plan(e: number, d: number): void {
    const { machine, trail, cells, real } = this.#path
    const vcpu = trail.process[e] >> 1
    this.#path.goBackTo(e)
    const before = this.#chooser.waysOf(vcpu, e)
    const events: number[] = []
    const taken: number[] = []
    for (let x = e; x <= d; x++) {
      if (real[x] === 0 || trail.before(e, x)) continue
      const choice = machine.locate(trail.choice[x] & ~FORKED)
      if (choice < 0) break
      events.push(x)
      taken.push(choice)
      if (machine.take(choice) === 0) continue
      if (machine.violation !== null) return this.#path.fail(machine.violation, [...this.#path.choices(e), ...taken])
      break
    }
    if (events.at(-1) === d) {
      for (const name of this.#chooser.waysOf(vcpu, e)) {
        if (before.includes(name)) continue
        machine.take(machine.locate(name))
        cells.read(machine.footprint)
        machine.undo()
        const at = trail.depth
        trail.choice[at] = name | FORKED
        trail.process[at] = vcpu * 2
        trail.touched[at] = cells.number()
        trail.own[at] = null
        this.#sequence.clear()
        for (const event of [...events, at]) this.#sequence.add(event)
        const whole = this.#addRest(e, d, at)
        const explored = this.#sequence.isExplored(e, whole)
        this.#sequence.length = events.length + 1
        if (!explored) this.#sequence.insert(e)
      }
    }
    for (let k = 0; k < events.length; k++) machine.undo()
    this.#path.comeBackFrom(e)
  }

  /**
   * Adds to the sequence the events after `d` that do not come after `e`, in place of which stands `other`: they may wake who sleeps. False: some
   * conflict with it, and were left out.
   */
  #addRest(e: number, d: number, other: number): boolean {
    const { trail, cells } = this.#path
    const left: number[] = []
    for (let x = d + 1; x < trail.depth; x++) {
      if (trail.before(e, x)) continue
      if (cells.conflict(trail.touched[other], trail.touched[x]) || left.some((one) => trail.before(one, x))) left.push(x)
      else this.#sequence.add(x)
    }
    return left.length === 0
  }
}
