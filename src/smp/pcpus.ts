/**
 * The hypervisor: vCPUs that share fewer pCPUs (knob `pcpus`). A vCPU that holds no pCPU does nothing; its next event or interrupt is
 * also how it gets a free one, so which of those that wait runs is a choice like any other. It loses its pCPU in two ways: it sleeps, or
 * has ended, with nothing left to do; or the hypervisor takes it away for another (DESCHEDULE), between two instructions and with its
 * stores in memory. Which pCPU it is makes no difference.
 */
import type { Board } from './board.ts'
import { DESCHEDULE, packChoice, RUN } from './choice.ts'
import type { Choices } from './choices.ts'
import { ACTED, FETCHED_LENGTH, ON_PCPU } from './layout.ts'

export class Pcpus {
  readonly #board: Board
  readonly #choices: Choices
  readonly #count: number

  constructor(board: Board, choices: Choices) {
    this.#board = board
    this.#choices = choices
    this.#count = board.model.pcpus
  }

  /** While init and final code run alone, nothing here does. */
  get #matters(): boolean {
    return this.#board.sharesPcpus && this.#board.running()
  }

  holds(v: number): boolean {
    return !this.#matters || ((this.#board.store.w[ON_PCPU] >>> v) & 1) === 1
  }

  /** It holds a pCPU, or there is one for it. */
  mayRun(v: number): boolean {
    return this.holds(v) || this.#someFree()
  }

  /** `v` is about to act. */
  take(v: number): void {
    if (this.holds(v)) return
    this.#set(v, true)
    this.#board.observer?.({ kind: 'schedule', vcpu: v, address: 0, sizeBytes: 0, value: 0 })
  }

  /** The choices of whom to take a pCPU away from. */
  listDeschedules(out: Int32Array, count: number): number {
    if (!this.#matters || this.#someFree()) return count
    const waiting = this.#someWaiting()
    for (let v = 0; v < this.#board.vcpuCount && waiting; v++)
      // A VM exit comes between two instructions, and what one has done that nobody can see might as well come behind it; before another vCPU runs there, the hypervisor's LOCKed instructions have emptied the buffer.
      if (this.holds(v) && this.#board.wordOf(v, ACTED) === 0 && this.#board.wordOf(v, FETCHED_LENGTH) === 0 && this.#board.buffered(v) === 0) out[count++] = packChoice(DESCHEDULE, v)
    return count
  }

  /** @param why the hypervisor takes its pCPU away (0); it has nothing to do (1); it yields (2) */
  deschedule(v: number, why: 0 | 1 | 2 = 0): void {
    this.#set(v, false)
    this.#board.observer?.({ kind: 'deschedule', vcpu: v, address: 0, sizeBytes: 0, value: why })
  }

  /** After a step of `actor`: who has nothing to do any more, or yields to somebody, gives up its pCPU. */
  settle(actor: number): void {
    if (!this.#matters) return
    if (this.#board.yields && !this.#someFree() && this.#someWaiting()) this.deschedule(actor, 2)
    for (let v = 0; v < this.#board.vcpuCount; v++)
      if (this.holds(v) && this.#board.buffered(v) === 0 && !this.#choices.canContinue(v)) this.deschedule(v, 1)
  }

  /** Somebody would do something if it had a pCPU. */
  #someWaiting(): boolean {
    const { scratch } = this.#choices
    for (let v = 0; v < this.#board.vcpuCount; v++)
      if (!this.holds(v) && (this.#choices.canContinue(v) || this.#choices.listInterrupts(v, scratch, 0) > 0)) return true
    return false
  }

  /** What is kept from happening by the lack of a pCPU: the choices of those who have none, where none is free. */
  listHeldUp(out: Int32Array): number {
    let count = 0
    if (!this.#matters || this.#someFree()) return count
    for (let v = 0; v < this.#board.vcpuCount; v++) {
      if (this.holds(v)) continue
      if (this.#choices.canContinue(v)) out[count++] = packChoice(RUN, v)
      count = this.#choices.listInterrupts(v, out, count)
    }
    return count
  }

  #someFree(): boolean {
    let held = this.#board.store.w[ON_PCPU]
    let count = 0
    for (; held !== 0; held &= held - 1) count++
    return count < this.#count
  }

  #set(v: number, holds: boolean): void {
    const { store } = this.#board
    store.set(ON_PCPU, holds ? store.w[ON_PCPU] | (1 << v) : store.w[ON_PCPU] & ~(1 << v))
  }
}
