/**
 * N vCPUs over shared memory as one labelled transition system: `enabled` lists the choices, `take` performs
 * exactly one event and the invisible work up to the next one, `undo` reverts it. Every scheduler, engine,
 * replayer and property uses these three and nothing else.
 *
 * A vCPU that is not running is *parked* just before its next visible event (layout.ts, `AT_...`). Work that
 * no other actor can observe (sharing.ts) is done at once, as part of the step before it.
 *
 * Phases: `init` alone on vCPU 0, then all vCPUs, then `final` alone when every vCPU has ended and every
 * buffer is empty.
 */
import { Cpu } from '../cpu/cpu.ts'
import { STOP_FAULT, STOP_VIOLATION } from '../cpu/bus.ts'
import { EXCEPTION_NAMES } from '../cpu/exceptions.ts'
import { decode, type Op } from '../cpu/decode.ts'
import { canRunBlocks } from '../cpu/runBlocks.ts'
import { countedLoop, type CountedLoop } from '../cpu/countedLoop.ts'
import { ALL_LIVE, CARRY_LIVE, liveAt, OTHER_FLAGS_LIVE, partsOf, type LiveRegisters, type Surroundings } from '../cpu/liveness.ts'
import {
  ACTIVE, ACTIVITY, ATTR_BIG, CF, CR0, CR0_PG, CS, DR7, EBP, EFLAGS, EIP, ESP, EVENT, EVENT_EXTERNAL, EVENT_HAS_ERROR, EVENT_INT_N, EVENT_NMI, EVENT_TYPE,
  EVENT_VALID, HALTED, MAIN_REGISTERS, REGISTER_WORDS, SEG_ATTR, SEG_BASE, SHUTDOWN, SS, TF, VM,
} from '../cpu/registers.ts'
import { wayOutOf, type WayOut } from '../cpu/wayOut.ts'
import { Store } from '../state/store.ts'
import { choiceArgument, choiceKind, choiceVcpu, DRAIN, INTERRUPT, NMI, packChoice, RUN } from './choice.ts'
import { CodeWindow } from './codeWindow.ts'
import type { Observer } from './events.ts'
import { FetchView, historyWords, WINDOW } from './fetchView.ts'
import { Footprint, FP_CODE_SEEN, FP_FETCH, FP_MEMORY_READ, FP_RESOURCE_READ, FP_RESOURCE_WRITE, FP_STALE_FETCH, FP_TRANSLATING, FP_WRITE, pendingOf, RESOURCE_HISTORY, RESOURCE_MARKS, translationsOf } from './footprint.ts'
import { GUEST_CALL_BYTES } from './guestCalls.ts'
import { callGuest } from './guestServices.ts'
import { EXECUTE, type MachineImage } from './image.ts'
import {
  ANSWER_COUNT, AT_BLOCK, AT_BOUNDARY, AT_END, AT_FENCE, AT_FETCH, AT_HALT, AT_LOAD, AT_LOCAL, AT_LOCKED, AT_MARK, AT_NOTHING,
  AT_POLL, AT_SEND, AT_SERIALIZE, AT_STORE, AT_TRANSLATE, BLOCK_UNTIL_INTERRUPT, BUFFER_COUNT, ENDED, FETCHED_BYTES, FETCHED_LENGTH, GLOBAL_WORDS, ICOUNT, IRR, KICKED, layOut,
  NMI_PENDING, PENDING, PENDING_ADDRESS, PENDING_NAMES, PENDING_SIZE, PENDING_WAYS, PHASE, PHASE_DONE, PHASE_FINAL,
  PHASE_INIT, PHASE_RUN, POSED, QUIET_WORDS, RUNNABLE, STATUS, TURN_AT, TURNS, VCPU_WORDS, WAKE_CAME, WAKE_TAKEN, WAKE_WHAT, type Layout,
} from './layout.ts'
import { Memory, PageMap } from './memory.ts'
import type { Model } from './model.ts'
import type { Monitor, Violation } from './monitor.ts'
import { PrivateCode } from './privateCode.ts'
import { Sharing } from './sharing.ts'
import { describeWait, kindOfStandstill } from './standstill.ts'
import { symbolize } from './symbols.ts'
import { isForgotten, Spins, TURN_EVENTS_MAX, TURNS_MAX, type CodeView } from './spins.ts'
import { FLAG_BITS, FLAG_EFFECT, FLAG_LAST_LOADS, FLAG_PROGRESSED, FLAG_QUIET, FLAG_TOUCHED, StepMemo } from './stepMemo.ts'
import { Translations, translationWords } from './translations.ts'
import type { StoreBuffer } from './storeBuffer.ts'
import { VcpuBus } from './vcpuBus.ts'
import { WAKE_IN_TIME, WAKE_SOURCE, wakeBy } from './wakes.ts'

export interface MachineOptions {
  readonly monitors?: readonly Monitor[]
  /** What earlier machines of the same exploration learnt; it grows. */
  readonly sharing?: Sharing
  readonly pages?: PageMap
  /** Counts of earlier machines of the same exploration, to add to. */
  readonly coverage?: Coverage
  /** Somebody looks at the registers of vCPUs that have ended; default no. */
  readonly looksAtRegisters?: boolean
  /**
   * Registers and flags that can no longer matter are overwritten where a vCPU parks, so that states which differ in nothing else are
   * one; default no. What the machine does, and what it can choose, stays the same.
   */
  readonly forgets?: boolean
  /** Steps are remembered (stepMemo.ts); default yes. */
  readonly memo?: boolean
  /** Turns of loops that count are taken at once (spins.ts): schedules are no longer those of the plain machine; default no. */
  readonly spins?: boolean
  /** Told of the initial steps too. */
  readonly observer?: Observer
}

/** How often things that a verdict must not be vacuous about were reached, over all executions. */
export interface Coverage {
  /** Check point id to evaluations. */
  readonly points: Map<number, number>
  /** `site>target` to executions. */
  readonly sites: Map<string, number>
  /** Executions cut by an assumption. */
  cut: number
}

/** `take`: the execution went on, was judged violated, or was cut by an assumption. */
export const WENT_ON = 0
export const VIOLATED = 1
export const CUT = 2

/** `openTo`: an interrupt or NMI, own stores that drain before it; code that is written. */
export const OPEN_TO_INTERRUPTS = 1
export const OPEN_TO_CODE = 2

const MARKS_MIN = 1024
/** Bytes of a stack that are looked through for return addresses, and lengths of the calls before them. */
const STACK_SCANNED = 1024
const CALL_LENGTHS = [5, 2, 3, 6, 7]
/** Transfers that load CS; near ones tell the bus themselves. */
const RETURNS: ReadonlySet<string> = new Set(['ret', 'retf', 'iret'])
const FAR_TRANSFERS: ReadonlySet<string> = new Set(['call', 'jmp', 'retf', 'iret', 'int', 'int3', 'into', 'sysenter', 'sysexit'])

export class Machine {
  readonly image: MachineImage
  readonly model: Model
  readonly store: Store
  readonly memory: Memory
  readonly sharing: Sharing
  readonly fetchView: FetchView
  /** Null: the model caches none. */
  readonly translations: Translations | null
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
  /** The last step accessed data, be it private. */
  touched = false
  /** Private stores, and loads of what the vCPU does not write itself, in steps that were executed and not remembered. */
  privateStores = 0
  foreignLoads = 0
  /** General registers, EIP and EFLAGS of the vCPU of the last RUN, before the instruction whose event it was; only where `eventBegins`. */
  readonly eventRegisters = new Int32Array(MAIN_REGISTERS)
  /** That event was the first of its instruction; all other registers were what they were before the step. */
  eventBegins = false
  /** Why `complete` cannot be claimed; empty: it can. */
  readonly weaknesses = new Set<string>()
  violation: Violation | null = null
  observer: Observer | null = null
  /** Events of one vCPU that the last RUN stands for, where it took turns of a loop at once; 0: it was one event. */
  spun = 0
  readonly memo: StepMemo
  /** Events taken. */
  step = 0
  /** Code may be fetched stale, and some is shared: core serialisation matters. */
  get fetchIsVisible(): boolean {
    return this.sharing.codeShared && this.model.fetch.kind !== 'coherent'
  }

  /** Translations may be stale: when one is invalidated matters. */
  get translationIsVisible(): boolean {
    return this.translations !== null && this.sharing.tablesChange
  }

  readonly #layout: Layout
  readonly #quietAt: number
  readonly #buses: readonly VcpuBus[]
  readonly #windows: readonly CodeWindow[]
  /** By vCPU, once it has run. */
  readonly #codes: PrivateCode[] = []
  readonly #before = new Int32Array(REGISTER_WORDS)
  readonly #handled: ReadonlySet<number>
  readonly #watched = new Map<number, Monitor[]>()
  readonly #monitors: readonly Monitor[]
  readonly #accessMonitors: readonly Monitor[]
  readonly #drainMonitors: readonly Monitor[]
  readonly #judges: readonly Monitor[]
  readonly #writeMonitors: readonly Monitor[]
  readonly #returnMonitors: readonly Monitor[]
  readonly #remembers: boolean
  readonly #spins: Spins | null
  /** Instructions are executed only in here; null: anywhere. */
  #fence: ReadonlySet<number> | null = null
  readonly #watchesFetches: boolean
  #marks = new Int32Array(MARKS_MIN)
  /** Step that `undo` cannot go below. */
  #floor = 0
  #cut = false

  constructor(image: MachineImage, model: Model, options: MachineOptions = {}) {
    const monitors = options.monitors ?? []
    const pages = options.pages ?? new PageMap(image.regions)
    const vcpus = image.vcpus.length
    const ghostWords = monitors.reduce((sum, monitor) => sum + monitor.ghostWords(vcpus), 0)
    const history = historyWords(vcpus, model.fetchHistory)
    this.observer = options.observer ?? null
    this.image = image
    this.model = model
    this.coverage = options.coverage ?? { points: new Map(), sites: new Map(), cut: 0 }
    this.#layout = layOut(vcpus, image.interrupts.length, history, model.fetchHistory, translationWords(vcpus, model), ghostWords, pages.sizeBytes / 4)
    this.#quietAt = this.#layout.quiet
    this.#liveAtExit = options.looksAtRegisters === true ? ALL_LIVE : 0
    // A handler of exceptions sees the registers and, on its stack, the flags.
    this.#forgets = options.forgets === true && image.handledVectors.every((vector) => vector >= EXCEPTIONS)
    this.store = new Store(this.#layout.length, this.#layout.quiet)
    this.memory = new Memory(this.store, this.#layout.memory, pages, image.regions)
    this.sharing = options.sharing ?? new Sharing(pages.sizeBytes / 4, vcpus)
    this.#spins = options.spins === true ? new Spins(this.sharing) : null
    this.memo = new StepMemo(this.store, this.#layout, this.sharing, this.footprint, this.eventRegisters, (id) => this.countPoint(id))
    this.memory.memo = this.memo
    if (!model.ownStoresSeen && model.fetch.kind !== 'coherent') this.sharing.ownCode = true
    this.fetchView = new FetchView(this.store, this.#layout.history, this.#layout.serials, this.memory, this.sharing, model, vcpus, (v, physical) => this.#inQueue(v, physical))
    this.translations = model.tlb === 'none' ? null : new Translations(this.store, this.#layout.translations, this.memory, this.sharing, model, vcpus)
    this.#handled = new Set(image.handledVectors)
    const buses: VcpuBus[] = []
    const cpus: Cpu[] = []
    for (let v = 0; v < vcpus; v++) {
      const base = this.#base(v)
      this.store.w.set(image.vcpus[v].registers, base)
      const bus = new VcpuBus(this, v, base)
      const cpu = new Cpu(this.store.w, base, bus, model.cpu, model.undefinedFlags)
      bus.cpu = cpu
      buses.push(bus)
      cpus.push(cpu)
    }
    this.#buses = buses
    this.cpus = cpus
    this.#windows = cpus.map((cpu, v) => new CodeWindow(cpu, this.memory, buses[v]))
    this.#monitors = monitors
    this.#watchesFetches = monitors.some((monitor) => monitor.onFetch !== undefined)
    this.#accessMonitors = monitors.filter((monitor) => monitor.onAccess !== undefined)
    this.#drainMonitors = monitors.filter((monitor) => monitor.onDrain !== undefined)
    this.#judges = monitors.filter((monitor) => monitor.onAccess !== undefined || monitor.onFetch !== undefined || monitor.onReturn !== undefined)
    this.#writeMonitors = monitors.filter((monitor) => monitor.onWrite !== undefined)
    this.#returnMonitors = monitors.filter((monitor) => monitor.onReturn !== undefined)
    this.#remembers = options.memo !== false && this.#judges.every((monitor) => monitor.isIdle !== undefined)
    let ghosts = this.#layout.ghosts
    for (const monitor of monitors) {
      monitor.attach(this, ghosts)
      ghosts += monitor.ghostWords(vcpus)
      for (const eip of monitor.watches ?? []) this.#watched.set(eip, [...(this.#watched.get(eip) ?? []), monitor])
    }
    for (const source of image.interrupts) this.sharing.interruptible[source.vcpu] = 1
    this.#start()
    this.store.seal()
    ;[this.store.h0, this.store.h1] = this.store.fullHash()
  }

  /** Lists the choices of this state in a fixed order; returns their number, 0 at the end of an execution. */
  enabled(out: Int32Array): number {
    if (this.violation !== null || this.#cut) return 0
    const phase = this.store.w[PHASE]
    if (phase === PHASE_DONE) return 0
    const actors = phase === PHASE_RUN ? this.cpus.length : 1
    let count = 0
    for (let v = 0; v < actors; v++) {
      if (this.canContinue(v)) count = this.#listRuns(v, out, count)
      if (this.#buffered(v) > 0) count = this.#listDrains(v, out, count)
      if (phase === PHASE_RUN && this.sharing.interruptible[v] !== 0) count = this.#listInterrupts(v, out, count)
    }
    return count
  }

  /** Performs one choice of `enabled`. */
  take(choice: number): number {
    this.#pushMark()
    this.step++
    this.footprint.clear()
    this.quiet = true
    this.effect = false
    this.progressed = 0
    this.touched = false
    this.eventBegins = false
    this.spun = 0
    const v = choiceVcpu(choice)
    const argument = choiceArgument(choice)
    switch (choiceKind(choice)) {
      case DRAIN:
        // A way that was recorded before more memory was known to be shared may have a store that is none here.
        if (argument < this.#buffered(v)) this.#drain(v, argument)
        break
      case RUN:
        if (this.#spins === null) this.#step(v, argument)
        else this.#stepOrSpin(v, argument, this.#spins)
        break
      case INTERRUPT:
        this.#acceptInterrupt(v, argument)
        break
      case NMI:
        this.#acceptNmi(v, argument)
        break
    }
    this.#waysOf = -1
    if (this.violation === null && !this.#cut) this.#progressPhase()
    this.#waysOf = -1
    if (this.fetchView.capped) this.weaken(`the fetch history was full (fetchHistory=${this.model.fetchHistory})`)
    if (this.translations !== null && this.translations.capped) this.weaken(`a vCPU had more stale translations than are kept (tlbEntries=${this.model.tlbEntries})`)
    return this.violation !== null ? VIOLATED : this.#cut ? CUT : WENT_ON
  }

  /** Reverts the last `take`. */
  undo(): void {
    if (this.step === this.#floor) throw new Error('undo beyond what was kept')
    this.#waysOf = -1
    this.step--
    this.store.undoTo(this.#marks[this.step])
    this.violation = null
    this.#cut = false
  }

  /** What happened so far can no longer be undone: for long runs, whose log would have no end. */
  forget(): void {
    this.#floor = this.step
    this.store.seal()
  }

  /** The vCPU's next event can be made now: leaving it is a preemption. */
  canContinue(v: number): boolean {
    const pending = this.#quiet(v, PENDING)
    if (pending === AT_END || pending === AT_HALT || pending === AT_NOTHING) return false
    const buffered = this.#buffered(v)
    const sc = buffered > 0 && this.model.sc
    switch (pending) {
      case AT_LOCKED:
      case AT_FENCE:
      case AT_SERIALIZE:
        return buffered === 0
      case AT_SEND:
        return buffered === 0 || (!this.model.ipiDrains && !this.model.sc)
      case AT_BLOCK:
        return this.store.w[this.#base(v) + KICKED] !== 0 && !sc
      case AT_POLL:
        return buffered === 0 && this.polledByte(v) !== 0
      case AT_STORE:
        return !sc && buffered + (this.#quiet(v, PENDING_WAYS) > 1 ? 2 : 1) <= this.model.storeBuffer
      case AT_LOAD: {
        const physical = this.#quiet(v, PENDING_ADDRESS)
        const size = this.#quiet(v, PENDING_SIZE)
        return !sc && (!this.model.partialWait || this.#buses[v].buffer.coversOrMisses(physical, size))
      }
      default:
        return !sc && (buffered === 0 || !this.sharing.codeShared || this.#listRuns(v, this.#scratch, 0) > 0)
    }
  }

  // --- for partial-order reduction (explore/dpor) ---

  get vcpuCount(): number {
    return this.cpus.length
  }
  get granules(): { readonly memory: number; granuleOf(physical: number): number } {
    const { memory } = this
    return { memory: memory.map.sizeBytes / 4, granuleOf: (physical) => memory.granule(memory.index(physical)) }
  }
  bufferedStoresOf(v: number): number {
    return this.#buffered(v)
  }
  /** Physical address and size of each, oldest first. */
  bufferedStoresList(v: number): [number, number][] {
    const { buffer } = this.#buses[v]
    return Array.from({ length: buffer.count }, (_, k) => [buffer.address(k), buffer.size(k)])
  }
  /** The registers of a vCPU, as long as it does not run. */
  registersOf(v: number): Int32Array {
    return this.cpus[v].r
  }
  /**
   * Whether its stack, monitors' state and registers besides `eventRegisters` are what they were before the steps of these numbers (oldest
   * first, all of this vCPU, all quiet).
   */
  restored(v: number, steps: readonly number[]): boolean {
    const olds = new Map<number, number>()
    const base = this.#base(v)
    for (const step of steps)
      this.store.forEachBetween(this.#marks[step], step + 1 < this.step ? this.#marks[step + 1] - 2 : this.store.top, (index, old) => {
        const isRegister = index >= base + MAIN_REGISTERS && index < base + REGISTER_WORDS
        if ((isRegister || (index >= this.#layout.ghosts && index < this.#quietAt)) && !olds.has(index)) olds.set(index, old)
      })
    for (const [index, old] of olds) if (this.store.w[index] !== old) return false
    return true
  }
  /**
   * Whether it is known that the next step of `v` will end it, and do nothing that others can see but load from memory; and that nothing follows when
   * all vCPUs have ended. The footprint is that of the step then, which is not taken.
   */
  loadsAndEnds(v: number): boolean {
    if (this.#quiet(v, PENDING) !== AT_LOAD || this.image.final !== null || !this.#isRememberable(v)) return false
    return (this.#spins === null || this.#spins.countersAt(this.cpus[v].r[EIP] >>> 0) === 0) && this.memo.foresee(v)
  }
  /** It is parked before the first event of an instruction. */
  betweenInstructions(v: number): boolean {
    return !this.#begun(v)
  }
  /** Registers that can matter where the vCPU stands (cpu/liveness.ts). */
  liveRegisters(v: number): number {
    return this.#canReadCode(v) ? this.#liveAt(v, this.cpus[v].r[EIP]) : ALL_LIVE
  }

  /** At another place, with the stack that `v` has. */
  #liveAt(v: number, eip: number): number {
    const { r } = this.cpus[v]
    const known = this.#live.get(eip)
    if (known !== undefined)
      for (const one of known)
        if (one.esp === r[ESP] && (!one.frame || one.ebp === r[EBP]) && this.#stackHolds(v, one.slots)) return one.mask
    const live = { ...liveAt(eip, r, this.#surroundings(v)), esp: r[ESP], ebp: r[EBP] }
    this.#live.set(eip, [live, ...(known ?? []).slice(0, STACKS_MAX)])
    return live.mask
  }
  readonly #live = new Map<number, readonly (LiveRegisters & { readonly esp: number; readonly ebp: number })[]>()
  readonly #liveAtExit: number
  readonly #forgets: boolean

  /** Overwrites the registers and flags of `v` that nothing can read any more. */
  #forgetDead(v: number): void {
    const { r } = this.cpus[v]
    const ended = this.wordOf(v, STATUS) === ENDED
    // Interrupts push what they find; traps and the code of a debugger look at it.
    if (!this.running() || this.sharing.interruptible[v] !== 0 || (r[EVENT] & EVENT_VALID) !== 0 || (r[EFLAGS] & (TF | VM)) !== 0 || (r[DR7] & 0xff) !== 0) return
    const live = ended ? this.#liveAtExit : this.liveRegisters(v)
    if (live === ALL_LIVE) return
    for (let register = 0; register < 8; register++)
      if ((live & partsOf(register, 4)) === 0 && (ended || register !== ESP)) this.setWord(v, register, FORGOTTEN)
    const flags = ((live & CARRY_LIVE) === 0 ? CF : 0) | ((live & OTHER_FLAGS_LIVE) === 0 ? OTHER_FLAGS : 0)
    this.setWord(v, EFLAGS, r[EFLAGS] & ~flags)
  }

  #stackHolds(v: number, slots: readonly number[]): boolean {
    for (let k = 0; k < slots.length; k += 2) if (this.#stackAt(v, slots[k]) !== slots[k + 1]) return false
    return true
  }

  #surroundings(v: number): Surroundings {
    const { memory, sharing } = this
    return {
      atExit: this.#liveAtExit,
      opAt: (eip) => {
        const op = this.#opAt(eip)
        for (let b = 0; op !== null && b < op.length; b++) if (!sharing.relyOnCode(memory.granule(memory.index(eip + b)))) return null
        return op
      },
      keeps: (address) => memory.index(address) >= 0 && (address & 3) === 0 && this.#buses[v].isStack(address) && sharing.relyOnSlot(memory.granule(memory.index(address)), 1 << v),
      stackAt: (address) => this.#stackAt(v, address),
    }
  }

  #canReadCode(v: number): boolean {
    return !this.sharing.codeShared && this.#isFlat(v)
  }

  /** The code as `v` sees it, for as long as its stack pointer and EBP stay what they are. */
  #codeView(v: number): CodeView {
    return { opAt: this.#surroundings(v).opAt, live: (eip) => this.#liveAt(v, eip) }
  }

  /** The dword at `address` of the stack of `v`, unsigned; null: unknown. */
  #stackAt(v: number, address: number): number | null {
    const { r } = this.cpus[v]
    const at = this.memory.index(address)
    if (r[SEG_BASE + SS] !== 0 || at < 0 || (address & 3) !== 0 || this.#buses[v].buffer.overlaps(address, 4)) return null
    return this.memory.load(at, 4) >>> 0
  }

  /** Its code and its stack are at linear addresses that are physical ones. */
  #isFlat(v: number): boolean {
    const { r } = this.cpus[v]
    return (r[CR0] & CR0_PG) === 0 && r[SEG_BASE + CS] === 0 && r[SEG_BASE + SS] === 0 && (r[SEG_ATTR + CS] & r[SEG_ATTR + SS] & ATTR_BIG) !== 0
  }

  needsDrains(choice: number): boolean {
    if (choiceKind(choice) === INTERRUPT || choiceKind(choice) === NMI) return this.model.interruptDrains
    if (this.model.sc) return true
    const v = choiceVcpu(choice)
    switch (this.#quiet(v, PENDING)) {
      case AT_LOCKED:
      case AT_FENCE:
      case AT_SERIALIZE:
      case AT_POLL:
        return true
      case AT_SEND:
        return this.model.ipiDrains
      case AT_STORE:
        return this.#quiet(v, PENDING_WAYS) === 1
      default:
        return false
    }
  }
  alternatives(v: number): number {
    return this.openTo(v) !== 0 ? 2 : this.#quiet(v, PENDING_WAYS)
  }
  openTo(v: number): number {
    const interrupts = this.sharing.interruptible[v] !== 0 && this.#atBoundary(v) && this.#interruptsMatter(v) ? OPEN_TO_INTERRUPTS : 0
    return interrupts | (this.fetchIsVisible && this.#fetchWays(v) > 0 ? OPEN_TO_CODE : 0)
  }
  canBeBlocked(choice: number): boolean {
    if (choiceKind(choice) === INTERRUPT || choiceKind(choice) === NMI) return true
    const pending = this.#quiet(choiceVcpu(choice), PENDING)
    return pending === AT_BLOCK || pending === AT_POLL
  }
  /** A fetch variant by what it fetches: the numbers in `enabled` depend on what has been written to code so far. */
  identify(choice: number): number {
    const v = choiceVcpu(choice)
    if (choiceKind(choice) !== RUN) return choice
    if (this.#quiet(v, PENDING) === AT_TRANSLATE) return packChoice(RUN, v, this.#translationName(v, choiceArgument(choice)))
    if (!this.fetchIsVisible || this.#fetchWays(v) === 0) return choice
    return packChoice(RUN, v, this.#variantName(v, choiceArgument(choice)))
  }
  /** The choice that `identify` would give this name here; -1: it is not enabled. */
  locate(name: number): number {
    const v = choiceVcpu(name)
    const kind = choiceKind(name)
    if (kind === DRAIN) return this.#buses[v].buffer.count > 0 ? name : -1
    if (kind === RUN) {
      if (!this.canContinue(v)) return -1
      if (this.#quiet(v, PENDING) !== AT_TRANSLATE && (!this.fetchIsVisible || this.#fetchWays(v) === 0)) return name
    }
    const count = kind === RUN ? this.#listRuns(v, this.#scratch, 0) : this.#listInterrupts(v, this.#scratch, 0)
    for (let k = 0; k < count; k++) if (this.identify(this.#scratch[k]) === name) return this.#scratch[k]
    return -1
  }
  readonly #variantNames = new Map<string, number>()

  #variantName(v: number, variant: number): number {
    const view = this.fetchView
    const key = `${view.bytes.subarray(variant * 16, variant * 16 + view.lengths[variant]).join()}${this.model.fetch.kind === 'strict' && view.races(v, variant) ? ' race' : ''}`
    return this.#nameOf(key)
  }

  /** A walk is 0. */
  #translationName(v: number, way: number): number {
    if (way === 0) return 0
    const { kinds, lows, highs } = this.translations!
    this.#listRuns(v, this.#names, 0)
    return 1 + this.#nameOf(`translation ${kinds[way - 1]} ${lows[way - 1]} ${highs[way - 1]}`)
  }

  #nameOf(key: string): number {
    const known = this.#variantNames.get(key)
    if (known !== undefined) return known
    this.#variantNames.set(key, this.#variantNames.size)
    return this.#variantNames.size - 1
  }
  readonly #names = new Int32Array(128)
  get unreducible(): string | null {
    // What a write leaves to be fetched depends on where each vCPU stands as it is made.
    if (this.fetchIsVisible && this.model.cpu.queueBytes > 0) return 'dpor does not handle prefetch queues; use --engine graph'
    if (this.fetchIsVisible && this.sharing.aliased) return 'dpor does not handle own stores to code through another linear address; use --engine graph, or --set smcMatch=physical'
    if (this.model.storesOvertake) return 'dpor does not handle storeOrder=any; use --engine graph'
    return null
  }

  /** What a choice would access (explore/sampling/pos.ts). */
  accessOf(choice: number, out: { physical: number; sizeBytes: number; writes: boolean; signals: boolean }): void {
    const v = choiceVcpu(choice)
    const kind = choiceKind(choice)
    const pending = this.#quiet(v, PENDING)
    out.signals = kind === INTERRUPT || kind === NMI || (kind === RUN && (pending === AT_SEND || pending === AT_BLOCK || pending === AT_MARK))
    out.writes = kind === DRAIN || pending === AT_LOCKED
    if (kind === DRAIN) {
      out.physical = this.#buses[v].buffer.address(choiceArgument(choice))
      out.sizeBytes = this.#buses[v].buffer.size(choiceArgument(choice))
    } else {
      out.physical = this.#quiet(v, PENDING_ADDRESS)
      out.sizeBytes = kind === RUN && (pending === AT_LOAD || pending === AT_LOCKED || pending === AT_FETCH || pending === AT_POLL) ? this.#quiet(v, PENDING_SIZE) : 0
    }
  }

  // --- for liveness (explore/liveness) ---

  hasEnded(v: number): boolean {
    return this.wordOf(v, STATUS) === ENDED
  }
  /** It waits for a kick or an interrupt. */
  sleeps(v: number): boolean {
    const pending = this.#quiet(v, PENDING)
    return pending === AT_HALT || (pending === AT_BLOCK && this.wordOf(v, KICKED) === 0) || (pending === AT_POLL && this.polledByte(v) === 0)
  }
  get footprintsVary(): boolean {
    return this.sharing.anyJudged || this.translationIsVisible
  }
  /** Address of the byte that a vCPU polls; -1: it polls none. */
  polledAddress(v: number): number {
    return this.#quiet(v, PENDING) === AT_POLL ? this.#quiet(v, PENDING_ADDRESS) >>> 0 : -1
  }
  /** What the byte holds that a polling vCPU waits for. */
  polledByte(v: number): number {
    return this.memory.u8[this.memory.index(this.#quiet(v, PENDING_ADDRESS))]
  }
  /** A fetch or a translation that lags behind. */
  isStaleView(choice: number): boolean {
    if (choiceKind(choice) !== RUN || choiceArgument(choice) === 0) return false
    const pending = this.#quiet(choiceVcpu(choice), PENDING)
    return pending === AT_FETCH || pending === AT_BOUNDARY || pending === AT_LOCAL || pending === AT_TRANSLATE
  }
  /** Where code that goes round through these addresses would go otherwise (cpu/wayOut.ts). */
  wayOut(v: number, executed: ReadonlySet<number>): WayOut {
    return this.#isFlat(v) ? wayOutOf(executed, this.#returnsOf(v), (eip) => this.#opAt(eip)) : 'ends'
  }
  /** What looks like return addresses on the stack of `v`, innermost first, below the one that it started with. */
  #returnsOf(v: number): number[] {
    const start = this.image.vcpus[v].registers[ESP]
    const returns: number[] = []
    for (let offset = 0; this.cpus[v].r[ESP] + offset < start && offset < STACK_SCANNED; offset += 4) {
      const value = this.#stackAt(v, (this.cpus[v].r[ESP] + offset) >>> 0)
      if (value === null) break
      if (CALL_LENGTHS.some((length) => this.#opAt((value - length) >>> 0)?.row?.mnemonic === 'call' && this.#opAt((value - length) >>> 0)?.length === length)) returns.push(value >>> 0)
    }
    return returns
  }
  #opAt(eip: number): Op | null {
    const bytes = new Uint8Array(2 * WINDOW)
    let length = 0
    for (; length < WINDOW && this.memory.allows(eip + length, EXECUTE); length++) bytes[length] = this.memory.u8[this.memory.index(eip + length)]
    const op = decode(bytes, 0, length, true)
    return op.length === 0 || op.length > length ? null : op
  }
  /** Where the vCPU stands, for people. */
  place(v: number): string {
    return this.symbolize(this.cpus[v].r[EIP])
  }
  eip(v: number): number {
    return this.cpus[v].r[EIP] >>> 0
  }
  kindOfStandstill(): string {
    return kindOfStandstill(this)
  }
  describeWait(v: number): string {
    return describeWait(this, v)
  }
  /** A word of the vCPU that is not hashed (layout.ts). */
  clock(v: number, word: number): number {
    return this.#quiet(v, word)
  }

  bufferedStores(): number {
    let sum = 0
    for (let v = 0; v < this.cpus.length; v++) sum += this.#buffered(v)
    return sum
  }

  /** A choice that the environment makes, not the scheduler: a stale fetch, an interrupt, the order of halves. */
  isEnvironmentChoice(choice: number): boolean {
    const kind = choiceKind(choice)
    if (kind === INTERRUPT || kind === NMI) return true
    if (kind !== RUN || choiceArgument(choice) === 0) return false
    const pending = this.#quiet(choiceVcpu(choice), PENDING)
    return pending !== AT_NOTHING && PENDING_NAMES[pending] !== 'choose'
  }

  /** `name+0x12`, or the bare address. */
  symbolize(address: number): string {
    return symbolize(this.image, address)
  }

  icount(v: number): number {
    return this.#quiet(v, ICOUNT)
  }
  pending(v: number): string {
    return PENDING_NAMES[this.#quiet(v, PENDING)]
  }
  /** The bytes of the instruction that `v` is about to execute: those that were fetched for it, else those in memory. */
  executedBytes(v: number, length: number): Uint8Array {
    const base = this.#base(v)
    if (this.store.w[base + FETCHED_LENGTH] !== 0) return this.memory.u8.slice((base + FETCHED_BYTES) * 4, (base + FETCHED_BYTES) * 4 + length)
    return Uint8Array.from({ length }, (_, b) => this.memory.u8[this.memory.index(this.#windows[v].physical[b])])
  }
  /** The store buffer of vCPU `v`, to look at. */
  buffer(v: number): StoreBuffer {
    return this.#buses[v].buffer
  }

  /** The NUL-terminated string at `address`, or ''. */
  textAt(address: number): string {
    let text = ''
    for (let at = this.memory.index(address); at >= 0 && text.length < 256 && this.memory.u8[at] !== 0; at++) text += String.fromCharCode(this.memory.u8[at])
    return text
  }

  // --- for the buses and monitors ---------------------------------------------------------------------

  /** The execution is judged: `kind` is machine-readable, `message` for people. The first judgement stays. */
  violate(kind: string, vcpu: number, message: string): void {
    const cpu = this.cpus[vcpu]
    cpu.stop = STOP_VIOLATION
    if (this.violation === null) this.violation = { kind, message, vcpu, eip: cpu.r[EIP] >>> 0 }
  }

  /** A monitor: others must be able to run once the instruction or delivery at hand is over. */
  pause(): void {
    this.#pauses = true
  }
  #pauses = false
  #takesPause(): boolean {
    const pauses = this.#pauses
    this.#pauses = false
    return pauses
  }

  countPoint(id: number): void {
    const { points } = this.coverage
    points.set(id >>> 0, (points.get(id >>> 0) ?? 0) + 1)
    this.memo.notePoint(id)
  }

  weaken(reason: string): void {
    this.weaknesses.add(reason)
  }

  cutExecution(vcpu: number): void {
    this.cpus[vcpu].stop = STOP_VIOLATION
    this.#cut = true
    this.coverage.cut++
  }

  /** The event of a step is made by the instruction at hand. */
  captureEvent(v: number, first: boolean): void {
    const { r } = this.cpus[v]
    for (let k = MAIN_REGISTERS; k < REGISTER_WORDS && first; k++) first = r[k] === this.#before[k]
    this.#capture(v, first)
  }
  #capture(v: number, first: boolean): void {
    this.eventBegins = first
    if (first) for (let k = 0; k < MAIN_REGISTERS; k++) this.eventRegisters[k] = this.cpus[v].r[k]
    this.memo.noteEvent(first)
  }

  setPending(v: number, pending: number, physical: number, sizeBytes: number, ways: number): void {
    const at = this.#layout.quiet + v * QUIET_WORDS
    this.store.set(at + PENDING, pending)
    this.store.set(at + PENDING_ADDRESS, physical)
    this.store.set(at + PENDING_SIZE, sizeBytes)
    this.store.set(at + PENDING_WAYS, ways)
    this.setWord(v, POSED, ways > 1 ? pending : 0)
  }

  onAccess(v: number, physical: number, sizeBytes: number, write: boolean): void {
    this.touched = true
    this.noteJudged(physical, sizeBytes)
    if (this.running()) for (const monitor of this.#accessMonitors) monitor.onAccess!(v, physical, sizeBytes, write)
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
    for (const monitor of this.#monitors) monitor.onWalk?.(v, physical, sizeBytes)
  }

  onTranslation(v: number, linear: number, entry: number, access: number): void {
    this.footprint.add(FP_RESOURCE_READ, RESOURCE_MARKS, 0)
    for (const monitor of this.#monitors) monitor.onTranslation?.(v, linear, entry, access)
  }

  onMark(v: number, call: number, eax: number, edx: number): void {
    for (const monitor of this.#monitors) monitor.onMark?.(v, call, eax, edx)
  }

  /** A store reaches memory, made through `alias` (storeBuffer.ts); `walker`: an update by a page walk, which changes no translation. */
  writeMemory(v: number, physical: number, sizeBytes: number, low: number, high: number, alias: number, walker = false): void {
    const at = this.memory.index(physical)
    const { translations } = this
    let tables = false
    if (this.store.w[PHASE] === PHASE_RUN) {
      for (const monitor of this.#writeMonitors) monitor.onWrite!(v, physical >>> 0, sizeBytes, low, high)
      if (this.fetchView.push(v, physical, sizeBytes, low, high, alias, (this.cpus[v].r[CR0] & CR0_PG) !== 0)) this.footprint.add(FP_RESOURCE_WRITE, RESOURCE_HISTORY, 0)
      tables = translations !== null && !walker && translations.watches(at, sizeBytes) && !this.memory.holds(at, sizeBytes, low, high)
    }
    // Whoever walks these entries may hold what they were; of those that have no A or D set nothing, or less.
    if (tables || (walker && this.running())) for (let u = 0; u < this.cpus.length; u++) this.noteTranslating(u)
    if (tables) {
      this.memo.abandon()
      translations!.beforeWrite(physical, sizeBytes)
    }
    this.#codes[v]?.cache.written(this.memory.granule(at) >> 10)
    this.memory.store(at, sizeBytes, low, high)
    if (tables) translations!.wrote()
  }

  /** `v` makes an access that others can see, which may also be the first that shows its code to be shared. */
  distrustCode(v: number): void {
    this.#codes[v]?.distrust()
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

  /**
   * Freeing or allocating is a write for everybody who touches the memory: their accesses become events, so
   * that none of them is moved across it. False: it is not memory.
   */
  noteLifetime(v: number, address: number, sizeBytes: number): boolean {
    return this.#noteWriters(1 << v, address, sizeBytes)
  }
  /** Of what is released every access is an event: nobody's is moved across it. */
  noteReleased(address: number, sizeBytes: number): boolean {
    return this.#noteWriters((1 << this.cpus.length) - 1, address, sizeBytes)
  }
  #noteWriters(vcpus: number, address: number, sizeBytes: number): boolean {
    if (sizeBytes === 0) return true
    const first = this.memory.index(address)
    if (first < 0 || this.memory.index(address + sizeBytes - 1) < 0) return false
    for (let b = 0; b < sizeBytes; b += 4096 - ((address + b) & 4095)) {
      const at = this.memory.index(address + b)
      if (at < 0) return false
      const last = Math.min(sizeBytes - b, 4096 - ((address + b) & 4095)) - 1
      if (this.running()) for (let g = this.memory.granule(at); g <= this.memory.granule(at + last); g++) {
        this.sharing.noteWrite(g, g, vcpus)
        this.sharing.noteJudged(g)
      }
    }
    return true
  }

  /** A kick or interrupt for `v` was sent (wakes.ts). */
  noteWake(v: number, what: number): void {
    this.#noteClock(v, WAKE_CAME, this.step)
    this.#noteClock(v, WAKE_WHAT, this.sleeps(v) ? what | WAKE_IN_TIME : what)
  }
  noteWakeTaken(v: number): void {
    this.#noteClock(v, WAKE_TAKEN, this.step)
  }
  #noteClock(v: number, word: number, value: number): void {
    this.store.set(this.#layout.quiet + v * QUIET_WORDS + word, value)
  }

  guestCall(v: number, bus: VcpuBus, call: number, eax: number, edx: number): number {
    return callGuest(this, v, bus, call, eax, edx)
  }

  running(): boolean {
    return this.store.w[PHASE] === PHASE_RUN
  }
  wordOf(v: number, word: number): number {
    return this.store.w[this.#base(v) + word]
  }
  setWord(v: number, word: number, value: number): void {
    this.store.set(this.#base(v) + word, value)
  }

  // --- phases -----------------------------------------------------------------------------------------

  #start(): void {
    const store = this.store
    if (this.image.init !== null) {
      store.set(PHASE, PHASE_INIT)
      this.#enter(0, this.image.init)
      for (let v = 1; v < this.cpus.length; v++) this.setPending(v, AT_LOCAL, 0, 0, 1)
      this.#progressPhase()
    } else this.#startVcpus()
  }

  #startVcpus(): void {
    this.store.set(PHASE, PHASE_RUN)
    for (let v = 0; v < this.cpus.length && this.violation === null; v++) this.#enter(v, this.image.vcpus[v].registers)
    this.#progressPhase()
  }

  #enter(v: number, registers: Int32Array): void {
    this.store.setAll(this.#base(v), registers, REGISTER_WORDS)
    this.setWord(v, STATUS, RUNNABLE)
    this.setPending(v, AT_NOTHING, 0, 0, 1)
    this.#buses[v].grant(false, AT_NOTHING, 0)
    if (this.running()) this.translations?.invalidate(v, this.cpus[v].r, true)
    this.#advance(v)
  }

  /** A vCPU that could take a step lately. */
  #actor = 0

  #progressPhase(): void {
    const phase = this.store.w[PHASE]
    if (this.violation !== null || this.#cut) return
    if (phase === PHASE_DONE) return
    const actors = phase === PHASE_RUN ? this.cpus.length : 1
    if (this.#actor < actors && (this.#buffered(this.#actor) > 0 || this.canContinue(this.#actor))) return
    let ended = true
    for (let v = 0; v < actors; v++) {
      const buffered = this.#buffered(v)
      if (buffered === 0 && this.wordOf(v, STATUS) === ENDED) continue
      ended = false
      if (buffered > 0 || this.canContinue(v) || this.#listInterrupts(v, this.#scratch, 0) > 0) {
        this.#actor = v
        return
      }
    }
    // No actor can take a step and not all have ended.
    if (!ended) return this.#deadlock(actors)
    this.effect = true
    if (phase === PHASE_INIT) this.#startVcpus()
    else if (phase === PHASE_RUN && this.image.final !== null) {
      this.store.set(PHASE, PHASE_FINAL)
      this.#enter(0, this.image.final)
      this.#progressPhase()
    } else this.store.set(PHASE, PHASE_DONE)
  }

  /** As many as a fetch or a data choice has ways at the most (fetchView.ts, guestServices.ts), and interrupts. */
  readonly #scratch = new Int32Array(2048)

  #deadlock(actors: number): void {
    const waits: string[] = []
    let first = -1
    for (let v = 0; v < actors; v++) {
      if (this.#quiet(v, PENDING) === AT_END) continue
      if (first < 0) first = v
      waits.push(describeWait(this, v))
    }
    this.violate(kindOfStandstill(this), first, `nobody can go on: ${waits.join('; ')}`)
  }

  // --- steps ------------------------------------------------------------------------------------------

  #drain(v: number, entry: number): void {
    const buffer = this.#buses[v].buffer
    const physical = buffer.address(entry)
    const size = buffer.size(entry)
    const low = buffer.low(entry)
    this.effect = true
    this.footprint.add(FP_WRITE, physical, size)
    this.writeMemory(v, physical, size, low, buffer.high(entry), buffer.alias(entry))
    buffer.remove(entry)
    this.noteJudged(physical, size)
    for (const monitor of this.#drainMonitors) monitor.onDrain!(v, physical, size)
    this.observer?.({ kind: 'drain', vcpu: v, address: physical, sizeBytes: size, value: low })
  }

  #acceptInterrupt(v: number, argument: number): void {
    const vector = argument & 0xff
    const source = argument >>> 8
    if (source > 0) this.#arrive(v, source - 1)
    else this.setWord(v, IRR + (vector >> 5), this.wordOf(v, IRR + (vector >> 5)) & ~(1 << (vector & 31)))
    this.observer?.({ kind: 'interrupt', vcpu: v, address: vector, sizeBytes: 0, value: 0 })
    this.#inject(v, EVENT_VALID | EVENT_EXTERNAL | vector)
  }

  #acceptNmi(v: number, argument: number): void {
    if (argument > 0) this.#arrive(v, argument - 1)
    else this.setWord(v, NMI_PENDING, 0)
    this.observer?.({ kind: 'nmi', vcpu: v, address: 2, sizeBytes: 0, value: 0 })
    this.#inject(v, EVENT_VALID | EVENT_NMI | 2)
  }

  #arrive(v: number, source: number): void {
    const { max, vector } = this.image.interrupts[source]
    // Where any number may arrive the count decides nothing, and would keep equal states apart.
    if (max > 0) this.store.set(this.#layout.sources + source, this.store.w[this.#layout.sources + source] + 1)
    this.noteWake(v, wakeBy(WAKE_SOURCE, 0, vector))
  }

  #inject(v: number, event: number): void {
    // An interrupt ends a poll or a halt: the handler returns behind it.
    const pending = this.#quiet(v, PENDING)
    if (pending === AT_POLL || (pending === AT_BLOCK && this.#quiet(v, PENDING_SIZE) === BLOCK_UNTIL_INTERRUPT)) this.setWord(v, EIP, this.cpus[v].r[EIP] + GUEST_CALL_BYTES)
    this.quiet = false
    if (this.wordOf(v, ACTIVITY) === HALTED) {
      this.effect = true
      this.#noteClock(v, WAKE_WHAT, this.clock(v, WAKE_WHAT) | WAKE_IN_TIME)
    }
    this.#noteClock(v, WAKE_TAKEN, this.step)
    this.footprint.add(FP_RESOURCE_WRITE, pendingOf(v), 0)
    this.setWord(v, EVENT, event)
    this.setWord(v, ACTIVITY, ACTIVE)
    this.#buses[v].grant(false, AT_NOTHING, 0)
    this.#advance(v)
  }

  /** All turns but the last of a loop that counts, or the next event of `v`. */
  #stepOrSpin(v: number, argument: number, spins: Spins): void {
    const { r } = this.cpus[v]
    const from = r[EIP] >>> 0
    const counters = spins.countersAt(from)
    const looks = counters !== 0 && this.#canSpin(v) ? this.#looksOf(v, spins.structureAt(from, this.#surroundings(v).opAt)) : null
    if (looks !== null && this.#spin(v, counters)) return this.#addLooks(v, looks)
    this.#step(v, argument)
    // That it was no more than one event depends on all that a turn may look at.
    if (looks !== null) this.#addLooks(v, looks)
    const to = r[EIP] >>> 0
    const turns = this.#layout.quiet + v * QUIET_WORDS + TURNS
    if (!this.quiet) {
      if (this.store.w[turns] !== 0) this.store.set(turns, 0)
      // Where turns change memory it matters how many are left.
      return this.#canReadCode(v) ? spins.noteChange(from, to, this.#surroundings(v).opAt) : undefined
    }
    if (to > from || !this.running() || this.#begun(v)) return
    const at = turns - TURNS + TURN_AT
    this.store.set(turns, this.store.w[at] === (to | 0) ? this.store.w[turns] + 1 : 1)
    this.store.set(at, to)
    if (this.#canReadCode(v)) spins.noteTurn(v, this.store.w[turns], r, () => this.#codeView(v))
  }

  #canSpin(v: number): boolean {
    if (!this.running() || this.#begun(v) || this.sharing.interruptible[v] !== 0 || this.#watched.size > 0 || this.model.partialWait) return false
    return this.#judges.every((judge) => judge.isIdle?.() === true) && this.#canReadCode(v)
  }

  /** Address and size of the memory operands of the loop at EIP, in pairs; null: they are not known. */
  #looksOf(v: number, loop: CountedLoop | null): number[] | null {
    if (loop === null) return null
    const { r } = this.cpus[v]
    const looks: number[] = []
    for (const { base, index, scale, disp, seg, size } of loop.looks) {
      const address = ((base < 0 ? 0 : r[base]) + (index < 0 ? 0 : r[index] << scale) + disp) | 0
      const at = this.memory.index(address)
      if (r[SEG_BASE + seg] !== 0 || at < 0 || this.memory.index(address + size - 1) < 0) return null
      if (this.sharing.shared[this.memory.granule(at)] !== 0 || ((address & 3) + size > 4 && this.sharing.shared[this.memory.granule(at) + 1] !== 0)) looks.push(address, size)
    }
    return looks
  }

  #addLooks(v: number, looks: readonly number[]): void {
    for (let k = 0; k < looks.length; k += 2) {
      this.footprint.addLoad(this.#buses[v].buffer, looks[k], looks[k + 1], false)
      this.observer?.({ kind: 'load', vcpu: v, address: looks[k], sizeBytes: looks[k + 1], value: this.memory.load(this.memory.index(looks[k]), Math.min(4, looks[k + 1])) })
    }
  }

  /** Takes turns of the loop at EIP until one is left, as long as they change nothing; false: not one, and nothing has changed. */
  #spin(v: number, counters: number): boolean {
    const { r } = this.cpus[v]
    const rememberable = this.#isRememberable(v)
    if (rememberable && this.memo.apply(v, SPIN, r)) {
      this.spun = this.memo.flags >>> FLAG_BITS
      return this.#hasSpun()
    }
    const head = r[EIP]
    const first = r.slice()
    // Who looks on is told what is looked at, and sees the last turn.
    const { observer } = this
    this.observer = null
    if (rememberable) this.memo.begin(v, SPIN)
    const code = this.#codeView(v)
    const loop = countedLoop(head, counters, code.opAt, code.live)
    let last = first
    this.#fence = loop === null ? null : loop.body
    for (let turns = 0; loop !== null && turns < TURNS_MAX; turns++) {
      const before = this.store.top
      const events = this.#turn(v, head)
      if (events === 0) {
        this.#putBack(before)
        this.violation = null
        break
      }
      this.spun += events
      last = r.slice()
    }
    this.#fence = null
    if (loop !== null && this.spun > 0 && !isForgotten(loop, first, last, code)) {
      this.#putBack(this.#marks[this.step - 1])
      this.spun = 0
    }
    this.footprint.clear()
    if (this.#forgets && this.spun > 0) this.#forgetDead(v)
    if (this.#remembers) this.memo.end(v, this.spun << FLAG_BITS)
    this.observer = observer
    return this.#hasSpun()
  }

  /** What is said of the step where it was turns of a loop, or nothing yet. */
  #hasSpun(): boolean {
    const spun = this.spun > 0
    this.quiet = !spun
    this.touched = spun
    this.effect = false
    this.eventBegins = false
    return spun
  }

  /** One turn of the loop at `head`, where nothing else happens; returns its events, 0: it leaves the loop, waits for a drain, or changes something. */
  #turn(v: number, head: number): number {
    const base = this.#base(v)
    const { w } = this.store
    for (let events = 1; events <= TURN_EVENTS_MAX; events++) {
      const pending = this.#quiet(v, PENDING)
      // What waits for the own stores must have waited from the beginning on.
      if ((pending !== AT_LOAD && (pending !== AT_LOCKED || events > 1)) || this.#quiet(v, PENDING_WAYS) !== 1 || !this.canContinue(v)) return 0
      this.#buses[v].grant(true, pending, 0)
      for (let k = 0; k < REGISTER_WORDS; k++) this.#before[k] = w[base + k]
      this.#waysOf = -1
      this.#run(v)
      this.#waysOf = -1
      this.store.commit(base, this.#before, REGISTER_WORDS)
      if (!this.quiet || this.effect || this.violation !== null || !this.#fence!.has(this.cpus[v].r[EIP])) return 0
      if (this.cpus[v].r[EIP] === head && !this.#begun(v)) return events
    }
    return 0
  }

  /** Words become what they were when the log ended at `top`. */
  #putBack(top: number): void {
    const olds = new Map<number, number>()
    this.store.forEachSince(top, (index, old) => {
      if (!olds.has(index)) olds.set(index, old)
    })
    for (const [index, old] of olds) this.store.set(index, old)
  }

  /** The next event of `v`: done as it was done before, or executed. */
  #step(v: number, argument: number): void {
    const rememberable = this.#isRememberable(v)
    if (rememberable && this.memo.apply(v, argument, this.cpus[v].r)) {
      const { flags } = this.memo
      this.quiet = (flags & FLAG_QUIET) !== 0
      this.effect = (flags & FLAG_EFFECT) !== 0
      this.touched = (flags & FLAG_TOUCHED) !== 0
      this.progressed = (flags & FLAG_PROGRESSED) !== 0 ? 1 << v : 0
      this.eventBegins = this.memo.eventBegins
      return
    }
    if (rememberable) this.memo.begin(v, argument)
    if (this.#quiet(v, PENDING) === AT_LOCAL || this.#quiet(v, PENDING) === AT_BOUNDARY) this.#capture(v, !this.#begun(v))
    this.#buses[v].grant(true, this.#quiet(v, PENDING), argument)
    this.#advance(v)
  }

  /** The step depends on nothing but what is noted. */
  #isRememberable(v: number): boolean {
    if (!this.#remembers || this.observer !== null || this.sharing.codeShared || this.sharing.interruptible[v] !== 0 || !this.running()) return false
    if (this.translations?.isOn(v) && (this.sharing.tablesChange || this.model.tlbSpeculative === 'no')) return false
    for (let k = 0; k < this.#judges.length; k++) if (!this.#judges[k].isIdle!()) return false
    return true
  }

  /** Runs `v` up to its next visible event (after the granted one), and logs what its registers became. */
  #advance(v: number): void {
    const base = this.#base(v)
    const w = this.store.w
    for (let k = 0; k < REGISTER_WORDS; k++) this.#before[k] = w[base + k]
    this.#waysOf = -1
    this.#run(v)
    this.#waysOf = -1
    this.store.commit(base, this.#before, REGISTER_WORDS)
    if (this.#forgets && this.violation === null && !this.#cut) this.#forgetDead(v)
    if (this.violation !== null || this.#cut) this.memo.abandon()
    if (this.#remembers) this.memo.end(v, this.#flagsOfStep() | (this.#hasEndedLoading(v) ? FLAG_LAST_LOADS : 0))
  }

  /** All that others could see of the step were loads from memory, and the vCPU has ended. */
  #hasEndedLoading(v: number): boolean {
    return this.hasEnded(v) && this.#buffered(v) === 0 && this.running() && this.footprint.isLoadsOnly()
  }

  #flagsOfStep(): number {
    return (this.quiet ? FLAG_QUIET : 0) | (this.effect ? FLAG_EFFECT : 0) | (this.touched ? FLAG_TOUCHED : 0) | (this.progressed !== 0 ? FLAG_PROGRESSED : 0)
  }

  #run(v: number): void {
    const cpu = this.cpus[v]
    const bus = this.#buses[v]
    const r = cpu.r
    const code = (this.#codes[v] ??= new PrivateCode(v, cpu, bus, this.memory, this.sharing))
    // Since the last step memory may have changed, and what is shared.
    code.distrust()
    // The boundary at which the step begins has been offered to interrupts already.
    let boundaryOffered = this.#quiet(v, PENDING) !== AT_NOTHING
    let first = true
    for (let steps = 0; ; ) {
      if (this.violation !== null || this.#cut) return
      if (this.wordOf(v, STATUS) === ENDED) return this.setPending(v, AT_END, 0, 0, 1)
      if (r[ACTIVITY] === SHUTDOWN) return this.violate('triple-fault', v, `triple fault at ${this.symbolize(r[EIP])}`)
      if ((r[EVENT] & EVENT_VALID) !== 0) {
        if (!this.#deliver(v)) return
        if (this.#takesPause()) return this.setPending(v, AT_LOCAL, 0, 0, 1)
        continue
      }
      if (r[ACTIVITY] === HALTED) return this.setPending(v, AT_HALT, 0, 0, 1)
      const begun = this.#begun(v)
      if (this.#fence !== null && !begun && !this.#fence.has(r[EIP])) return
      if (!begun && !boundaryOffered && this.#interruptsMatter(v)) return this.setPending(v, AT_BOUNDARY, 0, 0, 1)
      // A queue takes in what follows the store, so the store reaches memory before the vCPU moves on.
      if (!begun && this.model.sc && this.model.cpu.queueBytes > 0 && bus.buffer.count > 0) return this.setPending(v, AT_BOUNDARY, 0, 0, 1)
      if (!begun && steps === this.model.localSteps) return this.setPending(v, AT_LOCAL, 0, 0, 1)
      boundaryOffered = false
      if (!begun && this.#mayRunBlocks(v)) {
        const done = code.run(this.model.localSteps - steps, this.running())
        steps += done
        if (done > 0) {
          this.#count(v, done)
          first = false
        }
        if (cpu.stop === STOP_FAULT) {
          steps++
          this.#raise(v)
          continue
        }
        if (cpu.stop !== 0) {
          if (this.violation === null) bus.keepAnswers()
          return
        }
        if (done > 0) continue
      }
      if (!begun) steps++
      const eip = r[EIP]
      const kept = this.wordOf(v, FETCHED_LENGTH) !== 0
      bus.beginAttempt()
      const op = this.#fetch(v, first)
      if (op === null) {
        if (cpu.stop === STOP_FAULT && this.violation === null) {
          this.#raise(v)
          continue
        }
        if (this.violation === null) bus.keepAnswers()
        return
      }
      if (!kept && bus.seesFirst()) this.#watch(v, eip, op)
      if (this.violation !== null) return
      cpu.execute(op)
      if (cpu.stop === 0) {
        this.#retire(v, eip, op)
        if (this.#takesPause()) return this.setPending(v, AT_LOCAL, 0, 0, 1)
        // What follows was not there to choose from when the step began.
        first = false
        continue
      }
      if (cpu.stop === STOP_FAULT) {
        this.#raise(v)
        continue
      }
      if (this.violation === null) bus.keepAnswers()
      return
    }
  }

  /** Nobody looks at single instructions (a memo, a monitor, an observer, an interrupt, a prefetch queue), and none is begun. */
  #mayRunBlocks(v: number): boolean {
    return (
      this.#fence === null && !this.memo.recording && this.#watched.size === 0 && !this.#watchesFetches && this.observer === null && this.model.cpu.queueBytes === 0 && this.sharing.interruptible[v] === 0 &&
      (this.cpus[v].r[CR0] & CR0_PG) === 0 && canRunBlocks(this.cpus[v])
    )
  }

  /** `v` has retired so many instructions. */
  #count(v: number, instructions: number): void {
    const at = this.#layout.quiet + v * QUIET_WORDS + ICOUNT
    this.store.set(at, this.store.w[at] + instructions)
  }

  #retire(v: number, eip: number, op: Op): void {
    this.#clearInstruction(v)
    if (this.model.cpu.queueBytes > 0 && FAR_TRANSFERS.has(op.row?.mnemonic ?? '')) this.onBranch(v)
    this.#count(v, 1)
    this.observer?.({ kind: 'instruction', vcpu: v, address: eip >>> 0, sizeBytes: op.length, value: 0, op })
  }

  #clearInstruction(v: number): void {
    this.#buses[v].clearAnswers()
    const base = this.#base(v)
    if (this.store.w[base + FETCHED_LENGTH] === 0) return
    for (let k = 0; k < 5; k++) this.store.set(base + FETCHED_LENGTH + k, 0)
  }

  #watch(v: number, eip: number, op: Op): void {
    if (this.#returnMonitors.length > 0 && this.running() && RETURNS.has(op.row?.mnemonic ?? '')) {
      const place = (this.cpus[v].r[SEG_BASE + SS] + this.cpus[v].r[ESP]) >>> 0
      for (const monitor of this.#returnMonitors) monitor.onReturn!(v, place)
    }
    if (this.sharing.anyJudged) this.noteJudged(this.#windows[v].physical[0], op.length)
    if (this.running()) for (const monitor of this.#monitors) monitor.onFetch?.(v, eip >>> 0, op.length, this.#windows[v].physical[0] >>> 0)
    if (this.#watched.size === 0) return
    const watchers = this.#watched.get(eip >>> 0)
    if (watchers === undefined) return
    this.memo.abandon()
    this.footprint.add(FP_RESOURCE_READ, RESOURCE_MARKS, 0)
    for (const monitor of watchers) monitor.onExecute?.(v, eip >>> 0, op)
  }

  /** The instruction at EIP: decoded, or null when parked (a visible fetch comes first), faulted or judged. */
  #fetch(v: number, first: boolean): Op | null {
    const cpu = this.cpus[v]
    const window = this.#windows[v]
    const base = this.#base(v)
    const length = this.store.w[base + FETCHED_LENGTH]
    cpu.stop = 0
    if (length !== 0) return window.decodeKept(this.memory.u8, (base + FETCHED_BYTES) * 4, length)
    const op = window.load()
    if (cpu.stop !== 0) return null
    if (op === null) {
      this.violate('wild-fetch', v, `executes at ${this.symbolize(cpu.r[EIP])}, which is not mapped as code`)
      return null
    }
    if (!this.running() || !window.noteFetch(op.length, this.sharing, v, this.model.matchesLinear)) return op
    const bus = this.#buses[v]
    const variant = this.canFetch(v) ? bus.takeFetch(first) : -1
    if (variant < 0) {
      bus.park(AT_FETCH, cpu.r[EIP], op.length, 1)
      return null
    }
    bus.dropAnswers()
    return this.#fetchVariant(v, variant)
  }

  /** With paging on, which physical bytes follow EIP is not worked out: all of them may. */
  #inQueue(v: number, physical: number): boolean {
    const { r } = this.cpus[v]
    if ((r[CR0] & CR0_PG) !== 0) return true
    const ahead = (physical - (r[SEG_BASE + CS] + r[EIP])) >>> 0
    return ahead < this.model.cpu.queueBytes + (this.#begun(v) ? WINDOW : 0)
  }

  /** `v` jumps: what its prefetch queue held is gone. */
  onBranch(v: number): void {
    if (this.fetchIsVisible && this.running()) this.fetchView.branch(v)
  }

  canFetch(v: number): boolean {
    return !(this.model.sc && this.#buses[v].buffer.count > 0)
  }

  #fetchVariant(v: number, variant: number): Op | null {
    const window = this.#windows[v]
    const view = this.fetchView
    const eip = this.cpus[v].r[EIP]
    window.enumerate(view, v)
    if (variant >= view.count) throw new Error(`fetch variant ${variant} of ${view.count}`)
    if (this.model.fetch.kind === 'strict' && view.races(v, variant)) {
      this.violate('code-race', v, `executes code at ${this.symbolize(eip)} that was modified since vCPU ${v} last serialised`)
      return null
    }
    const at = variant * 16
    const length = view.lengths[variant]
    const coherent = this.model.fetch.kind === 'coherent'
    const kind = !coherent ? FP_STALE_FETCH : this.model.ownStoresSeen ? FP_FETCH : FP_MEMORY_READ
    // Where own stores lag as those of others do, no drain matters but to what may be fetched (FP_CODE_SEEN).
    if (coherent || this.model.ownStoresSeen) for (let b = 0; b < length; b++) this.footprint.add(kind, window.physical[b], 1)
    const base = this.#base(v)
    const b = view.bytes
    this.store.set(base + FETCHED_LENGTH, length)
    for (let k = 0; k < 4; k++) {
      let word = 0
      for (let j = 0; j < 4; j++) if (k * 4 + j < length) word |= b[at + k * 4 + j] << (j * 8)
      this.store.set(base + FETCHED_BYTES + k, word)
    }
    if (this.observer !== null)
      this.observer({ kind: 'fetch', vcpu: v, address: eip >>> 0, sizeBytes: length, value: variant, bytes: b.slice(at, at + length), stale: variant !== 0 })
    view.use(v, variant)
    if (!coherent) this.footprint.add(FP_CODE_SEEN, view.seen, 0)
    const op = window.decodeKept(this.memory.u8, (base + FETCHED_BYTES) * 4, length)
    this.#watch(v, eip, op)
    return this.violation === null ? op : null
  }

  /** A fault of the attempt becomes the event to deliver. */
  #raise(v: number): void {
    const cpu = this.cpus[v]
    this.#clearInstruction(v)
    const at = this.symbolize(cpu.r[EIP])
    const vector = cpu.faultVector
    if (vector === PAGE_FAULT && this.running()) {
      this.noteTranslating(v)
      this.translations?.pageFault(v, cpu.faultAddress)
    }
    if (!this.#handled.has(vector)) {
      const missing = cpu.remark === null ? '' : ` (${cpu.remark})`
      return this.violate('unhandled-exception', v, `exception ${vector} (${EXCEPTION_NAMES[vector] ?? '?'}) at ${at} has no handler${missing}`)
    }
    this.observer?.({ kind: 'exception', vcpu: v, address: vector, sizeBytes: 0, value: cpu.faultError })
    cpu.raise()
  }

  /** Delivers the event in EVENT. False: parked or judged. */
  #deliver(v: number): boolean {
    this.quiet = false
    const cpu = this.cpus[v]
    const bus = this.#buses[v]
    const vector = cpu.r[EVENT] & 0xff
    const saved = cpu.r[EIP]
    const software = (cpu.r[EVENT] & EVENT_TYPE) >= EVENT_INT_N
    const above = (cpu.r[EVENT] & EVENT_HAS_ERROR) !== 0 ? 4 : 0
    if (!this.#handled.has(vector)) {
      const name = vector < 32 ? `exception ${vector} (${EXCEPTION_NAMES[vector] ?? '?'})` : `interrupt vector ${vector}`
      this.violate(vector < 32 ? 'unhandled-exception' : 'unhandled-interrupt', v, `${name} at ${this.symbolize(cpu.r[EIP])} has no handler`)
      return false
    }
    bus.beginAttempt()
    if (this.model.interruptDrains) bus.fence()
    if (this.model.interruptSync) bus.serialize()
    if (cpu.stop === 0) cpu.deliver()
    if (cpu.stop === 0) {
      if (!software && this.running())
        for (const monitor of this.#monitors) monitor.onInterrupt?.(v, (cpu.r[SEG_BASE + SS] + cpu.r[ESP] + above) >>> 0, saved >>> 0)
      if (this.model.cpu.queueBytes > 0) this.onBranch(v)
      bus.clearAnswers()
      return true
    }
    if (cpu.stop === STOP_FAULT) {
      this.#raise(v)
      return this.violation === null
    }
    if (this.violation === null) bus.keepAnswers()
    return false
  }

  // --- choices ----------------------------------------------------------------------------------------

  /** Variants of the visible fetch that the vCPU's next event is, left in `fetchView`; 0: it is none. */
  #fetchWays(v: number): number {
    if (this.#waysOf !== v) {
      this.#ways = this.#findFetchWays(v)
      this.#waysOf = v
    }
    return this.#ways
  }
  /** What the last `#fetchWays` found, and of whom; -1: the state has changed since. */
  #ways = 0
  #waysOf = -1

  #findFetchWays(v: number): number {
    const pending = this.#quiet(v, PENDING)
    if (pending !== AT_FETCH && ((pending !== AT_BOUNDARY && pending !== AT_LOCAL) || !this.#atBoundary(v))) return 0
    const window = this.#windows[v]
    const bus = this.#buses[v]
    bus.beginPeek()
    const op = window.load()
    if (!bus.endPeek() || op === null || !this.running() || !window.noteFetch(op.length, this.sharing, v, this.model.matchesLinear)) return 0
    return window.enumerate(this.fetchView, v)
  }

  #listRuns(v: number, out: Int32Array, count: number): number {
    if (this.#quiet(v, PENDING) === AT_TRANSLATE) {
      const ways = this.translations!.enumerate(v, this.#quiet(v, PENDING_ADDRESS), this.#quiet(v, PENDING_SIZE), this.cpus[v].r)
      for (let way = 0; way <= ways; way++) out[count++] = packChoice(RUN, v, way)
      return count
    }
    const fetches = this.#fetchWays(v)
    if (fetches > 0) {
      for (let way = 0; way < fetches; way++)
        if (!this.model.ownStoresSeen || !this.#windows[v].overlapsBuffer(this.#buses[v].buffer, this.fetchView.lengths[way], this.model.matchesLinear))
          out[count++] = packChoice(RUN, v, way)
      return count
    }
    const ways = this.#quiet(v, PENDING_WAYS)
    for (let way = 0; way < ways; way++) out[count++] = packChoice(RUN, v, way)
    return count
  }

  #listDrains(v: number, out: Int32Array, count: number): number {
    out[count++] = packChoice(DRAIN, v)
    if (!this.model.storesOvertake) return count
    const { buffer } = this.#buses[v]
    for (let entry = 1; entry < buffer.count; entry++) if (buffer.mayOvertake(entry)) out[count++] = packChoice(DRAIN, v, entry)
    return count
  }

  #listInterrupts(v: number, out: Int32Array, count: number): number {
    if (this.sharing.interruptible[v] === 0 || !this.#atBoundary(v)) return count
    const cpu = this.cpus[v]
    if (this.model.interruptDrains && this.#buses[v].buffer.count > 0) return count
    if (cpu.canTakeNmi()) {
      if (this.wordOf(v, NMI_PENDING) !== 0) out[count++] = packChoice(NMI, v)
      this.image.interrupts.forEach((source, k) => {
        if (source.nmi && source.vcpu === v && this.#left(k)) out[count++] = packChoice(NMI, v, k + 1)
      })
    }
    if (!cpu.canTakeInterrupt()) return count
    for (let word = 7; word >= 0; word--) {
      const bits = this.wordOf(v, IRR + word)
      if (bits === 0) continue
      // The local APIC delivers the highest pending vector first (SDM vol. 3A 11.8.3).
      out[count++] = packChoice(INTERRUPT, v, word * 32 + 31 - Math.clz32(bits))
      break
    }
    this.image.interrupts.forEach((source, k) => {
      if (!source.nmi && source.vcpu === v && this.#left(k)) out[count++] = packChoice(INTERRUPT, v, source.vector | ((k + 1) << 8))
    })
    return count
  }

  #left(source: number): boolean {
    const max = this.image.interrupts[source].max
    return max === 0 || this.store.w[this.#layout.sources + source] < max
  }

  /** An interrupt could be taken at this boundary, now or once somebody sends it. */
  #interruptsMatter(v: number): boolean {
    if (this.sharing.interruptible[v] === 0 || !this.running()) return false
    const cpu = this.cpus[v]
    return cpu.canTakeInterrupt() || cpu.canTakeNmi()
  }

  /** The vCPU stands between two instructions, and no event is on its way to a handler. */
  #atBoundary(v: number): boolean {
    return !this.#begun(v) && this.wordOf(v, STATUS) !== ENDED && (this.cpus[v].r[EVENT] & EVENT_VALID) === 0
  }

  #begun(v: number): boolean {
    return this.wordOf(v, ANSWER_COUNT) !== 0 || this.wordOf(v, FETCHED_LENGTH) !== 0
  }

  /** Entries in the store buffer of `v`. */
  #buffered(v: number): number {
    return this.store.w[GLOBAL_WORDS + v * VCPU_WORDS + BUFFER_COUNT]
  }

  #base(v: number): number {
    return GLOBAL_WORDS + v * VCPU_WORDS
  }

  #quiet(v: number, word: number): number {
    return this.store.w[this.#quietAt + v * QUIET_WORDS + word]
  }

  #pushMark(): void {
    if (this.step === this.#marks.length) {
      const marks = new Int32Array(this.#marks.length * 2)
      marks.set(this.#marks)
      this.#marks = marks
    }
    this.#marks[this.step] = this.store.mark()
  }
}

/** Vectors of exceptions and NMIs; above are interrupts. */
const EXCEPTIONS = 32
/** Stacks on which what is live at an address is kept. */
const STACKS_MAX = 64
/** What is left in a register that nothing reads: a value that would be noticed. */
const FORGOTTEN = 0x0dead0de
/** PF, AF, ZF, SF, OF. */
const OTHER_FLAGS = 0x8d4
/** Argument that the memo knows turns of a loop by. */
const SPIN = -1

/** #PF. */
const PAGE_FAULT = 14
