/**
 * N vCPUs over shared memory as one labelled transition system: `enabled` lists the choices, `take` performs
 * exactly one event and the invisible work up to the next one, `undo` reverts it. Every scheduler, engine,
 * replayer and property uses these three and nothing else.
 *
 * A vCPU that is not running is *parked* just before its next visible event (layout.ts, `AT_...`). Work that
 * no other actor can observe (sharing.ts) is done at once, as part of the step before it.
 *
 * The parts: board.ts, choices.ts, execution.ts, knownCode.ts, turns.ts.
 *
 * Phases: `init` alone on vCPU 0, then all vCPUs, then `final` alone when every vCPU has ended and every
 * buffer is empty.
 */
import { ALL_LIVE } from '../cpu/liveness.ts'
import { MAIN_REGISTERS, REGISTER_WORDS } from '../cpu/registers.ts'
import type { WayOut } from '../cpu/wayOut.ts'
import { Board, type BoardOptions } from './board.ts'
import { DESCHEDULE, DRAIN, INTERRUPT, NMI, RUN, choiceArgument, choiceKind, choiceVcpu, isDeclared, isEvent } from './choice.ts'
import { Choices } from './choices.ts'
import { Execution } from './execution.ts'
import type { Observer } from './events.ts'
import type { MachineImage } from './image.ts'
import { KnownCode } from './knownCode.ts'
import {
  AT_END, AT_LOAD, AT_NOTHING, AT_POLL, ENDED, PENDING, PENDING_ADDRESS, PHASE, PHASE_DONE, PHASE_FINAL, PHASE_INIT, PHASE_RUN, POSED, RUNNABLE,
  STATUS,
} from './layout.ts'
import type { Model } from './model.ts'
import { Pcpus } from './pcpus.ts'
import { BY_INTERRUPT, BY_NMI } from './sharing.ts'
import { describeWait, kindOfStandstill } from './standstill.ts'
import { Turns } from './turns.ts'

export interface MachineOptions extends BoardOptions {
  /** Somebody looks at the registers of vCPUs that have ended; default no. */
  readonly looksAtRegisters?: boolean
  /**
   * Registers and flags that can no longer matter are overwritten where a vCPU parks, so that states which differ in nothing else are
   * one; default no. What the machine does, and what it can choose, stays the same.
   */
  readonly forgets?: boolean
  /** Steps are remembered (stepMemo.ts); default yes. */
  readonly memo?: boolean
  /** Turns of loops that count are taken at once (turns.ts): schedules are no longer those of the plain machine; default no. */
  readonly spins?: boolean
  /** Makes an observer that is told of the first steps too, which the machine takes as it is made. */
  readonly observe?: (machine: Machine) => Observer
}

/** `take`: the execution went on, was judged violated, or was cut by an assumption. */
export const WENT_ON = 0
export const VIOLATED = 1
export const CUT = 2

const MARKS_MIN = 1024

/** Vectors of exceptions and NMIs; above are interrupts. */
const EXCEPTIONS = 32

export class Machine extends Board {
  readonly #known: KnownCode
  readonly #choices: Choices
  readonly #execution: Execution
  readonly #pcpus: Pcpus
  /** Null: no turns are taken at once. */
  readonly #turns: Turns | null
  #marks = new Int32Array(MARKS_MIN)
  /** Step that `undo` cannot go below. */
  #floor = 0

  constructor(image: MachineImage, model: Model, options: MachineOptions = {}) {
    super(image, model, options)
    // A handler of exceptions sees the registers and, on its stack, the flags.
    const forgets = options.forgets === true && image.handledVectors.every((vector) => vector >= EXCEPTIONS)
    this.#known = new KnownCode(this, options.looksAtRegisters === true ? ALL_LIVE : 0)
    this.#choices = new Choices(this)
    this.#pcpus = new Pcpus(this, this.#choices)
    this.#execution = new Execution(this, this.#choices, forgets ? this.#known : null, options.memo !== false && this.watchers.canBeIdle)
    this.#turns = options.spins === true ? new Turns(this, this.#choices, this.#execution, this.#known, forgets) : null
    this.watchers.attach(this, this.layout.ghosts)
    for (const source of image.interrupts) this.sharing.interruptible[source.vcpu] |= source.nmi ? BY_NMI : BY_INTERRUPT
    this.observer = options.observe?.(this) ?? null
    this.#start()
    this.store.seal()
    ;[this.store.h0, this.store.h1] = this.store.fullHash()
  }

  /** Lists the choices of this state in a fixed order; returns their number, 0 at the end of an execution. */
  enabled(out: Int32Array): number {
    if (this.violation !== null || this.isCut) return 0
    const phase = this.store.w[PHASE]
    if (phase === PHASE_DONE) return 0
    const actors = phase === PHASE_RUN ? this.cpus.length : 1
    let count = 0
    for (let v = 0; v < actors; v++) {
      const mayRun = this.#pcpus.mayRun(v)
      if (mayRun && this.#choices.canContinue(v)) count = this.#choices.listRuns(v, out, count)
      if (this.buffered(v) > 0) count = this.#choices.listDrains(v, out, count)
      if (mayRun && phase === PHASE_RUN && this.sharing.interruptible[v] !== 0) count = this.#choices.listInterrupts(v, out, count)
    }
    return this.#pcpus.listOwn(out, count)
  }

  /** Performs one choice of `enabled`. */
  take(choice: number): number {
    this.#pushMark()
    this.step++
    this.footprint.clear()
    this.quiet = true
    this.effect = false
    this.progressed = 0
    this.eventBegins = false
    this.spun = 0
    this.yields = false
    const v = choiceVcpu(choice)
    const argument = choiceArgument(choice)
    if (isEvent(choice)) this.#pcpus.take(v)
    switch (choiceKind(choice)) {
      case DRAIN:
        // A way that was recorded before more memory was known to be shared may have a store that is none here.
        if (argument < this.buffered(v)) this.#execution.drain(v, argument)
        break
      case RUN:
        ;(this.#turns ?? this.#execution).step(v, argument)
        break
      case INTERRUPT:
        this.#execution.acceptInterrupt(v, argument)
        break
      case NMI:
        this.#execution.acceptNmi(v, argument)
        break
      case DESCHEDULE:
        this.#pcpus.deschedule(v)
        break
    }
    this.#choices.changed()
    if (this.violation === null && !this.isCut) {
      this.#pcpus.settle(v)
      this.#progressPhase()
    }
    this.#choices.changed()
    if (this.fetchView.capped) this.weaken(`the fetch history was full (fetchHistory=${this.model.fetchHistory})`)
    if (this.translations !== null && this.translations.capped) this.weaken(`a vCPU had more stale translations than are kept (tlbEntries=${this.model.tlbEntries})`)
    return this.violation !== null ? VIOLATED : this.isCut ? CUT : WENT_ON
  }

  /** Reverts the last `take`. */
  undo(): void {
    if (this.step === this.#floor) throw new Error('undo beyond what was kept')
    this.#choices.changed()
    this.step--
    this.store.undoTo(this.#marks[this.step])
    this.violation = null
    this.isCut = false
  }

  /** What happened so far can no longer be undone: for long runs, whose log would have no end. */
  forget(): void {
    this.#floor = this.step
    this.store.seal()
  }

  // --- for partial-order reduction (explore/dpor) and liveness (explore/liveness) ---

  /** The vCPU's next event can be made now: leaving it is a preemption. */
  canContinue(v: number): boolean {
    return this.#choices.canContinue(v) && this.#pcpus.holds(v)
  }

  /** What vCPUs that lack a pCPU would do: their choices, into `out`; returns how many there are. */
  heldUp(out: Int32Array): number {
    return this.#pcpus.listHeldUp(out)
  }

  needsDrains(choice: number): boolean {
    return this.#choices.needsDrains(choice)
  }

  alternatives(v: number): number {
    return this.#choices.alternatives(v)
  }

  openTo(v: number): number {
    return this.#choices.openTo(v)
  }

  canBeBlocked(choice: number): boolean {
    return this.#choices.canBeBlocked(choice)
  }

  orderFetches(): void {
    this.#choices.fetchesOrdered = true
  }

  /** A fetch variant by what it fetches: the numbers in `enabled` depend on what has been written to code so far. */
  identify(choice: number): number {
    return this.#choices.identify(choice)
  }

  /** The choice that `identify` would give this name here; -1: it is not enabled. */
  locate(name: number): number {
    return this.#choices.locate(name)
  }

  /** A fetch or a translation that lags behind. */
  isStaleView(choice: number): boolean {
    return this.#choices.isStaleView(choice)
  }

  /** A choice that the environment makes, not the scheduler: a stale fetch, an interrupt, the order of halves. */
  isEnvironmentChoice(choice: number): boolean {
    return this.#choices.isEnvironmentChoice(choice)
  }

  /** What a choice would access (explore/sampling/pos.ts). */
  accessOf(choice: number, out: { physical: number; sizeBytes: number; writes: boolean; signals: boolean }): void {
    this.#choices.accessOf(choice, out)
  }

  /** Registers that can matter where the vCPU stands (cpu/liveness.ts). */
  liveRegisters(v: number): number {
    return this.#known.liveRegisters(v)
  }

  idles(v: number): boolean {
    return this.#known.idles(v)
  }

  /** Where code that goes round through these addresses would go otherwise (cpu/wayOut.ts). */
  wayOut(v: number, executed: ReadonlySet<number>): WayOut {
    return this.#known.wayOut(v, executed)
  }

  get granules(): { readonly memory: number; granuleOf(physical: number): number } {
    const { memory } = this
    return { memory: memory.map.sizeBytes / 4, granuleOf: (physical) => memory.granule(memory.index(physical)) }
  }

  bufferedStoresOf(v: number): number {
    return this.buffered(v)
  }

  /** Physical address and size of each, oldest first. */
  bufferedStoresList(v: number): [number, number][] {
    const { buffer } = this.buses[v]
    return Array.from({ length: buffer.count }, (_, k) => [buffer.address(k), buffer.size(k)])
  }

  /**
   * Whether its stack, monitors' state, registers besides `eventRegisters`, and the question that it stands at are what they were before the
   * steps of these numbers (oldest first, all of this vCPU, all quiet).
   */
  restored(v: number, steps: readonly number[]): boolean {
    const olds = new Map<number, number>()
    const base = this.base(v)
    for (const step of steps)
      this.store.forEachBetween(this.#marks[step], step + 1 < this.step ? this.#marks[step + 1] - 2 : this.store.top, (index, old) => {
        const isRegister = index >= base + MAIN_REGISTERS && index < base + REGISTER_WORDS
        if ((isRegister || index === base + POSED || (index >= this.layout.ghosts && index < this.layout.quiet)) && !olds.has(index)) olds.set(index, old)
      })
    for (const [index, old] of olds) if (this.store.w[index] !== old) return false
    return true
  }

  /**
   * Whether it is known that the next step of `v` will end it, and do nothing that others can see but load from memory; and that nothing follows when
   * all vCPUs have ended. The footprint is that of the step then, which is not taken.
   */
  loadsAndEnds(v: number): boolean {
    if (this.quietWord(v, PENDING) !== AT_LOAD || this.image.final !== null || !this.#execution.isRememberable(v)) return false
    return this.#turns?.counts(v) !== true && this.memo.foresee(v)
  }

  /** It is parked before the first event of an instruction. */
  betweenInstructions(v: number): boolean {
    return !this.begun(v)
  }

  get unreducible(): string | null {
    // What a write leaves to be fetched depends on where each vCPU stands as it is made.
    if (this.fetchIsVisible && this.model.cpu.queueBytes > 0) return 'dpor does not handle prefetch queues; use --engine graph'
    if (this.fetchIsVisible && this.sharing.aliased) return 'dpor does not handle own stores to code through another linear address; use --engine graph, or --set smcMatch=physical'
    if (this.image.stealTime !== undefined) return 'dpor does not handle vCPUs that see who has a pCPU (XM_STEAL_TIME); use --engine graph'
    if (this.sharesPcpus) return `dpor does not handle fewer pCPUs than vCPUs (pcpus=${this.model.pcpus}); use --engine graph`
    if (this.model.storesOvertake) return 'dpor does not handle storeOrder=any; use --engine graph'
    return null
  }

  get footprintsVary(): boolean {
    return this.sharing.anyJudged || this.translationIsVisible
  }

  /** Address of the byte that a vCPU polls; -1: it polls none. */
  polledAddress(v: number): number {
    return this.quietWord(v, PENDING) === AT_POLL ? this.quietWord(v, PENDING_ADDRESS) >>> 0 : -1
  }

  kindOfStandstill(): string {
    return kindOfStandstill(this)
  }

  describeWait(v: number): string {
    return describeWait(this, v)
  }

  bufferedStores(): number {
    let sum = 0
    for (let v = 0; v < this.cpus.length; v++) sum += this.buffered(v)
    return sum
  }

  #start(): void {
    const store = this.store
    if (this.image.init !== null) {
      store.set(PHASE, PHASE_INIT)
      this.#enter(0, this.image.init)
      for (let v = 1; v < this.cpus.length; v++) this.setPending(v, AT_NOTHING, 0, 0, 1)
      this.#progressPhase()
    } else this.#startVcpus()
  }

  #startVcpus(): void {
    this.store.set(PHASE, PHASE_RUN)
    this.#pcpus.begin()
    for (let v = 0; v < this.cpus.length && this.violation === null; v++) this.#enter(v, this.image.vcpus[v].registers)
    this.#progressPhase()
  }

  #enter(v: number, registers: Int32Array): void {
    this.store.setAll(this.base(v), registers, REGISTER_WORDS)
    this.setWord(v, STATUS, RUNNABLE)
    this.setPending(v, AT_NOTHING, 0, 0, 1)
    this.buses[v].grant(false, AT_NOTHING, 0)
    if (this.running()) this.translations?.invalidate(v, this.cpus[v].r, true)
    this.#execution.advance(v, false)
  }

  /** A vCPU that could take a step lately. */
  #actor = 0

  #progressPhase(): void {
    const phase = this.store.w[PHASE]
    if (this.violation !== null || this.isCut) return
    if (phase === PHASE_DONE) return
    const actors = phase === PHASE_RUN ? this.cpus.length : 1
    if (this.#actor < actors && (this.buffered(this.#actor) > 0 || this.#choices.canContinue(this.#actor))) return
    let ended = true
    let interruptible = -1
    for (let v = 0; v < actors; v++) {
      const buffered = this.buffered(v)
      if (buffered === 0 && this.wordOf(v, STATUS) === ENDED) continue
      ended = false
      if (buffered > 0 || this.#choices.canContinue(v)) {
        this.#actor = v
        return
      }
      const { scratch } = this.#choices
      const count = this.#choices.listInterrupts(v, scratch, 0)
      if (count > 0 && (interruptible < 0 || scratch.subarray(0, count).some((one) => !isDeclared(one)))) interruptible = v
    }
    if (interruptible >= 0) {
      this.#actor = interruptible
      const count = this.#choices.listInterrupts(interruptible, this.#choices.scratch, 0)
      const mayEnd = phase === PHASE_RUN && this.image.final !== null && this.#choices.scratch.subarray(0, count).every(isDeclared) && this.#areIdle(actors)
      if (mayEnd) this.weaken('XM_FINAL did not run where nothing but a declared interrupt of an idle vCPU was left, which need not come')
      return
    }
    // No actor can take a step and not all have ended.
    if (!ended && !this.#areIdle(actors)) return this.#deadlock(actors)
    this.effect = true
    if (phase === PHASE_INIT) this.#startVcpus()
    else if (phase === PHASE_RUN && this.image.final !== null) {
      this.store.set(PHASE, PHASE_FINAL)
      this.#enter(0, this.image.final)
      this.#progressPhase()
    } else this.store.set(PHASE, PHASE_DONE)
  }

  /** Who is left is idle, which is an end if nobody else goes on. */
  #areIdle(actors: number): boolean {
    for (let v = 0; v < actors; v++) if (!this.hasEnded(v) && !this.#known.idles(v)) return false
    return true
  }

  #deadlock(actors: number): void {
    const waits: string[] = []
    let first = -1
    for (let v = 0; v < actors; v++) {
      if (this.quietWord(v, PENDING) === AT_END) continue
      if (first < 0) first = v
      waits.push(describeWait(this, v))
    }
    this.violate(kindOfStandstill(this), first, `nobody can go on: ${waits.join('; ')}`)
  }

  #pushMark(): void {
    if (this.step === this.#marks.length) {
      const marks = new Int32Array(this.#marks.length * 2)
      marks.set(this.#marks)
      this.#marks = marks
    }
    this.#marks[this.step] = this.stepMark = this.store.mark()
  }
}
