/**
 * The hypervisor: vCPUs that share fewer pCPUs (knob `pcpus`). A vCPU that holds no pCPU does nothing; its next event or interrupt is
 * also how it gets a free one, so which of those that wait runs is a choice like any other. It loses its pCPU in two ways: it sleeps, or
 * has ended, with nothing left to do; or the hypervisor takes it away for another (DESCHEDULE), between two instructions and with its
 * stores in memory. Which pCPU it is makes no difference.
 *
 * Where the guest can see who has no pCPU (image.ts, StealTime), the hypervisor sets `preempted` as it takes a pCPU away, be it of a vCPU
 * that sleeps, before another runs there; and clears it in a step of its own (SCHEDULE): a vCPU is seen to run before it does anything, and
 * after all that it does. If the guest has asked for it, translations are dropped in that step (KVM: kvm_steal_time_set_preempted,
 * record_steal_time). Other guests need pCPUs too: one may be taken away whether or not a vCPU of this guest waits for it.
 */
import type { Board } from './board.ts'
import { DESCHEDULE, packChoice, RUN, SCHEDULE } from './choice.ts'
import type { Choices } from './choices.ts'
import { FP_WRITE } from './footprint.ts'
import { STEAL_FLUSH, STEAL_PREEMPTED } from './image.ts'
import { ACTED, FETCHED_LENGTH, ON_PCPU } from './layout.ts'

export class Pcpus {
  readonly #board: Board
  readonly #choices: Choices
  readonly #count: number
  /** Who has a pCPU can be seen. */
  readonly #seen: boolean

  constructor(board: Board, choices: Choices) {
    this.#board = board
    this.#choices = choices
    this.#count = board.model.pcpus === 0 ? board.vcpuCount : board.model.pcpus
    this.#seen = board.image.stealTime !== undefined
    for (let v = 0; v < board.vcpuCount && this.#seen; v++) {
      const g = board.memory.granule(board.memory.index(this.#flagOf(v)))
      board.sharing.noteWrite(g, g, EVERYBODY)
    }
  }

  /** While init and final code run alone, nothing here does. */
  get #matters(): boolean {
    return this.#board.sharesPcpus && this.#board.running()
  }

  /** The vCPUs start: with a pCPU each where there are so many, and it makes a difference. */
  begin(): void {
    if (!this.#seen) return
    if (this.#count >= this.#board.vcpuCount) return this.#board.store.set(ON_PCPU, (1 << this.#board.vcpuCount) - 1)
    for (let v = 0; v < this.#board.vcpuCount; v++) this.#write(v, STEAL_PREEMPTED)
  }

  holds(v: number): boolean {
    return !this.#matters || ((this.#board.store.w[ON_PCPU] >>> v) & 1) === 1
  }

  /** It holds a pCPU, or there is one for it that it gets with its next event. */
  mayRun(v: number): boolean {
    return this.holds(v) || (!this.#seen && this.#someFree())
  }

  /** `v` is about to act, or to begin to (SCHEDULE). */
  take(v: number): void {
    if (this.holds(v)) return
    this.#set(v, true)
    this.#board.observer?.({ kind: 'schedule', vcpu: v, address: 0, sizeBytes: 0, value: 0 })
    if (!this.#seen) return this.#board.onTables(v)
    const asked = this.#board.memory.u8[this.#board.memory.index(this.#flagOf(v))]
    this.#write(v, 0)
    if ((asked & STEAL_FLUSH) !== 0) this.#board.buses[v].invalidateTlb(true)
    this.#board.onTables(v)
  }

  /** The choices of whom to give a pCPU, and whom to take one away from. */
  listOwn(out: Int32Array, count: number): number {
    if (!this.#matters) return count
    const { vcpuCount } = this.#board
    const someFree = this.#someFree()
    for (let v = 0; v < vcpuCount && this.#seen && someFree; v++) if (!this.holds(v) && this.#hasWork(v)) out[count++] = packChoice(SCHEDULE, v)
    const wanted = this.#seen || (!someFree && this.#someWaiting())
    for (let v = 0; v < vcpuCount && wanted; v++)
      // A VM exit comes between two instructions, and what one has done that nobody can see might as well come behind it; before another vCPU runs there, the hypervisor's LOCKed instructions have emptied the buffer.
      if (this.holds(v) && this.#board.wordOf(v, ACTED) === 0 && this.#board.wordOf(v, FETCHED_LENGTH) === 0 && this.#board.buffered(v) === 0) out[count++] = packChoice(DESCHEDULE, v)
    return count
  }

  /** @param why the hypervisor takes its pCPU away (0); it has nothing to do (1); it yields (2) */
  deschedule(v: number, why: 0 | 1 | 2 = this.#choices.canContinue(v) ? 0 : 1): void {
    this.#board.losingTranslations(() => this.#set(v, false))
    this.#board.observer?.({ kind: 'deschedule', vcpu: v, address: 0, sizeBytes: 0, value: why })
    if (this.#seen) this.#write(v, STEAL_PREEMPTED)
  }

  /** After a step of `actor`: who yields to somebody gives up its pCPU, and who has nothing to do any more, unless others see when. */
  settle(actor: number): void {
    if (!this.#matters) return
    if (this.#board.yields && (this.#seen || (!this.#someFree() && this.#someWaiting()))) this.deschedule(actor, 2)
    for (let v = 0; v < this.#board.vcpuCount && !this.#seen; v++)
      if (this.holds(v) && this.#board.buffered(v) === 0 && !this.#choices.canContinue(v)) this.deschedule(v, 1)
  }

  #hasWork(v: number): boolean {
    return this.#choices.canContinue(v) || this.#choices.listInterrupts(v, this.#choices.scratch, 0) > 0
  }

  /** Somebody would do something if it had a pCPU. */
  #someWaiting(): boolean {
    for (let v = 0; v < this.#board.vcpuCount; v++) if (!this.holds(v) && this.#hasWork(v)) return true
    return false
  }

  /** What is kept from happening by the lack of a pCPU: the choices of those who have none, where none is free, or they have to be given it first. */
  listHeldUp(out: Int32Array): number {
    let count = 0
    if (!this.#matters || (!this.#seen && this.#someFree())) return count
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

  #flagOf(v: number): number {
    const { address, strideBytes } = this.#board.image.stealTime!
    return (address + v * strideBytes) | 0
  }

  #write(v: number, value: number): void {
    const at = this.#flagOf(v)
    this.#board.quiet = false
    this.#board.footprint.add(FP_WRITE, at, 1)
    this.#board.writeMemory(v, at, 1, value, 0, 0)
    this.#board.observer?.({ kind: 'steal', vcpu: v, address: at, sizeBytes: 1, value })
  }
}

/** The hypervisor is nobody of those who share memory, so every access to what it writes is seen. */
const EVERYBODY = -1
