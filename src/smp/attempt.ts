/**
 * An instruction under way on one vCPU of the explored machine, attempt after attempt.
 *
 * Its accesses are numbered; those that earlier attempts made are answered from the record (`ANSWERS` in the state),
 * the next ones are made now as long as nobody else can see them, and of those that others can see, one: the step's
 * event (`gate`). At the next visible one the attempt stops (`park`), and what it was about to do becomes the vCPU's
 * pending event.
 */
import { STOP_PARK } from '../cpu/bus.ts'
import type { Cpu } from '../cpu/cpu.ts'
import type { Board } from './board.ts'
import type { EventKind } from './events.ts'
import { ENVIRONMENT, WRITE } from './image.ts'
import { ACTED, ANSWERS, ANSWERS_MAX, ANSWER_COUNT, AT_BOUNDARY, AT_FETCH, AT_LOCAL, PHASE, PHASE_RUN } from './layout.ts'
import { PAGE_BYTES } from './memory.ts'
import { StoreBuffer } from './storeBuffer.ts'

/** What a vCPU can be parked at when its step may begin with a fetch. */
const FETCH_PENDINGS: ReadonlySet<number> = new Set([AT_FETCH, AT_BOUNDARY, AT_LOCAL])

export class Attempt {
  cpu!: Cpu
  locked = false
  readonly buffer: StoreBuffer
  protected readonly machine: Board
  protected readonly vcpu: number
  protected readonly bit: number
  readonly #base: number
  readonly #answers = new Int32Array(ANSWERS_MAX)
  #answered = 0
  #cursor = 0
  /** The step's one visible event has not been made yet. */
  #granted = false
  #argument = 0
  #startedAt = 0
  /** The locked accesses of this attempt belong to an event that was granted. */
  protected lockOpen = false
  /** Answers of this attempt that can be asked for again: translations, as long as no event was needed for them. */
  #again = 0
  /** This attempt made an event, or changed memory. */
  #acted = false
  /** Only looking: nothing is recorded, changed or waited for. */
  peeking = false
  /** Such a look met something that takes an event. */
  protected unready = false
  /** The alternative that the step's event goes. */
  way = 0

  constructor(machine: Board, vcpu: number, base: number) {
    this.machine = machine
    this.vcpu = vcpu
    this.bit = 1 << vcpu
    this.#base = base
    this.buffer = new StoreBuffer(machine.store, base)
  }

  /** A step begins: one event, of `ways` alternatives the one with number `argument`, if it is the event that was pending (`startedAt`). */
  grant(granted: boolean, startedAt: number, argument: number): void {
    this.#granted = granted
    this.#startedAt = startedAt
    this.#argument = argument
  }

  beginAttempt(): void {
    const w = this.machine.store.w
    this.#answered = w[this.#base + ANSWER_COUNT]
    for (let k = 0; k < this.#answered; k++) this.#answers[k] = w[this.#base + ANSWERS + k]
    this.#cursor = 0
    this.lockOpen = false
    this.locked = false
    this.cpu.compareFailed = false
    this.cpu.stop = 0
    this.#again = 0
    this.#acted = false
  }

  /** The attempt parked: what was answered is kept in the state. */
  keepAnswers(): void {
    if (!this.#acted && this.#untouched()) return
    const store = this.machine.store
    store.set(this.#base + ANSWER_COUNT, this.#answered)
    for (let k = 0; k < this.#answered; k++) store.set(this.#base + ANSWERS + k, this.#answers[k])
  }

  /** The instruction has made no access so far, as this attempt and earlier ones know. */
  #untouched(): boolean {
    return this.#again === this.#answered && this.machine.store.w[this.#base + ANSWER_COUNT] === 0
  }

  /** The instruction completed, or faulted: the record is cleared. */
  clearAnswers(): void {
    const store = this.machine.store
    if (store.w[this.#base + ACTED] !== 0) store.set(this.#base + ACTED, 0)
    const count = store.w[this.#base + ANSWER_COUNT]
    if (count === 0) return
    for (let k = 0; k < count; k++) store.set(this.#base + ANSWERS + k, 0)
    store.set(this.#base + ANSWER_COUNT, 0)
  }

  /** The bytes of the instruction are kept in the state from here on: how their address was found no longer matters. */
  dropAnswers(): void {
    this.clearAnswers()
    this.#answered = this.#cursor = this.#again = 0
  }

  /** Between the fetch of an instruction and its execution: whether no earlier attempt came this far. */
  seesFirst(): boolean {
    if (this.#cursor === 0) return this.#answered === 0
    if (this.replayed()) return false
    this.recordAgain(0)
    return true
  }

  /** Until `endPeek`, accesses only look: an instruction's recorded answers first, then memory as it is. */
  beginPeek(): void {
    this.beginAttempt()
    this.peeking = true
    this.unready = false
  }
  /** False: what was looked at takes an event. */
  endPeek(): boolean {
    this.peeking = false
    this.cpu.stop = 0
    return !this.unready
  }

  /** The attempt changed memory: it is no longer one that can be made again. */
  protected noteActed(): void {
    this.#acted = true
  }

  /** Whatever comes next is for another step. */
  endStep(): void {
    this.#granted = false
  }

  /** Stops the attempt: the vCPU's next event is `pending`, which can go `ways` ways. */
  park(pending: number, physical: number, sizeBytes: number, ways: number): void {
    this.cpu.stop = STOP_PARK
    this.machine.setPending(this.vcpu, pending, physical, sizeBytes, ways)
  }

  /** Asks for the step's event. False: parked. The alternative chosen is in `way`. */
  gate(pending: number, physical: number, sizeBytes: number, ways: number): boolean {
    const fresh = ways === 1 || this.#startedAt === pending
    if (!this.#granted || !fresh || (this.machine.model.sc && this.buffer.count > 0)) {
      this.park(pending, physical, sizeBytes, ways)
      return false
    }
    this.#granted = false
    this.machine.captureEvent(this.vcpu, this.#untouched())
    this.#acted = true
    if (this.machine.sharesPcpus) this.machine.setWord(this.vcpu, ACTED, 1)
    this.way = ways === 1 ? 0 : this.#argument
    return true
  }

  record(value: number): void {
    if (this.#answered === ANSWERS_MAX) return this.machine.violate('limit', this.vcpu, `an instruction made more than ${ANSWERS_MAX} accesses`)
    this.#answers[this.#answered++] = value
    this.#cursor = this.#answered
  }

  /** Records an answer that, alone with its like, need not be kept. */
  protected recordAgain(value: number): void {
    this.#again++
    this.record(value)
  }

  /** For a fetch: whether it may be this step's event, and which variant. -1: no. */
  takeFetch(first: boolean): number {
    // The code may have turned out to be shared since the vCPU was parked: what was granted then is no fetch. And what the
    // fetch can go on with was not asked where finding its address took an event.
    if (!this.#granted || !first || this.#acted || (this.#argument > 0 && !FETCH_PENDINGS.has(this.#startedAt))) return -1
    this.#granted = false
    this.machine.captureEvent(this.vcpu, true)
    return this.#argument
  }

  protected get running(): boolean {
    return this.machine.store.w[PHASE] === PHASE_RUN
  }

  protected replayed(): boolean {
    if (!this.isReplaying) return false
    this.#cursor++
    return true
  }

  /** Accesses are still answered from the record. */
  protected get isReplaying(): boolean {
    return this.#cursor < this.#answered
  }

  protected nextAnswer(): number {
    return this.#answers[this.#cursor++]
  }

  protected observe(kind: EventKind, address: number, sizeBytes: number, value: number): void {
    if (this.machine.observer !== null) this.machine.observer({ kind, vcpu: this.vcpu, address, sizeBytes, value })
  }

  /** Byte index of an access, or -1 with a violation. */
  protected check(physical: number, access: number, what: string): number {
    const at = this.machine.memory.index(physical)
    if (at >= 0 && this.machine.memory.allows(physical, access)) return at
    const verb = access === WRITE ? 'writes' : 'reads'
    const why = at < 0 ? `which nothing is mapped at${this.#overflowAt(physical >>> 0)}` : `which may not be ${access === WRITE ? 'written' : 'read'}`
    this.machine.violate('wild-access', this.vcpu, `${verb} ${what} at ${hex(physical)}, ${why}`)
    return -1
  }

  /** The page below a stack is kept free (src/guest/environment.ts). */
  #overflowAt(physical: number): string {
    const found = this.machine.image.regions.find(({ name, start }) => name.startsWith(`${ENVIRONMENT}stack`) && physical < start && physical >= start - PAGE_BYTES)
    return found === undefined ? '' : `: the ${found.name.slice(ENVIRONMENT.length)} has overflowed`
  }
}

function hex(value: number): string {
  return '0x' + (value >>> 0).toString(16)
}
