/** Race reversal: where an execution has ended, plans those in which two of its events come the other way round. */
import { choiceVcpu, packChoice, RUN } from '../../smp/choice.ts'
import { Footprint, FP_MEMORY_READ } from '../../smp/footprint.ts'
import { FORKED } from './dependence.ts'
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
    const { trail, blockable } = this.#path
    for (let d = from; d < trail.depth; d++)
      if (blockable[d] === 1) this.#reverseAwait(d)
      else for (let k = trail.raceAt[d]; k < trail.raceAt[d + 1]; k++) this.#reverse(trail.races[k], d)
    this.#path.comeBack()
  }

  /** `vcpu` waits, or polls a byte, to the end: plans the executions in which it came in time for what others have changed since. */
  reverseWait(vcpu: number): void {
    if (this.#path.fault === 'no-wait-reversal') return
    const { machine, trail, cells, real } = this.#path
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
    real[d] = 0
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
    const vcpu = trail.process[d] >> 1
    const previous = trail.previousOf(d)
    for (let e = d - 1; e >= 0; e--) {
      if (trail.process[e] >> 1 === vcpu || !cells.conflict(trail.touched[e], trail.touched[d]) || !trail.before(e, d)) continue
      if (previous >= 0 && trail.before(e, previous)) continue
      if (this.#reverse(e, d)) return
    }
  }

  /**
   * Plans an execution in which event `d` comes before event `e`, unless one is explored or planned already.
   * False: `d` is not possible there.
   */
  #reverse(e: number, d: number): boolean {
    const { trail, floor, blockable, real, varies, fault } = this.#path
    if (e < floor) return true
    if (fault === 'lost-race' && (d & 3) === 3) return true
    if (fault === 'no-drain-race' && (trail.process[d] & 1) === 1 && (trail.process[e] & 1) === 0) return true
    const sequence = this.#sequence
    // A load may have had to wait for the own drain.
    const own = (trail.process[d] & 1) === 0 && trail.process[e] === trail.process[d] + 1
    const blocked = blockable[d] === 1 || real[d] === 0 || own
    if (!blocked && sequence.isKnown(e, d)) return true
    sequence.reverse(e, d)
    if (blocked && !this.#reaches(e)) return false
    // What sleeps there may depend on what d comes to touch.
    if (!sequence.isExplored(e, varies[d] === 0)) sequence.insert(e)
    return true
  }

  /** Whether the sequence can be carried out from node `e`, by trying; the machine stays there. */
  #reaches(e: number): boolean {
    const { machine, trail, stepAt } = this.#path
    const { events, length } = this.#sequence
    this.#path.goTo(e)
    let taken = 0
    let possible = true
    for (let k = 0; k < length && possible; k++) {
      const choice = machine.locate(trail.choice[events[k]] & ~FORKED)
      possible = choice >= 0
      if (!possible) break
      if (k === length - 1) {
        const vcpu = choiceVcpu(choice)
        const outcome = machine.take(choice)
        this.#loops.note(trail.depth, machine.quiet)
        const previous = trail.previousOf(events[k])
        possible = outcome !== 0 || !machine.quiet || !machine.canContinue(vcpu) || !this.#loops.closesTurn(trail.depth, previous, vcpu)
        machine.undo()
        break
      }
      taken++
      stepAt[events[k]] = machine.step
      if (machine.take(choice) !== 0) break
    }
    while (taken-- > 0) machine.undo()
    return possible
  }
}
