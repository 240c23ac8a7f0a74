/**
 * The parts of a machine put together: vCPUs, their buses, memory, and the words of the state that are theirs; what a step notes of
 * itself. Buses, guest calls and monitors know this much of a machine; what can happen next, and what happens then, is choices.ts and execution.ts.
 */
import { Cpu } from '../cpu/cpu.ts'
import { STOP_VIOLATION } from '../cpu/bus.ts'
import { ATTR_BIG, CR0, CR0_PG, CS, EIP, EVENT, EVENT_VALID, MAIN_REGISTERS, REGISTER_WORDS, SEG_ATTR, SEG_BASE, SHADOW, SHADOW_NMI, SS } from '../cpu/registers.ts'
import { Store } from '../state/store.ts'
import { CodeWindow } from './codeWindow.ts'
import type { Observer } from './events.ts'
import { FetchView, WINDOW, historyWords } from './fetchView.ts'
import { FP_RESOURCE_READ, FP_RESOURCE_WRITE, FP_TRANSLATING, Footprint, RESOURCE_HISTORY, RESOURCE_MARKS, translationsOf } from './footprint.ts'
import { callGuest } from './guestServices.ts'
import type { MachineImage } from './image.ts'
import {
  ANSWER_COUNT, AT_BLOCK, AT_HALT, AT_POLL, BUFFER_COUNT, ENDED, FETCHED_BYTES, FETCHED_LENGTH, GLOBAL_WORDS, ICOUNT, KICKED, PENDING,
  ON_PCPU, PENDING_ADDRESS, PENDING_NAMES, PENDING_SIZE, PENDING_WAYS, PHASE, PHASE_RUN, POSED, QUIET_WORDS, STATUS, VCPU_WORDS, WAKE_CAME, WAKE_TAKEN,
  WAKE_WHAT, layOut, type Layout,
} from './layout.ts'
import { BY_LOCKED, BY_STORE, BY_WALKER, Memory, PageMap } from './memory.ts'
import type { Model } from './model.ts'
import type { Monitor, Violation } from './monitor.ts'
import type { PrivateCode } from './privateCode.ts'
import { Sharing } from './sharing.ts'
import { StepMemo } from './stepMemo.ts'
import type { StoreBuffer } from './storeBuffer.ts'
import { symbolize } from './symbols.ts'
import { Translations, translationWords } from './translations.ts'
import { VcpuBus } from './vcpuBus.ts'
import { LOST_WORDS, WalksAhead } from './walksAhead.ts'
import { WAKE_IN_TIME } from './wakes.ts'
import { Watchers } from './watchers.ts'

const HLT_BYTES = 1

/** How often things that a verdict must not be vacuous about were reached, over all executions. */
export interface Coverage {
  /** Check point id to evaluations. */
  readonly points: Map<number, number>
  /** `site>target` to executions. */
  readonly sites: Map<string, number>
  /** Executions cut by an assumption. */
  cut: number
  /** Where steps were cut for their length (`localSteps`), to how often: EIP, and 2^32 times the vCPU. */
  readonly longSteps: Map<number, number>
}

export const noCoverage = (): Coverage => ({ points: new Map(), sites: new Map(), cut: 0, longSteps: new Map() })

export interface BoardOptions {
  readonly monitors?: readonly Monitor[]
  /** What earlier machines of the same exploration learnt; it grows. */
  readonly sharing?: Sharing
  readonly pages?: PageMap
  /** Counts of earlier machines of the same exploration, to add to. */
  readonly coverage?: Coverage
}

export class Board {
  readonly image: MachineImage
  readonly model: Model
  readonly store: Store
  readonly memory: Memory
  readonly sharing: Sharing
  readonly fetchView: FetchView
  /** Null: the model caches none. */
  readonly translations: Translations | null
  /** Null: none are made, or none through what has A clear. */
  readonly walksAhead: WalksAhead | null
  readonly cpus: readonly Cpu[]
  readonly coverage: Coverage
  /** What the last step touched. */
  readonly footprint = new Footprint()
  /** The last step changed nothing but registers and the stack of its vCPU. */
  quiet = true
  /** The last step did what others can see, or got its vCPU on: it ended, or woke up. */
  effect = false
  /** vCPUs, as bits, that passed XM_PROGRESS in the last step. */
  progressed = 0
  /** Private stores, and loads of what the vCPU does not write itself, in steps that were executed and not remembered. */
  privateStores = 0
  foreignLoads = 0
  /** General registers, EIP and EFLAGS of the vCPU of the last RUN, before the instruction whose event it was; only where `eventBegins`. */
  readonly eventRegisters = new Int32Array(MAIN_REGISTERS)
  /** That event was the first of its instruction; all other registers were what they were before the step. */
  eventBegins = false
  /** Events of one vCPU that the last RUN stands for, where it took turns of a loop at once; 0: it was one event. */
  spun = 0
  /** The vCPU of the last step gave its pCPU up. */
  yields = false
  /** Why `complete` cannot be claimed; empty: it can. */
  readonly weaknesses = new Set<string>()
  violation: Violation | null = null
  observer: Observer | null = null
  readonly memo: StepMemo
  /** Events taken. */
  step = 0
  /** Mark of the log where the last step began. */
  stepMark = 0

  readonly layout: Layout
  readonly buses: readonly VcpuBus[]
  readonly windows: readonly CodeWindow[]
  /** By vCPU, once it has run. */
  readonly codes: PrivateCode[] = []
  readonly watchers: Watchers
  /** Registers of the vCPU that runs, before its step. */
  readonly before = new Int32Array(REGISTER_WORDS)
  /** An assumption failed: the execution does not count. */
  isCut = false
  /** Steps so far that were cut for their length (`localSteps`). */
  longSteps = 0
  readonly #quietAt: number

  constructor(image: MachineImage, model: Model, options: BoardOptions) {
    const pages = options.pages ?? new PageMap(image.regions)
    const vcpus = image.vcpus.length
    this.watchers = new Watchers(options.monitors ?? [])
    this.sharing = options.sharing ?? new Sharing(pages.sizeBytes / 4, vcpus)
    const ghostWords = this.watchers.all.reduce((sum, monitor) => sum + monitor.ghostWords(vcpus, this.sharing), 0)
    const history = historyWords(vcpus, model.fetchHistory)
    this.image = image
    this.model = model
    this.coverage = options.coverage ?? noCoverage()
    const tlbWords = translationWords(vcpus, model)
    const walksAhead = model.tlb !== 'none' && model.tlbSpeculative === 'any'
    this.layout = layOut(vcpus, image.interrupts.length, history, model.fetchHistory, tlbWords + (walksAhead ? LOST_WORDS : 0), ghostWords, pages.sizeBytes / 4)
    this.#quietAt = this.layout.quiet
    this.store = new Store(this.layout.length, this.layout.quiet)
    this.memory = new Memory(this.store, this.layout.memory, pages, image.regions)
    this.memo = new StepMemo(this.store, this.layout, this.sharing, this.footprint, this.eventRegisters, (id) => this.countPoint(id))
    this.memory.memo = this.memo
    if (!model.ownStoresSeen) this.sharing.ownCode = true
    this.fetchView = new FetchView(this.store, this.layout.history, this.layout.serials, this.memory, this.sharing, model, vcpus, (v, physical) => this.#inQueue(v, physical))
    const losing = (v: number) => this.watchers.all.forEach((monitor) => monitor.beforeInvalidation?.(v))
    this.translations = model.tlb === 'none' ? null : new Translations(this.store, this.layout.translations, this.memory, this.sharing, model, vcpus, losing)
    const lostAt = this.layout.translations + tlbWords
    this.walksAhead = walksAhead ? new WalksAhead(this.store, lostAt, this.memory, this.sharing, this.translations!, this) : null
    const buses: VcpuBus[] = []
    const cpus: Cpu[] = []
    for (let v = 0; v < vcpus; v++) {
      const base = this.base(v)
      this.store.w.set(image.vcpus[v].registers, base)
      const bus = new VcpuBus(this, v, base)
      const cpu = new Cpu(this.store.w, base, bus, model.cpu, model.undefinedFlags)
      bus.cpu = cpu
      buses.push(bus)
      cpus.push(cpu)
    }
    this.buses = buses
    this.cpus = cpus
    this.windows = cpus.map((cpu, v) => new CodeWindow(cpu, this.memory, buses[v]))
  }

  /** Code may be fetched stale, and some is shared: core serialisation matters. */
  get fetchIsVisible(): boolean {
    return this.sharing.codeShared && this.model.fetch.kind !== 'coherent'
  }

  /** Translations may be stale: when one is invalidated matters. */
  get translationIsVisible(): boolean {
    return this.translations !== null && this.sharing.tablesChange
  }

  /** vCPUs lose their pCPUs (pcpus.ts): there are fewer, or others see who has none. */
  get sharesPcpus(): boolean {
    return (this.model.pcpus > 0 && this.model.pcpus < this.cpus.length) || this.image.stealTime !== undefined
  }

  get vcpuCount(): number {
    return this.cpus.length
  }

  /** The registers of a vCPU, as long as it does not run. */
  registersOf(v: number): Int32Array {
    return this.cpus[v].r
  }

  /** The store buffer of vCPU `v`, to look at. */
  buffer(v: number): StoreBuffer {
    return this.buses[v].buffer
  }

  eip(v: number): number {
    return this.cpus[v].r[EIP] >>> 0
  }

  /** Where the vCPU stands, for people. */
  place(v: number): string {
    return this.symbolize(this.cpus[v].r[EIP])
  }

  /** `name+0x12`, or the bare address. */
  symbolize(address: number): string {
    return symbolize(this.image, address)
  }

  /** The NUL-terminated string at `address`, or ''. */
  textAt(address: number): string {
    let text = ''
    for (let at = this.memory.index(address); at >= 0 && text.length < 256 && this.memory.u8[at] !== 0; at++) text += String.fromCharCode(this.memory.u8[at])
    return text
  }

  /** The bytes of the instruction that `v` is about to execute: those that were fetched for it, else those in memory. */
  executedBytes(v: number, length: number): Uint8Array {
    const base = this.base(v)
    if (this.store.w[base + FETCHED_LENGTH] !== 0) return this.memory.u8.slice((base + FETCHED_BYTES) * 4, (base + FETCHED_BYTES) * 4 + length)
    return Uint8Array.from({ length }, (_, b) => this.memory.u8[this.memory.index(this.windows[v].physical[b])])
  }

  icount(v: number): number {
    return this.quietWord(v, ICOUNT)
  }

  pending(v: number): string {
    return PENDING_NAMES[this.quietWord(v, PENDING)]
  }

  /** The execution is judged: `kind` is machine-readable, `message` for people. The first judgement stays. */
  violate(kind: string, vcpu: number, message: string): void {
    const cpu = this.cpus[vcpu]
    cpu.stop = STOP_VIOLATION
    if (this.violation === null) this.violation = { kind, message, vcpu, eip: cpu.r[EIP] >>> 0 }
  }

  /** A monitor: others must be able to run once the instruction or delivery at hand is over. */
  pause(): void {
    this.#paused = true
  }

  /** Set by `pause`. */
  #paused = false

  takesPause(): boolean {
    const pauses = this.#paused
    this.#paused = false
    return pauses
  }

  countPoint(id: number): void {
    const { points } = this.coverage
    points.set(id >>> 0, (points.get(id >>> 0) ?? 0) + 1)
    this.memo.notePoint(id)
  }

  /** The step of `v` is cut, as it has come so far without an event. */
  noteLongStep(v: number): void {
    this.longSteps++
    const { longSteps } = this.coverage
    const place = v * 2 ** 32 + (this.eip(v) >>> 0)
    longSteps.set(place, (longSteps.get(place) ?? 0) + 1)
  }

  weaken(reason: string): void {
    this.weaknesses.add(reason)
  }

  cutExecution(vcpu: number): void {
    this.cpus[vcpu].stop = STOP_VIOLATION
    this.isCut = true
    this.coverage.cut++
  }

  /** The event of a step is made by the instruction at hand. */
  captureEvent(v: number, first: boolean): void {
    const { r } = this.cpus[v]
    for (let k = MAIN_REGISTERS; k < REGISTER_WORDS && first; k++) first = r[k] === this.before[k]
    this.capture(v, first)
  }

  capture(v: number, first: boolean): void {
    this.eventBegins = first
    if (first) for (let k = 0; k < MAIN_REGISTERS; k++) this.eventRegisters[k] = this.cpus[v].r[k]
    this.memo.noteEvent(first)
  }

  setPending(v: number, pending: number, physical: number, sizeBytes: number, ways: number): void {
    const at = this.layout.quiet + v * QUIET_WORDS
    this.store.set(at + PENDING, pending)
    this.store.set(at + PENDING_ADDRESS, physical)
    this.store.set(at + PENDING_SIZE, sizeBytes)
    this.store.set(at + PENDING_WAYS, ways)
    this.setWord(v, POSED, ways > 1 ? pending : 0)
  }

  onAccess(v: number, physical: number, sizeBytes: number, write: boolean): void {
    this.noteJudged(physical, sizeBytes)
    if (this.running()) for (const monitor of this.watchers.accesses) monitor.onAccess!(v, physical, sizeBytes, write)
  }

  /** Whether what `v` does at these bytes is right depends on the marks so far, where marks are about them. */
  noteJudged(physical: number, sizeBytes: number): void {
    const { judged, anyJudged } = this.sharing
    if (!anyJudged) return
    const at = this.memory.index(physical)
    if (judged[this.memory.granule(at)] !== 0 || judged[this.memory.granule(at + sizeBytes - 1)] !== 0) this.footprint.add(FP_RESOURCE_READ, RESOURCE_MARKS, 0)
  }

  /** What `v` does depends on the translations that it holds, or changes them; they may be stale. */
  noteTranslating(v: number): void {
    if (this.translationIsVisible) this.footprint.add(FP_TRANSLATING, translationsOf(v), 0)
  }

  onWalk(v: number, physical: number, sizeBytes: number): void {
    this.noteJudged(physical, sizeBytes)
    for (const monitor of this.watchers.all) monitor.onWalk?.(v, physical, sizeBytes)
  }

  onTranslation(v: number, linear: number, entry: number, access: number): void {
    this.footprint.add(FP_RESOURCE_READ, RESOURCE_MARKS, 0)
    for (const monitor of this.watchers.all) monitor.onTranslation?.(v, linear, entry, access)
  }

  /** The page tables that walks of `v` begin with are others now. */
  onTables(v: number): void {
    this.walksAhead?.noteTables(v)
    if (this.sharing.anyJudged) this.footprint.add(FP_RESOURCE_READ, RESOURCE_MARKS, 0)
    for (const monitor of this.watchers.all) monitor.onTables?.(v)
  }

  /** What is done depends on the translations of all, or changes them. */
  noteAllTranslating(): void {
    for (let u = 0; u < this.cpus.length; u++) this.noteTranslating(u)
  }

  onMark(v: number, call: number, eax: number, edx: number): void {
    for (const monitor of this.watchers.all) monitor.onMark?.(v, call, eax, edx)
  }

  /** A store reaches memory, made through `alias` (storeBuffer.ts). @param by one of BY_... */
  writeMemory(v: number, physical: number, sizeBytes: number, low: number, high: number, alias: number, by = BY_STORE): void {
    const walker = by === BY_WALKER
    const at = this.memory.index(physical)
    const { translations } = this
    let tables = false
    if (this.store.w[PHASE] === PHASE_RUN) {
      for (const monitor of this.watchers.writes) monitor.onWrite!(v, physical >>> 0, sizeBytes, low, high, walker)
      if (this.fetchView.push(v, physical, sizeBytes, low, high, alias, (this.cpus[v].r[CR0] & CR0_PG) !== 0)) this.footprint.add(FP_RESOURCE_WRITE, RESOURCE_HISTORY, 0)
      tables = translations !== null && !walker && translations.watches(at, sizeBytes) && (!this.memory.holds(at, sizeBytes, low, high) || (by === BY_STORE && translations.clearsUnseen(at, sizeBytes)))
    }
    // Whoever walks these entries may hold what they were; of those that have no A or D set nothing, or less.
    if (tables || (walker && this.running())) this.noteAllTranslating()
    this.codes[v]?.cache.written(this.memory.granule(at) >> 10)
    if (!tables) this.memory.store(at, sizeBytes, low, high)
    else
      this.losingTranslations(() => {
        this.memo.abandon()
        translations!.beforeWrite(physical, sizeBytes, by === BY_LOCKED)
        this.memory.store(at, sizeBytes, low, high)
        translations!.wrote()
      })
    if (this.running()) this.walksAhead?.written(at, sizeBytes)
  }

  /** Makes a change after which some translations may not be obtained any more, or some vCPU may not walk. */
  losingTranslations(change: () => void): void {
    if (this.walksAhead === null || !this.sharing.anyLooked) return change()
    this.memo.abandon()
    this.walksAhead.losing(change)
  }

  /** `v` makes an access that others can see, which may also be the first that shows its code to be shared. */
  distrustCode(v: number): void {
    this.codes[v]?.distrust()
  }

  /** Bytes up to which an access is one event; 0: all of it (SDM vol. 3A 9.1.1, by CPU class). */
  cut(physical: number, sizeBytes: number): number {
    const { atomicBytes, lineBytes } = this.model.cpu
    if (sizeBytes === 1) return 0
    if (atomicBytes === 0) {
      const room = lineBytes - (physical & (lineBytes - 1))
      return room < sizeBytes ? room : 0
    }
    if (sizeBytes <= atomicBytes && (physical & (sizeBytes - 1)) === 0) return 0
    // The boundary of highest alignment inside the access.
    for (let unit = 8; unit > 0; unit >>= 1) {
      const first = unit - (physical & (unit - 1))
      if (first < sizeBytes) return first
    }
    return 0
  }

  /** A kick or interrupt for `v` was sent (wakes.ts). */
  noteWake(v: number, what: number): void {
    this.noteClock(v, WAKE_CAME, this.step)
    this.noteClock(v, WAKE_WHAT, this.sleeps(v) ? what | WAKE_IN_TIME : what)
  }

  noteWakeTaken(v: number): void {
    this.noteClock(v, WAKE_TAKEN, this.step)
  }

  noteClock(v: number, word: number, value: number): void {
    this.store.set(this.layout.quiet + v * QUIET_WORDS + word, value)
  }

  guestCall(v: number, bus: VcpuBus, call: number, eax: number, edx: number): number {
    return callGuest(this, v, bus, call, eax, edx)
  }

  running(): boolean {
    return this.store.w[PHASE] === PHASE_RUN
  }

  wordOf(v: number, word: number): number {
    return this.store.w[this.base(v) + word]
  }

  setWord(v: number, word: number, value: number): void {
    this.store.set(this.base(v) + word, value)
  }

  hasEnded(v: number): boolean {
    return this.wordOf(v, STATUS) === ENDED
  }

  /** It may walk page tables: it has not ended, has a pCPU, and is not in a handler of NMIs, as which exits to a hypervisor that is guest code come. */
  mayWalk(v: number): boolean {
    return !this.hasEnded(v) && (!this.sharesPcpus || ((this.store.w[ON_PCPU] >>> v) & 1) === 1) && (this.cpus[v].r[SHADOW] & SHADOW_NMI) === 0
  }

  /** Address of the instruction that it stands at: the one that put it to sleep, where it sleeps. */
  instructionAt(v: number): number {
    return (this.cpus[v].r[EIP] - (this.quietWord(v, PENDING) === AT_HALT ? HLT_BYTES : 0)) >>> 0
  }

  /** It waits for a kick or an interrupt. */
  sleeps(v: number): boolean {
    const pending = this.quietWord(v, PENDING)
    return pending === AT_HALT || (pending === AT_BLOCK && this.wordOf(v, KICKED) === 0) || (pending === AT_POLL && this.polledByte(v) === 0)
  }

  /** What the byte holds that a polling vCPU waits for. */
  polledByte(v: number): number {
    return this.memory.u8[this.memory.index(this.quietWord(v, PENDING_ADDRESS))]
  }

  /** `v` jumps: what its prefetch queue held is gone. */
  onBranch(v: number): void {
    if (this.fetchIsVisible && this.running()) this.fetchView.branch(v)
  }

  begun(v: number): boolean {
    return this.wordOf(v, ANSWER_COUNT) !== 0 || this.wordOf(v, FETCHED_LENGTH) !== 0
  }

  /** Entries in the store buffer of `v`. */
  buffered(v: number): number {
    return this.store.w[GLOBAL_WORDS + v * VCPU_WORDS + BUFFER_COUNT]
  }

  base(v: number): number {
    return GLOBAL_WORDS + v * VCPU_WORDS
  }

  /** Its code and its stack are at linear addresses that are physical ones. */
  isFlat(v: number): boolean {
    return (this.cpus[v].r[CR0] & CR0_PG) === 0 && this.hasFlatSegments(v)
  }

  /** They are at linear addresses that are those of the program, in 32-bit segments. */
  hasFlatSegments(v: number): boolean {
    const { r } = this.cpus[v]
    return r[SEG_BASE + CS] === 0 && r[SEG_BASE + SS] === 0 && (r[SEG_ATTR + CS] & r[SEG_ATTR + SS] & ATTR_BIG) !== 0
  }

  /** The dword at `address` of the stack of `v`, unsigned; null: unknown. */
  stackAt(v: number, address: number): number | null {
    const { r } = this.cpus[v]
    const at = this.memory.index(address)
    if (r[SEG_BASE + SS] !== 0 || at < 0 || (address & 3) !== 0 || this.buses[v].buffer.overlaps(address, 4)) return null
    return this.memory.load(at, 4) >>> 0
  }

  /** The vCPU stands between two instructions, and no event is on its way to a handler. */
  atBoundary(v: number): boolean {
    return !this.begun(v) && this.wordOf(v, STATUS) !== ENDED && (this.cpus[v].r[EVENT] & EVENT_VALID) === 0
  }

  /** With paging on, which physical bytes follow EIP is not worked out: all of them may. */
  #inQueue(v: number, physical: number): boolean {
    const { r } = this.cpus[v]
    if ((r[CR0] & CR0_PG) !== 0) return true
    const ahead = (physical - (r[SEG_BASE + CS] + r[EIP])) >>> 0
    return ahead < this.model.cpu.queueBytes + (this.begun(v) ? WINDOW : 0)
  }

  /** A word of the vCPU that is not hashed (layout.ts). */
  quietWord(v: number, word: number): number {
    return this.store.w[this.#quietAt + v * QUIET_WORDS + word]
  }
}
