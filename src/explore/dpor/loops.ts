/**
 * Waiting, found from the machine code: a vCPU that comes back to the place and the registers that it had, and
 * changed nothing meanwhile (a *quiet* turn of a loop; its stack may change and be restored), waits for others. What the registers hold that the code
 * overwrites before it reads them does not count.
 */
import { CF, EFLAGS, EIP, REGISTER_WORDS } from '../../cpu/registers.ts'
import { CARRY_LIVE, OTHER_FLAGS_LIVE } from '../../cpu/liveness.ts'
import { grown } from './cells.ts'
import type { Reducible } from './reducible.ts'

/** PF, AF, ZF, SF, OF. */
const OTHER_FLAGS = 0x8d4
/** Events of one turn at the most. */
export const TURN_MAX = 64

export class Loops {
  readonly #machine: Reducible
  /** Registers of the vCPU of event d before the instruction that made it. */
  #registers = new Int32Array(64 * REGISTER_WORDS)
  /** The event changed nothing but registers and the stack; it was the first of its instruction. */
  #quiet = new Uint8Array(64)
  #begins = new Uint8Array(64)

  constructor(machine: Reducible) {
    this.#machine = machine
  }

  /** Event d has been taken by the machine; `quiet`: it changed nothing but registers and the stack. */
  note(d: number, quiet: boolean): void {
    if ((d + 1) * REGISTER_WORDS > this.#registers.length) {
      this.#registers = grown(this.#registers)
      const quiet = new Uint8Array(this.#quiet.length * 2)
      quiet.set(this.#quiet)
      this.#quiet = quiet
      const begins = new Uint8Array(this.#begins.length * 2)
      begins.set(this.#begins)
      this.#begins = begins
    }
    this.#quiet[d] = quiet ? 1 : 0
    this.#begins[d] = quiet && this.#machine.eventBegins ? 1 : 0
    if (this.#begins[d] === 1) this.#registers.set(this.#machine.eventRegisters, d * REGISTER_WORDS)
  }

  isQuiet(d: number): boolean {
    return this.#quiet[d] === 1
  }

  /** Whether `vcpu` stands again where it stood before event d. */
  isBackAt(d: number, vcpu: number): boolean {
    const at = d * REGISTER_WORDS
    const then = this.#registers
    const now = this.#machine.registersOf(vcpu)
    if (this.#begins[d] === 0 || then[at + EIP] !== now[EIP] || !this.#machine.betweenInstructions(vcpu)) return false
    let differ = 0
    for (let k = 0; k < REGISTER_WORDS; k++) {
      if (then[at + k] === now[k]) continue
      if (k < 8) differ |= 1 << k
      else if (k === EFLAGS) {
        const changed = then[at + k] ^ now[k]
        if ((changed & ~(CF | OTHER_FLAGS)) !== 0) return false
        differ |= ((changed & CF) !== 0 ? CARRY_LIVE : 0) | ((changed & OTHER_FLAGS) !== 0 ? OTHER_FLAGS_LIVE : 0)
      } else return false
    }
    return differ === 0 || (differ & this.#machine.liveRegisters(vcpu)) === 0
  }
}
