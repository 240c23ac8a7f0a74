/** Race reversal: where an execution has ended, plans those in which two of its events come the other way round. */
import { choiceVcpu, packChoice, RUN } from '../../smp/choice.ts'
import { Footprint, FP_MEMORY_READ } from '../../smp/footprint.ts'
import { FORKED } from './act.ts'
import type { Loops } from './loops.ts'
import type { Path } from './path.ts'
import type { WakeupSequence } from './wakeupSequence.ts'

export class Reversals {
  readonly #path: Path
  readonly #sequence: WakeupSequence
  readonly #loops: Loops

  /** Of a poll in vain, which is not taken. */
  readonly #poll = new Footprint()

  constructor(path: Path, sequence: WakeupSequence, loops: Loops) {
    this.#path = path
    this.#sequence = sequence
    this.#loops = loops
  }

  /** The races of the events from `from` on. */
  reverseRaces(from: number): void {
    const { trail } = this.#path
    for (let d = from; d < trail.depth; d++) {
      const { blockable, raceAt, raceEnd } = trail.events[d]
      if (blockable) this.#reverseAwait(d)
      else for (let k = raceAt; k < raceEnd; k++) this.#reverse(trail.races[k], d)
    }
    this.#path.comeBack()
  }

  /** `vcpu` waits, or polls a byte, to the end: plans the executions in which it came in time for what others have changed since. */
  reverseWait(vcpu: number): void {
    if (this.#path.fault === 'no-wait-reversal') return
    const { machine, trail, cells } = this.#path
    const d = trail.depth
    const run = packChoice(RUN, vcpu)
    const name = machine.identify(run)
    const fenced = machine.needsDrains(run)
    const polled = machine.polledAddress(vcpu)
    if (polled >= 0) {
      this.#poll.clear()
      this.#poll.add(FP_MEMORY_READ, polled, 1)
      cells.read(this.#poll)
    } else {
      machine.take(run)
      cells.read(machine.footprint)
      machine.undo()
    }
    trail.events[d].real = false
    trail.push(name, 0, fenced, false)
    this.#reverseAwait(d)
    trail.pop()
    this.#path.comeBack()
  }

  /**
   * Event d of a vCPU may be possible only after some of the writes that it conflicts with: plans the execution in
   * which it comes as late as it can, but before one of them.
   */
  #reverseAwait(d: number): void {
    const { trail, cells } = this.#path
    const { act, previous } = trail.events[d]
    for (let e = d - 1; e >= 0; e--) {
      const other = trail.events[e].act
      if (other.process >> 1 === act.process >> 1 || !cells.conflict(other.touched, act.touched) || !trail.before(e, d)) continue
      if (previous >= 0 && trail.before(e, previous)) continue
      if (this.#reverse(e, d)) return
    }
  }

  /**
   * Plans an execution in which event `d` comes before event `e`, unless one is explored or planned already.
   * False: `d` is not possible there.
   */
  #reverse(e: number, d: number): boolean {
    const { trail, floor, fault } = this.#path
    if (e < floor) return true
    const { act, blockable, real, varies } = trail.events[d]
    const earlier = trail.events[e].act.process
    if (fault === 'lost-race' && (d & 3) === 3) return true
    if (fault === 'no-drain-race' && (act.process & 1) === 1 && (earlier & 1) === 0) return true
    const sequence = this.#sequence
    // A load may have had to wait for the own drain.
    const own = (act.process & 1) === 0 && earlier === act.process + 1
    const blocked = blockable || !real || own
    if (!blocked && sequence.isKnown(e, d)) return true
    sequence.reverse(e, d)
    if (blocked && !this.#reaches(e)) return false
    // What sleeps there may depend on what d comes to touch.
    if (!sequence.isExplored(e, !varies)) sequence.insert(e)
    return true
  }

  /** Whether the sequence can be carried out from node `e`, by trying; the machine stays there. */
  #reaches(e: number): boolean {
    const { machine, trail } = this.#path
    const { events, length } = this.#sequence
    this.#path.goTo(e)
    let taken = 0
    let possible = true
    for (let k = 0; k < length && possible; k++) {
      const event = events[k]!
      const choice = machine.locate(event.act.choice & ~FORKED)
      possible = choice >= 0
      if (!possible) break
      if (k === length - 1) {
        const vcpu = choiceVcpu(choice)
        const outcome = machine.take(choice)
        this.#loops.note(trail.depth, machine.quiet)
        possible = outcome !== 0 || !machine.quiet || !machine.canContinue(vcpu) || !this.#loops.closesTurn(trail.depth, event.previous, vcpu)
        machine.undo()
        break
      }
      taken++
      event.stepAt = machine.step
      if (machine.take(choice) !== 0) break
    }
    while (taken-- > 0) machine.undo()
    return possible
  }
}
