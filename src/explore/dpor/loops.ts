/**
 * Waiting, found from the machine code: a vCPU that comes back to the place and the registers that it had, and
 * changed nothing meanwhile (a *quiet* turn of a loop; its stack may change and be restored), waits for others. What the registers hold that the code
 * overwrites before it reads them does not count.
 */
import { CF, EFLAGS, EIP, MAIN_REGISTERS } from '../../cpu/registers.ts'
import { CARRY_LIVE, differingParts, OTHER_FLAGS_LIVE } from '../../cpu/liveness.ts'
import { packChoice, RUN } from '../../smp/choice.ts'
import { grown, grownFlags } from './cells.ts'
import type { Path } from './path.ts'
import type { Reducible } from './reducible.ts'

/** PF, AF, ZF, SF, OF. */
const OTHER_FLAGS = 0x8d4
/** Events of one turn at the most. */
const TURN_MAX = 64

export class Loops {
  readonly #path: Path
  readonly #machine: Reducible
  /** Main registers of the vCPU of event d before the instruction that made it. */
  #registers = new Int32Array(64 * MAIN_REGISTERS)
  /** The event changed nothing but registers and the stack; it was the first of its instruction. */
  #quiet = new Uint8Array(64)
  #begins = new Uint8Array(64)

  constructor(path: Path) {
    this.#path = path
    this.#machine = path.machine
  }

  /** Event d has been taken by the machine; `quiet`: it changed nothing but registers and the stack. */
  note(d: number, quiet: boolean): void {
    if ((d + 1) * MAIN_REGISTERS > this.#registers.length) {
      this.#registers = grown(this.#registers)
      this.#quiet = grownFlags(this.#quiet)
      this.#begins = grownFlags(this.#begins)
    }
    this.#quiet[d] = quiet ? 1 : 0
    this.#begins[d] = quiet && this.#machine.eventBegins ? 1 : 0
    if (this.#begins[d] === 0) return
    const from = this.#machine.eventRegisters
    const at = d * MAIN_REGISTERS
    for (let k = 0; k < MAIN_REGISTERS; k++) this.#registers[at + k] = from[k]
  }

  /** Whether the event in slot d brought `vcpu`, whose event before was `previous`, back to where it stood before, without effect. */
  closesTurn(d: number, previous: number, vcpu: number): boolean {
    if (this.#isBackAt(d, vcpu) && this.#restoresSince(vcpu, d, d, previous)) return true
    let event = previous
    for (let k = 0; k < TURN_MAX && event >= 0 && this.#quiet[event] === 1; k++) {
      if (this.#isBackAt(event, vcpu) && this.#restoresSince(vcpu, event, d, previous)) return true
      event = this.#path.trail.events[event].previous
    }
    return false
  }

  /** The events of `vcpu` from `since` to the one in slot d left its stack and its other registers as they were. */
  #restoresSince(vcpu: number, since: number, d: number, previous: number): boolean {
    const steps = [this.#machine.step - 1]
    const { events } = this.#path.trail
    for (let event = since === d ? -1 : previous; event >= since; event = events[event].previous) steps.unshift(events[event].stepAt)
    return this.#machine.restored(vcpu, steps)
  }

  /**
   * The loop that `vcpu` is in, with what memory holds now: it leaves it; it waits in it for others for ever; or it goes
   * on in it for ever where it stores, and loads nothing that others could change: it works there, for all that is known, and does not wait.
   */
  fateOf(vcpu: number): 'leaves' | 'waits' | 'works' {
    const machine = this.#machine
    const { observer } = machine
    machine.observer = null
    let fate: 'leaves' | 'waits' | 'works' = 'leaves'
    if (this.#goesRound(vcpu) !== null) {
      // Accesses are counted where steps are executed, not done again.
      machine.observer = () => {}
      const { privateStores, foreignLoads } = machine
      const looks = this.#goesRound(vcpu) === 'looks'
      fate = looks || machine.foreignLoads > foreignLoads || machine.privateStores === privateStores ? 'waits' : 'works'
    }
    machine.observer = observer
    return fate
  }

  /** Whether `vcpu` comes back to where it is, or was on the way, and loads what is shared meanwhile; null: it does not. The machine stays. */
  #goesRound(vcpu: number): 'looks' | 'blindly' | null {
    const machine = this.#machine
    const from = this.#path.trail.depth
    const first = machine.step
    let back = false
    let looks = false
    let taken = 0
    while (!back && taken < 2 * TURN_MAX && machine.canContinue(vcpu)) {
      taken++
      if (machine.take(packChoice(RUN, vcpu)) !== 0 || !machine.quiet) break
      looks ||= machine.footprint.hasLoads()
      this.note(from + taken - 1, true)
      for (let d = from; d < from + taken && !back; d++) {
        if (!this.#isBackAt(d, vcpu)) continue
        back = machine.restored(vcpu, Array.from({ length: from + taken - d }, (_, k) => first + d - from + k))
      }
    }
    while (taken-- > 0) machine.undo()
    return !back ? null : looks ? 'looks' : 'blindly'
  }

  /** Whether `vcpu` stands again where it stood before event d, as far as its main registers go. */
  #isBackAt(d: number, vcpu: number): boolean {
    const at = d * MAIN_REGISTERS
    const then = this.#registers
    const now = this.#machine.registersOf(vcpu)
    if (this.#begins[d] === 0 || then[at + EIP] !== now[EIP] || !this.#machine.betweenInstructions(vcpu)) return false
    let differ = 0
    for (let k = 0; k < 8; k++) if (then[at + k] !== now[k]) differ |= differingParts(k, then[at + k], now[k])
    const flags = this.#path.fault === 'no-flags' ? 0 : then[at + EFLAGS] ^ now[EFLAGS]
    if ((flags & ~(CF | OTHER_FLAGS)) !== 0) return false
    differ |= ((flags & CF) !== 0 ? CARRY_LIVE : 0) | ((flags & OTHER_FLAGS) !== 0 ? OTHER_FLAGS_LIVE : 0)
    return differ === 0 || (differ & this.#machine.liveRegisters(vcpu)) === 0
  }
}
