/** Ways that an event has only when others come first: an interrupt that has been sent, code that has been written. */
import { choiceKind, choiceVcpu, RUN } from '../../smp/choice.ts'
import { pendingOf } from '../../smp/footprint.ts'
import { OPEN_TO_CODE, OPEN_TO_INTERRUPTS } from '../../smp/choices.ts'
import { FORKED } from './act.ts'
import { grownFlags } from './cells.ts'
import type { Chooser } from './chooser.ts'
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

  /** Something was open to others somewhere. */
  get any(): boolean {
    return this.#any
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

  /**
   * Plans the executions in which one of the events from `from` on came early enough for others to go another way. The machine walks back
   * along the execution once, and from each node forth as far as something can open ways there.
   */
  reverse(from: number): void {
    if (!this.#any || this.#path.fault === 'no-open-ways') return
    const { trail, floor } = this.#path
    for (let e = trail.depth - 2; e >= floor; e--) {
      if (this.#open[e] === 0) continue
      const last = this.#listOpeners(e, Math.max(from, e + 1))
      if (last < 0) continue
      this.#path.goTo(e)
      this.#plan(e, last)
      if (this.#path.violation !== null) return
    }
    this.#path.comeBack()
  }

  /** By event: the event e for which it is known to open ways. */
  #opens = new Int32Array(256).fill(-1)

  /** Notes which events from `from` on can add ways to event e. Returns the last; -1: none. */
  #listOpeners(e: number, from: number): number {
    const { trail, cells } = this.#path
    if (this.#opens.length < trail.depth) this.#opens = new Int32Array(trail.events.length).fill(-1)
    const vcpu = trail.events[e].act.process >> 1
    const interrupts = (this.#open[e] & OPEN_TO_INTERRUPTS) !== 0
    const code = (this.#open[e] & OPEN_TO_CODE) !== 0
    /** Own stores before e that have not drained: an interrupt waits for all of them. */
    let left = interrupts ? this.#buffered[e] : 0
    let last = -1
    for (let d = left > 0 ? e + 1 : from; d < trail.depth; d++) {
      const { act, codeWrites } = trail.events[d]
      const { process } = act
      this.#opens[d] = -1
      if ((d < from && process !== vcpu * 2 + 1) || trail.before(e, d)) continue
      let opens = code && codeWrites > 0
      if (process === vcpu * 2 + 1) opens ||= left > 0 && --left === 0
      else opens ||= interrupts && process >> 1 !== vcpu && cells.writesResource(act.touched, pendingOf(vcpu))
      if (!opens || d < from) continue
      this.#opens[d] = e
      last = d
    }
    return last
  }

  /** Plans the ways that the process of event e has only when what came between has come before it, up to each of its openers. */
  #plan(e: number, last: number): void {
    const { machine, trail } = this.#path
    const vcpu = trail.events[e].act.process >> 1
    const before = this.#chooser.waysOf(vcpu, e)
    const events: number[] = []
    const taken: number[] = []
    for (let d = e; d <= last; d++) {
      const { act, real } = trail.events[d]
      if (!real || trail.before(e, d)) continue
      const choice = machine.locate(act.choice & ~FORKED)
      if (choice < 0) break
      events.push(d)
      taken.push(choice)
      const outcome = machine.take(choice)
      if (outcome !== 0 && machine.violation !== null) return this.#path.fail(machine.violation, [...this.#path.choices(e), ...taken])
      if (this.#opens[d] === e) this.#planWays(e, d, vcpu, before, events)
      if (outcome !== 0) break
    }
    for (let k = 0; k < events.length; k++) machine.undo()
  }

  /** The machine has taken `events`, the last of them d, from node e: plans the ways that it has now and did not have there. */
  #planWays(e: number, d: number, vcpu: number, before: readonly number[], events: readonly number[]): void {
    const { machine, trail, cells, acts } = this.#path
    for (const name of this.#chooser.waysOf(vcpu, e)) {
      if (before.includes(name)) continue
      machine.take(machine.locate(name))
      cells.read(machine.footprint)
      machine.undo()
      const at = trail.depth
      trail.events[at].act = acts.make(name | FORKED, cells.number(), null)
      this.#sequence.clear()
      for (const event of [...events, at]) this.#sequence.add(trail.events[event])
      const whole = this.#addRest(e, d, at)
      const explored = this.#sequence.isExplored(e, whole)
      this.#sequence.cut(events.length + 1)
      if (!explored) this.#sequence.insert(e)
    }
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
      if (cells.conflict(trail.events[other].act.touched, trail.events[x].act.touched) || left.some((one) => trail.before(one, x))) left.push(x)
      else this.#sequence.add(trail.events[x])
    }
    return left.length === 0
  }
}
