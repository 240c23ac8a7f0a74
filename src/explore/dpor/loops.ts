/**
 * Waiting, found from the machine code: a vCPU that comes back to the place and the registers that it had, and
 * changed nothing meanwhile (a *quiet* turn of a loop), waits for others. What the registers hold that the code
 * overwrites before it reads them does not count.
 */
import { EFLAGS, EIP, REGISTER_WORDS } from '../../cpu/registers.ts'
import { FLAGS_LIVE } from '../../cpu/liveness.ts'
import { grown } from './cells.ts'
import type { Reducible } from './reducible.ts'

const ARITHMETIC_FLAGS = 0x8d5
/** Events of one turn at the most. */
export const TURN_MAX = 64

export class Loops {
  readonly #machine: Reducible
  /** Registers of the vCPU of event d before it. */
  #registers = new Int32Array(64 * REGISTER_WORDS)
  /** The event changed nothing but registers; it began between two instructions. */
  #quiet = new Uint8Array(64)
  #between = new Uint8Array(64)

  constructor(machine: Reducible) {
    this.#machine = machine
  }

  /** Event d of `vcpu` is about to be taken. */
  before(d: number, vcpu: number): void {
    if ((d + 1) * REGISTER_WORDS > this.#registers.length) {
      this.#registers = grown(this.#registers)
      const quiet = new Uint8Array(this.#quiet.length * 2)
      quiet.set(this.#quiet)
      this.#quiet = quiet
      const between = new Uint8Array(this.#between.length * 2)
      between.set(this.#between)
      this.#between = between
    }
    this.#registers.set(this.#machine.registersOf(vcpu), d * REGISTER_WORDS)
    this.#between[d] = this.#machine.betweenInstructions(vcpu) ? 1 : 0
  }

  /** Event d has been taken; `quiet`: it changed nothing but registers. */
  after(d: number, quiet: boolean): void {
    this.#quiet[d] = quiet ? 1 : 0
  }

  isQuiet(d: number): boolean {
    return this.#quiet[d] === 1
  }

  /** Whether `vcpu` stands again where it stood before event d. */
  isBackAt(d: number, vcpu: number): boolean {
    const at = d * REGISTER_WORDS
    const then = this.#registers
    const now = this.#machine.registersOf(vcpu)
    if (then[at + EIP] !== now[EIP] || this.#between[d] === 0 || !this.#machine.betweenInstructions(vcpu)) return false
    let differ = 0
    for (let k = 0; k < REGISTER_WORDS; k++) {
      if (then[at + k] === now[k]) continue
      if (k < 8) differ |= 1 << k
      else if (k === EFLAGS && ((then[at + k] ^ now[k]) & ~ARITHMETIC_FLAGS) === 0) differ |= FLAGS_LIVE
      else return false
    }
    return differ === 0 || (differ & this.#machine.liveRegisters(vcpu)) === 0
  }

  /** EIP before event d. */
  placeOf(d: number): number {
    return this.#registers[d * REGISTER_WORDS + EIP]
  }
}
