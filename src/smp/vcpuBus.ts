/**
 * The memory port of one vCPU in the explored machine: decides, access by access, whether an instruction may
 * go on or must let the others run first.
 *
 * An instruction is *attempted*. Its accesses are numbered; those that earlier attempts made are answered
 * from the record (`ANSWERS` in the state), the next ones are made now as long as nobody else can see them,
 * and of those that others can see, one: the step's event. At the next visible one the attempt stops
 * (`park`), and what it was about to do becomes the vCPU's pending event.
 */
import type { Bus } from '../cpu/bus.ts'
import { STOP_PARK } from '../cpu/bus.ts'
import type { Cpu } from '../cpu/cpu.ts'
import { CR0, CR0_PG, ESP } from '../cpu/registers.ts'
import { CACHED_DIRECTORY, CACHED_PAGE, NOT_CACHED, type Walk } from '../cpu/paging.ts'
import type { EventKind } from './events.ts'
import { FP_FENCE, FP_MEMORY_READ, FP_READ, FP_RESOURCE_READ, FP_VARIES, FP_WRITE, RESOURCE_HISTORY } from './footprint.ts'
import { READ, WRITE } from './image.ts'
import {
  ACTED, ANSWERS, ANSWERS_MAX, ANSWER_COUNT, AT_BOUNDARY, AT_FENCE, AT_FETCH, AT_LOAD, AT_LOCAL, AT_LOCKED, AT_SERIALIZE, AT_STORE, AT_TRANSLATE, PHASE, PHASE_RUN,
} from './layout.ts'
import type { Board } from './board.ts'
import { WALKER } from './sharing.ts'
import { StoreBuffer, UNCACHED_STORE } from './storeBuffer.ts'

/** What a vCPU can be parked at when its step may begin with a fetch. */
const FETCH_PENDINGS: ReadonlySet<number> = new Set([AT_FETCH, AT_BOUNDARY, AT_LOCAL])

export class VcpuBus implements Bus {
  cpu!: Cpu
  locked = false
  high = 0
  low = 0
  readonly buffer: StoreBuffer
  readonly #machine: Board
  readonly #vcpu: number
  readonly #bit: number
  readonly #base: number
  readonly #answers = new Int32Array(ANSWERS_MAX)
  /** The region of memory that the vCPU's stack is in when it starts. */
  readonly #stackFrom: number
  readonly #stackTo: number
  #answered = 0
  #cursor = 0
  /** The step's one visible event has not been made yet. */
  #granted = false
  #argument = 0
  #startedAt = 0
  /** The locked accesses of this attempt belong to an event that was granted. */
  #lockOpen = false
  /** Answers of this attempt that can be asked for again: translations, as long as no event was needed for them. */
  #again = 0
  /** This attempt made an event, or changed memory. */
  #acted = false
  /** Only looking: nothing is recorded, changed or waited for. */
  #peeking = false
  /** Such a look met something that takes an event. */
  #unready = false
  /** Others may change what the walk at hand reads. */
  #walkSeen = false
  /** The walk at hand began in an earlier step: its entries may be of different ages. */
  #walkSpans = false

  constructor(machine: Board, vcpu: number, base: number) {
    this.#machine = machine
    this.#vcpu = vcpu
    this.#bit = 1 << vcpu
    this.#base = base
    this.buffer = new StoreBuffer(machine.store, base)
    const top = (machine.image.vcpus[vcpu].registers[ESP] - 1) >>> 0
    const stack = machine.image.regions.find(({ start, sizeBytes }) => top >= start && top < start + sizeBytes)
    this.#stackFrom = stack === undefined ? 0 : stack.start
    this.#stackTo = stack === undefined ? 0 : stack.start + stack.sizeBytes
  }

  /** A step begins: one event, of `ways` alternatives the one with number `argument`, if it is the event that was pending (`startedAt`). */
  grant(granted: boolean, startedAt: number, argument: number): void {
    this.#granted = granted
    this.#startedAt = startedAt
    this.#argument = argument
  }

  beginAttempt(): void {
    const w = this.#machine.store.w
    this.#answered = w[this.#base + ANSWER_COUNT]
    for (let k = 0; k < this.#answered; k++) this.#answers[k] = w[this.#base + ANSWERS + k]
    this.#cursor = 0
    this.#lockOpen = false
    this.locked = false
    this.cpu.compareFailed = false
    this.cpu.stop = 0
    this.#again = 0
    this.#acted = false
  }

  /** The attempt parked: what was answered is kept in the state. */
  keepAnswers(): void {
    if (!this.#acted && this.#untouched()) return
    const store = this.#machine.store
    store.set(this.#base + ANSWER_COUNT, this.#answered)
    for (let k = 0; k < this.#answered; k++) store.set(this.#base + ANSWERS + k, this.#answers[k])
  }

  /** The instruction has made no access so far, as this attempt and earlier ones know. */
  #untouched(): boolean {
    return this.#again === this.#answered && this.#machine.store.w[this.#base + ANSWER_COUNT] === 0
  }

  /** The instruction completed, or faulted: the record is cleared. */
  clearAnswers(): void {
    const store = this.#machine.store
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
    if (this.#replayed()) return false
    this.#recordAgain(0)
    return true
  }

  /** Until `endPeek`, accesses only look: an instruction's recorded answers first, then memory as it is. */
  beginPeek(): void {
    this.beginAttempt()
    this.#peeking = true
    this.#unready = false
  }
  /** False: what was looked at takes an event. */
  endPeek(): boolean {
    this.#peeking = false
    this.cpu.stop = 0
    return !this.#unready
  }
  get peeking(): boolean {
    return this.#peeking
  }
  set peeking(on: boolean) {
    this.#peeking = on
  }

  read8(physical: number): number {
    return this.#read(physical, 1)
  }
  read16(physical: number): number {
    return this.#read(physical, 2)
  }
  read32(physical: number): number {
    return this.#read(physical, 4)
  }
  read64(physical: number): number {
    return this.#read(physical, 8)
  }
  write8(physical: number, value: number): void {
    this.#write(physical, 1, value & 0xff, 0)
  }
  write16(physical: number, value: number): void {
    this.#write(physical, 2, value & 0xffff, 0)
  }
  write32(physical: number, value: number): void {
    this.#write(physical, 4, value, 0)
  }
  write64(physical: number, low: number, high: number): void {
    this.#write(physical, 8, low, high)
  }

  walk32(physical: number): number {
    return this.#walk(physical, 4)
  }
  walk64(physical: number): number {
    return this.#walk(physical, 8)
  }

  walkMark(physical: number, bits: number, expected: number): boolean {
    if (this.cpu.stop !== 0) return false
    if (this.#cursor < this.#answered) return this.#answers[this.#cursor++] === 1
    if (this.#peeking) {
      this.#unready = true
      return true
    }
    if (!this.#openWalkUpdate(physical)) return false
    const unchanged = this.#machine.memory.load(this.#machine.memory.index(physical), 4) === expected
    if (unchanged) this.#orMemory(physical, bits)
    else {
      const { footprint, memory } = this.#machine
      footprint.add(FP_MEMORY_READ, physical, 4)
      footprint.add(FP_VARIES, 0, 0)
      this.#observe('walk', physical, 4, memory.load(memory.index(physical), 4))
    }
    this.record(unchanged ? 1 : 0)
    return unchanged
  }

  walkOr(physical: number, bits: number): void {
    if (this.cpu.stop !== 0 || this.#replayed() || !this.#openWalkUpdate(physical)) return
    this.#orMemory(physical, bits)
    this.record(0)
  }

  /** A locked update by the processor itself, of the dword at `physical`; false: not now. */
  #openWalkUpdate(physical: number): boolean {
    const at = this.#check(physical, WRITE, 'page-table entry')
    if (at < 0) return false
    const machine = this.#machine
    const g = machine.memory.granule(at)
    const seen = machine.sharing.noteRead(g, g, WALKER)
    const visible = (machine.sharing.noteWrite(g, g, this.#bit) || seen) && this.#running
    return !visible || this.gate(AT_LOAD, physical, 4, 1)
  }

  #orMemory(physical: number, bits: number): void {
    const machine = this.#machine
    const value = machine.memory.load(machine.memory.index(physical), 4) | bits
    machine.quiet = false
    machine.effect = true
    this.#acted = true
    machine.footprint.add(FP_MEMORY_READ, physical, 4)
    machine.footprint.add(FP_WRITE, physical, 4)
    machine.writeMemory(this.#vcpu, physical, 4, value, 0, 0, true)
    if (this.#running && machine.sharing.shared[machine.memory.granule(machine.memory.index(physical))] !== 0) this.#observe('locked-store', physical, 4, value)
  }

  orderStores(): void {
    if (!this.#machine.model.storesOvertake || this.buffer.count === 0) return
    this.#machine.quiet = false
    this.buffer.keepOrder()
  }

  fence(): void {
    if (this.cpu.stop !== 0 || this.#replayed()) return
    if (this.buffer.count > 0) return this.park(AT_FENCE, 0, 0, 1)
    this.#machine.footprint.add(FP_FENCE, 0, 0)
    this.record(0)
  }

  serialize(): void {
    if (this.cpu.stop !== 0 || this.#replayed()) return
    const machine = this.#machine
    if (this.buffer.count > 0) return this.park(AT_SERIALIZE, 0, 0, 1)
    machine.footprint.add(FP_FENCE, 0, 0)
    if (machine.fetchIsVisible && this.#running) {
      if (!this.gate(AT_SERIALIZE, 0, 0, 1)) return
      machine.fetchView.serialize(this.#vcpu)
      machine.quiet = false
      machine.footprint.add(FP_RESOURCE_READ, RESOURCE_HISTORY, 0)
      this.#observe('serialize', 0, 0, 0)
    }
    this.record(0)
  }

  /** A jump on a CPU with a prefetch queue: own stores to code are executed after it, so those that are buffered drain first. */
  branch(): void {
    const machine = this.#machine
    if (!machine.fetchIsVisible || !this.#running) return
    if (this.#storesToOwnCode()) this.fence()
    if (this.cpu.stop === 0) machine.onBranch(this.#vcpu)
  }

  #storesToOwnCode(): boolean {
    const { memory, sharing } = this.#machine
    for (let k = 0; k < this.buffer.count; k++) {
      const at = memory.index(this.buffer.address(k))
      const last = memory.granule(at + this.buffer.size(k) - 1)
      for (let g = memory.granule(at); g <= last; g++) if ((sharing.fetchers[g] & this.#bit) !== 0) return true
    }
    return false
  }

  lookup(linear: number, access: number): number {
    const machine = this.#machine
    const { translations } = machine
    if (this.cpu.stop !== 0 || translations === null || !this.#running) return NOT_CACHED
    this.#walkSpans = this.#cursor < this.#answered
    if (this.#walkSpans) {
      const kind = this.#answers[this.#cursor++]
      if (kind === NOT_CACHED) return kind
      this.low = this.#answers[this.#cursor++]
      this.high = this.#answers[this.#cursor++]
      return kind
    }
    const { r } = this.cpu
    // In the middle of a task switch: the new task's tables are not those that the caches are about.
    const ways = translations.startsFrom(this.#vcpu, r) ? translations.enumerate(this.#vcpu, linear, access, r) : 0
    if (this.#peeking) {
      if (ways > 0) this.#unready = true
      return NOT_CACHED
    }
    translations.notePage(this.#vcpu, linear)
    this.#walkSeen = false
    if (ways > 0) {
      machine.noteTranslating(this.#vcpu)
      if (!this.gate(AT_TRANSLATE, linear, access, ways + 1)) return NOT_CACHED
      machine.quiet = false
      if (this.way > 0) return this.#useCached(linear, access, this.way - 1)
    }
    this.#recordAgain(NOT_CACHED)
    return NOT_CACHED
  }

  #useCached(linear: number, access: number, option: number): number {
    const translations = this.#machine.translations!
    const kind = translations.kinds[option]
    this.low = translations.lows[option]
    this.high = translations.highs[option]
    if (kind === CACHED_PAGE) translations.use(this.#vcpu, linear, access, this.low)
    const { observer } = this.#machine
    if (observer !== null)
      observer({ kind: 'translation', vcpu: this.#vcpu, address: linear >>> 0, sizeBytes: 0, value: this.low, stale: kind === CACHED_DIRECTORY })
    this.#machine.onTranslation(this.#vcpu, linear, this.low, access)
    this.record(kind)
    this.record(this.low)
    this.record(this.high)
    return kind
  }

  fill(linear: number, access: number, walk: Walk): void {
    const { translations } = this.#machine
    if (this.cpu.stop !== 0 || translations === null || !this.#running || this.#replayed() || this.#peeking) return
    if (this.#walkSeen || this.#walkSpans) this.#machine.noteTranslating(this.#vcpu)
    translations.fill(this.#vcpu, linear, access, walk, this.#walkSpans)
    this.#recordAgain(0)
  }

  gateInvalidation(): void {
    if (this.cpu.stop !== 0 || this.#replayed()) return
    const machine = this.#machine
    if (machine.translationIsVisible && this.#running) {
      if (!this.gate(AT_SERIALIZE, 0, 0, 1)) return
      machine.quiet = false
    }
    this.record(0)
  }

  invalidatePage(linear: number): void {
    const { translations } = this.#machine
    if (translations === null || !this.#running) return
    this.#machine.memo.abandon()
    this.#machine.noteTranslating(this.#vcpu)
    translations.invalidatePage(this.#vcpu, linear)
    this.#observe('invalidate', linear >>> 0, 4096, 0)
  }
  invalidateTlb(globalToo: boolean): void {
    const { translations } = this.#machine
    if (translations === null || !this.#running) return
    this.#machine.memo.abandon()
    this.#machine.noteTranslating(this.#vcpu)
    translations.invalidate(this.#vcpu, this.cpu.r, globalToo)
    this.#observe('invalidate', 0, 0, globalToo ? 1 : 0)
  }
  retarget(): void {
    if (!this.#running) return
    if (this.#machine.watchers.tellers.length > 0) this.#machine.weaken('a task switch changed registers that others believe something of: it is no event for them')
    this.#machine.memo.abandon()
    this.#machine.noteTranslating(this.#vcpu)
    this.#machine.translations?.retarget(this.#vcpu, this.cpu.r)
  }

  flushCaches(): void {
    this.#flush(null)
  }
  flushLine(physical: number): void {
    this.#flush(physical)
  }
  #flush(physical: number | null): void {
    if (this.cpu.stop !== 0 || this.#replayed()) return
    const machine = this.#machine
    // Otherwise it matters to nobody.
    if (this.#running && machine.sharing.uncachedLines.length > 0) {
      machine.memo.abandon()
      if (!this.gate(AT_SERIALIZE, 0, 0, 1)) return
      machine.quiet = false
      machine.onCacheFlush(this.#vcpu, physical)
    }
    this.record(0)
  }

  // No device answers on the ports: reads float high, writes are lost.
  in(_port: number, sizeBytes: number): number {
    return sizeBytes === 4 ? -1 : (1 << (sizeBytes * 8)) - 1
  }
  out(): void {}

  tsc(): number {
    this.#machine.quiet = false
    this.#machine.weaken('RDTSC was read: only one value of it is explored')
    this.high = 0
    return 0
  }

  readMsr(): boolean {
    return false
  }
  writeMsr(): boolean {
    return false
  }
  hypercall(): boolean {
    return false
  }

  guestCall(number: number, eax: number, edx: number, _ecx: number): number {
    if (this.cpu.stop !== 0) return 0
    if (this.#cursor < this.#answered) return this.#answers[this.#cursor++]
    const result = this.#machine.guestCall(this.#vcpu, this, number, eax, edx)
    if (this.cpu.stop === 0) this.record(result)
    return result
  }

  /** Stops the attempt: the vCPU's next event is `pending`, which can go `ways` ways. */
  park(pending: number, physical: number, sizeBytes: number, ways: number): void {
    this.cpu.stop = STOP_PARK
    this.#machine.setPending(this.#vcpu, pending, physical, sizeBytes, ways)
  }

  /** Asks for the step's event. False: parked. The alternative chosen is in `way`. */
  gate(pending: number, physical: number, sizeBytes: number, ways: number): boolean {
    const fresh = ways === 1 || this.#startedAt === pending
    if (!this.#granted || !fresh || (this.#machine.model.sc && this.buffer.count > 0)) {
      this.park(pending, physical, sizeBytes, ways)
      return false
    }
    this.#granted = false
    this.#machine.captureEvent(this.#vcpu, this.#untouched())
    this.#acted = true
    if (this.#machine.sharesPcpus) this.#machine.setWord(this.#vcpu, ACTED, 1)
    this.way = ways === 1 ? 0 : this.#argument
    return true
  }
  way = 0

  record(value: number): void {
    if (this.#answered === ANSWERS_MAX)
      return this.#machine.violate('limit', this.#vcpu, `an instruction made more than ${ANSWERS_MAX} accesses`)
    this.#answers[this.#answered++] = value
    this.#cursor = this.#answered
  }

  /** Records an answer that, alone with its like, need not be kept. */
  #recordAgain(value: number): void {
    this.#again++
    this.record(value)
  }

  /** For a fetch: whether it may be this step's event, and which variant. -1: no. */
  takeFetch(first: boolean): number {
    // The code may have turned out to be shared since the vCPU was parked: what was granted then is no fetch. And what the
    // fetch can go on with was not asked where finding its address took an event.
    if (!this.#granted || !first || this.#acted || (this.#argument > 0 && !FETCH_PENDINGS.has(this.#startedAt))) return -1
    this.#granted = false
    this.#machine.captureEvent(this.#vcpu, true)
    return this.#argument
  }

  get #running(): boolean {
    return this.#machine.store.w[PHASE] === PHASE_RUN
  }

  #replayed(): boolean {
    if (this.#cursor >= this.#answered) return false
    this.#cursor++
    return true
  }

  /** The address, unsigned, is in the region that the vCPU's stack is in when it starts. */
  isStack(physical: number): boolean {
    return physical >= this.#stackFrom && physical < this.#stackTo
  }

  /** Byte index of an access, or -1 with a violation. */
  #check(physical: number, access: number, what: string): number {
    const at = this.#machine.memory.index(physical)
    if (at >= 0 && this.#machine.memory.allows(physical, access)) return at
    const verb = access === WRITE ? 'writes' : 'reads'
    const why = at < 0 ? 'which nothing is mapped at' : `which may not be ${access === WRITE ? 'written' : 'read'}`
    this.#machine.violate('wild-access', this.#vcpu, `${verb} ${what} at ${hex(physical)}, ${why}`)
    return -1
  }

  #read(physical: number, sizeBytes: number): number {
    if (this.cpu.stop !== 0) return 0
    const cut = this.locked ? 0 : this.#machine.cut(physical, sizeBytes)
    if (cut !== 0) return this.#readHalves(physical, sizeBytes, cut)
    if (this.#cursor < this.#answered) {
      const value = this.#answers[this.#cursor++]
      if (sizeBytes === 8) this.high = this.#answers[this.#cursor++]
      return value
    }
    const at = this.#check(physical, READ, 'memory')
    if (at < 0) return 0
    const machine = this.#machine
    const memory = machine.memory
    this.#noteUncached(physical, sizeBytes)
    const visible = this.#seenRead(at, sizeBytes)
    if (this.cpu.stop !== 0) return 0
    if ((machine.sharing.writers[memory.granule(at)] & this.#bit) === 0) machine.foreignLoads++
    const low = Math.min(4, sizeBytes)
    let value = memory.load(at, low)
    this.high = sizeBytes === 8 ? memory.load(at + 4, 4) : 0
    if (this.locked) {
      if (!this.#openLock(visible, physical, sizeBytes)) return 0
      if (visible) {
        machine.footprint.add(FP_READ, physical, sizeBytes)
        this.#observe('locked-load', physical, sizeBytes, value)
      }
    } else if (visible) {
      if (machine.model.partialWait && !this.buffer.coversOrMisses(physical, sizeBytes)) {
        this.park(AT_LOAD, physical, sizeBytes, 1)
        return 0
      }
      if (!this.gate(AT_LOAD, physical, sizeBytes, 1)) return 0
      value = this.buffer.forward(physical, low, value)
      if (sizeBytes === 8) this.high = this.buffer.forward(physical + 4, 4, this.high)
      machine.footprint.addLoad(this.buffer, physical, sizeBytes, machine.model.partialWait)
      this.#observe('load', physical, sizeBytes, value)
    }
    this.record(value)
    if (sizeBytes === 8) this.record(this.high)
    machine.onAccess(this.#vcpu, physical, sizeBytes, false)
    return value
  }

  /** Notes a load of the running phase; true where others can see it. */
  #seenRead(at: number, sizeBytes: number): boolean {
    if (!this.#running) return false
    const machine = this.#machine
    const memory = machine.memory
    const visible = machine.sharing.noteRead(memory.granule(at), memory.granule(at + sizeBytes - 1), this.#bit)
    if (visible) machine.distrustCode(this.#vcpu)
    return visible
  }

  /**
   * A load across an atomicity boundary: two events, in either order. Answers: the order (1: high half
   * first), then the bytes of each half as they come, a word for up to 4.
   */
  #readHalves(physical: number, sizeBytes: number, cut: number): number {
    const at = this.#cursor < this.#answered ? this.#machine.memory.index(physical) : this.#check(physical, READ, 'memory')
    if (at < 0) return 0
    this.#noteUncached(physical, sizeBytes)
    const visible = this.#seenRead(at, sizeBytes)
    if (this.cpu.stop !== 0) return 0
    let low = 0
    let high = 0
    for (let half = -1; half < 2; half++) {
      if (half === -1) {
        if (this.#cursor < this.#answered) this.way = this.#answers[this.#cursor++]
        else {
          if (!visible) this.way = 0
          else if (!this.gate(AT_LOAD, physical, sizeBytes, 2)) return 0
          this.record(this.way)
        }
        this.#order = this.way
        continue
      }
      const from = half === this.#order ? 0 : cut
      const to = half === this.#order ? cut : sizeBytes
      if (half === 1 && visible && this.#cursor >= this.#answered && !this.gate(AT_LOAD, physical + from, to - from, 1)) return 0
      for (let b = from; b < to; ) {
        const count = Math.min(4 - (b & 3), to - b)
        const value = this.#halfWord(physical + b, at + b, count)
        if (b < 4) low |= value << (b * 8)
        else high |= value << ((b - 4) * 8)
        b += count
      }
    }
    this.high = high
    return low
  }
  #order = 0

  #halfWord(physical: number, at: number, count: number): number {
    if (this.#cursor < this.#answered) return this.#answers[this.#cursor++]
    const value = this.buffer.forward(physical, count, this.#machine.memory.load(at, count))
    this.#machine.footprint.addLoad(this.buffer, physical, count, this.#machine.model.partialWait)
    this.#observe('load', physical, count, value)
    this.record(value)
    this.#machine.onAccess(this.#vcpu, physical, count, false)
    return value
  }

  #walk(physical: number, sizeBytes: number): number {
    if (this.cpu.stop !== 0) return 0
    if (this.#cursor < this.#answered) {
      const value = this.#answers[this.#cursor++]
      if (sizeBytes === 8) this.high = this.#answers[this.#cursor++]
      return value
    }
    const machine = this.#machine
    const memory = machine.memory
    if (this.#peeking && memory.index(physical) < 0) {
      this.#unready = true
      return 0
    }
    const at = this.#check(physical, READ, 'a page-table entry')
    if (at < 0) return 0
    const visible = this.#running && machine.sharing.noteWalk(memory.granule(at), memory.granule(at + sizeBytes - 1))
    if (this.#peeking) this.#unready ||= visible
    else if (visible && !this.gate(AT_LOAD, physical, sizeBytes, 1)) return 0
    const value = memory.load(at, 4)
    this.high = sizeBytes === 8 ? memory.load(at + 4, 4) : 0
    if (this.#peeking) return value
    if (visible) {
      this.#walkSeen = true
      machine.noteTranslating(this.#vcpu)
      machine.footprint.add(FP_MEMORY_READ, physical, sizeBytes)
      this.#observe('walk', physical, sizeBytes, value)
      machine.onWalk(this.#vcpu, physical, sizeBytes)
    }
    this.#recordAgain(value)
    if (sizeBytes === 8) this.#recordAgain(this.high)
    return value
  }

  #write(physical: number, sizeBytes: number, low: number, high: number): void {
    if (this.cpu.stop !== 0 || this.#replayed()) return
    const at = this.#check(physical, WRITE, 'memory')
    if (at < 0) return
    const machine = this.#machine
    const memory = machine.memory
    const changes = !this.locked || !memory.holds(at, sizeBytes, low, high)
    this.#noteUncached(physical, sizeBytes)
    let visible = false
    if (this.#running) visible = machine.sharing.noteWrite(memory.granule(at), memory.granule(at + sizeBytes - 1), this.#bit)
    const alias = this.#aliasOf(memory.granule(at))
    if (visible) machine.distrustCode(this.#vcpu)
    const inStack = this.isStack(physical >>> 0)
    if (inStack && this.#running && physical >>> 0 >= this.cpu.r[ESP] >>> 0) machine.sharing.noteFramed(memory.granule(at), memory.granule(at + sizeBytes - 1))
    if (changes && (visible || !inStack)) machine.quiet = false
    if (this.locked) {
      if (!this.#openLock(visible, physical, sizeBytes)) return
      if (visible) {
        // A failed compare is a read: what it writes was there.
        machine.footprint.add(this.cpu.compareFailed ? FP_VARIES : FP_WRITE, physical, sizeBytes)
        this.#observe('locked-store', physical, sizeBytes, low)
      }
      machine.writeMemory(this.#vcpu, physical, sizeBytes, low, high, alias)
    } else if (!visible) {
      machine.privateStores++
      machine.writeMemory(this.#vcpu, physical, sizeBytes, low, high, alias)
    } else if (!this.#enqueue(physical, sizeBytes, low, high, alias)) return
    if (visible && changes) machine.effect = true
    this.record(0)
    machine.onAccess(this.#vcpu, physical, sizeBytes, true)
  }

  #noteUncached(physical: number, sizeBytes: number): void {
    if (this.cpu.uncached && this.#running) this.#machine.noteUncached(physical, sizeBytes)
  }

  /** Through which alias of its page the store at hand is made; 0 where that does not matter. */
  #aliasOf(granule: number): number {
    const { model, sharing } = this.#machine
    if (!model.matchesLinear || (this.cpu.r[CR0] & CR0_PG) === 0) return 0
    if (this.#running) sharing.noteStoredThrough(granule, this.#vcpu, this.cpu.storeAlias)
    return this.cpu.storeAlias
  }

  #enqueue(physical: number, sizeBytes: number, low: number, high: number, alias: number): boolean {
    const machine = this.#machine
    const how = this.cpu.uncached ? alias | UNCACHED_STORE : alias
    const cut = machine.cut(physical, sizeBytes)
    const room = machine.model.storeBuffer - this.buffer.count
    if ((machine.model.sc && this.buffer.count > 0) || room < (cut === 0 ? 1 : 2)) {
      if (!machine.model.sc) machine.weaken(`a store buffer was full (storeBuffer=${machine.model.storeBuffer})`)
      this.park(AT_STORE, physical, sizeBytes, 1)
      return false
    }
    if (cut === 0) {
      // Whether the vCPU lost its pCPU before or behind the store can be told: the buffer is emptied with it.
      if (machine.sharesPcpus && !this.gate(AT_STORE, physical, sizeBytes, 1)) return false
      this.buffer.push(physical, sizeBytes, low, high, how)
      // After a fence that had to wait, a store comes before the step's event: it may drain before that event, so the step ends.
      this.#granted = false
    } else {
      if (!this.gate(AT_STORE, physical, sizeBytes, 2)) return false
      const highHalf = shiftRight(low, high, cut)
      if (this.way === 1) this.buffer.push(physical + cut, sizeBytes - cut, highHalf[0], highHalf[1], how)
      this.buffer.push(physical, cut, low, high, how)
      if (this.way === 0) this.buffer.push(physical + cut, sizeBytes - cut, highHalf[0], highHalf[1], how)
    }
    this.#observe('store', physical, sizeBytes, low)
    return true
  }

  /** Locked accesses: an empty buffer, and one event for all of them. */
  #openLock(visible: boolean, physical: number, sizeBytes: number): boolean {
    if (this.#lockOpen) return true
    if (this.buffer.count > 0) {
      this.park(AT_LOCKED, physical, sizeBytes, 1)
      return false
    }
    this.#machine.footprint.add(FP_FENCE, 0, 0)
    if (!visible) return true
    if (!this.gate(AT_LOCKED, physical, sizeBytes, 1)) return false
    this.#lockOpen = true
    return true
  }

  #observe(kind: EventKind, address: number, sizeBytes: number, value: number): void {
    if (this.#machine.observer !== null) this.#machine.observer({ kind, vcpu: this.#vcpu, address, sizeBytes, value })
  }
}

/** The 64-bit value shifted right by `bytes`, as [low, high]. */
function shiftRight(low: number, high: number, bytes: number): [number, number] {
  if (bytes >= 4) return [bytes === 4 ? high : high >>> ((bytes - 4) * 8), 0]
  return [(low >>> (bytes * 8)) | (high << (32 - bytes * 8)), high >>> (bytes * 8)]
}

function hex(value: number): string {
  return '0x' + (value >>> 0).toString(16)
}
