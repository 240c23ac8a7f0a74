/**
 * What happens: a store drains, an interrupt is accepted, a vCPU goes on by one event. Work that no other actor can observe is done
 * at once, as part of the step before it; the vCPU is then parked just before its next visible event (layout.ts, `AT_...`).
 */
import { STOP_FAULT } from '../cpu/bus.ts'
import { EXCEPTION_NAMES } from '../cpu/exceptions.ts'
import type { Op } from '../cpu/decode.ts'
import { canRunBlocks } from '../cpu/runBlocks.ts'
import {
  ACTIVE, ACTIVITY, CR0, CR0_PG, EIP, ESP, EVENT, EVENT_HAS_ERROR, EVENT_INT3, EVENT_INT_N, EVENT_TYPE, EVENT_VALID, HALTED, REGISTER_WORDS, SEG_BASE,
  SHUTDOWN, SS, EVENT_EXTERNAL, EVENT_NMI,
} from '../cpu/registers.ts'
import type { Board } from './board.ts'
import type { Choices } from './choices.ts'
import {
  FP_CODE_SEEN, FP_FETCH, FP_LAGGING_FETCH, FP_RESOURCE_READ, FP_RESOURCE_WRITE, FP_STALE_FETCH, FP_WRITE, RESOURCE_MARKS, pendingOf, FP_MEMORY_READ,
} from './footprint.ts'
import { GUEST_CALL_BYTES } from './guestCalls.ts'
import type { KnownCode } from './knownCode.ts'
import {
  AT_BLOCK, AT_BOUNDARY, AT_END, AT_FETCH, AT_HALT, AT_LOCAL, AT_NOTHING, AT_POLL, BLOCK_UNTIL_INTERRUPT, ENDED, FETCHED_BYTES, FETCHED_LENGTH,
  ICOUNT, IRR, NMI_PENDING, PENDING, PENDING_SIZE, QUIET_WORDS, STATUS, WAKE_TAKEN, WAKE_WHAT,
} from './layout.ts'
import { PrivateCode } from './privateCode.ts'
import { noteUncached } from './specialMemory.ts'
import { FLAG_EFFECT, FLAG_LAST_LOADS, FLAG_PROGRESSED, FLAG_QUIET } from './stepMemo.ts'
import { WAKE_SOURCE, wakeBy, WAKE_IN_TIME } from './wakes.ts'

/** Transfers that load CS; near ones tell the bus themselves. */
const RETURNS: ReadonlySet<string> = new Set(['ret', 'retf', 'iret'])
const FAR_TRANSFERS: ReadonlySet<string> = new Set(['call', 'jmp', 'retf', 'iret', 'int', 'int3', 'into', 'sysenter', 'sysexit'])
/** #PF. */
const PAGE_FAULT = 14
/** Instructions of a step that is remembered; a longer one is done faster block by block than one by one, as what is to be remembered. */
const REMEMBERED_MAX = 512

export class Execution {
  /** Instructions are executed only in here; null: anywhere. */
  fence: ReadonlySet<number> | null = null
  /** Steps are remembered (stepMemo.ts). */
  readonly remembers: boolean
  readonly #board: Board
  readonly #choices: Choices
  /** Null: nothing is forgotten. */
  readonly #known: KnownCode | null
  readonly #handled: ReadonlySet<number>

  constructor(board: Board, choices: Choices, known: KnownCode | null, remembers: boolean) {
    this.#board = board
    this.#choices = choices
    this.#known = known
    this.remembers = remembers
    this.#handled = new Set(board.image.handledVectors)
  }

  drain(v: number, entry: number): void {
    const buffer = this.#board.buses[v].buffer
    const physical = buffer.address(entry)
    const size = buffer.size(entry)
    const low = buffer.low(entry)
    this.#board.effect = true
    this.#board.footprint.add(FP_WRITE, physical, size)
    this.#board.writeMemory(v, physical, size, low, buffer.high(entry), buffer.alias(entry))
    const uncached = buffer.isUncached(entry)
    buffer.remove(entry)
    this.#board.noteJudged(physical, size)
    if (uncached) noteUncached(this.#board, physical, size)
    for (const monitor of this.#board.watchers.drains) monitor.onDrain!(v, physical, size, uncached)
    this.#board.observer?.({ kind: 'drain', vcpu: v, address: physical, sizeBytes: size, value: low })
  }

  acceptInterrupt(v: number, argument: number): void {
    const vector = argument & 0xff
    const source = argument >>> 8
    if (source > 0) this.#arrive(v, source - 1)
    else this.#board.setWord(v, IRR + (vector >> 5), this.#board.wordOf(v, IRR + (vector >> 5)) & ~(1 << (vector & 31)))
    this.#board.observer?.({ kind: 'interrupt', vcpu: v, address: vector, sizeBytes: 0, value: 0 })
    this.#inject(v, EVENT_VALID | EVENT_EXTERNAL | vector)
  }

  acceptNmi(v: number, argument: number): void {
    if (argument > 0) this.#arrive(v, argument - 1)
    else this.#board.setWord(v, NMI_PENDING, 0)
    this.#board.observer?.({ kind: 'nmi', vcpu: v, address: 2, sizeBytes: 0, value: 0 })
    this.#inject(v, EVENT_VALID | EVENT_NMI | 2)
  }

  #arrive(v: number, source: number): void {
    const { max, vector } = this.#board.image.interrupts[source]
    // Where any number may arrive the count decides nothing, and would keep equal states apart.
    if (max > 0) this.#board.store.set(this.#board.layout.sources + source, this.#board.store.w[this.#board.layout.sources + source] + 1)
    this.#board.noteWake(v, wakeBy(WAKE_SOURCE, 0, vector))
  }

  #inject(v: number, event: number): void {
    // An interrupt ends a poll or a halt: the handler returns behind it.
    const pending = this.#board.quietWord(v, PENDING)
    if (pending === AT_POLL || (pending === AT_BLOCK && this.#board.quietWord(v, PENDING_SIZE) === BLOCK_UNTIL_INTERRUPT)) this.#board.setWord(v, EIP, this.#board.cpus[v].r[EIP] + GUEST_CALL_BYTES)
    this.#board.quiet = false
    if (this.#board.wordOf(v, ACTIVITY) === HALTED) {
      this.#board.effect = true
      this.#board.noteClock(v, WAKE_WHAT, this.#board.quietWord(v, WAKE_WHAT) | WAKE_IN_TIME)
    }
    this.#board.noteClock(v, WAKE_TAKEN, this.#board.step)
    this.#board.footprint.add(FP_RESOURCE_WRITE, pendingOf(v), 0)
    this.#board.setWord(v, EVENT, event)
    this.#board.setWord(v, ACTIVITY, ACTIVE)
    this.#board.buses[v].grant(false, AT_NOTHING, 0)
    this.advance(v)
  }

  /** The next event of `v`: done as it was done before, or executed. */
  step(v: number, argument: number): void {
    const rememberable = this.isRememberable(v)
    if (rememberable && this.#board.memo.apply(v, argument, this.#board.cpus[v].r)) {
      const { flags } = this.#board.memo
      this.#board.quiet = (flags & FLAG_QUIET) !== 0
      this.#board.effect = (flags & FLAG_EFFECT) !== 0
      this.#board.progressed = (flags & FLAG_PROGRESSED) !== 0 ? 1 << v : 0
      this.#board.eventBegins = this.#board.memo.eventBegins
      return
    }
    if (rememberable) this.#board.memo.begin(v, argument)
    if (this.#board.quietWord(v, PENDING) === AT_LOCAL || this.#board.quietWord(v, PENDING) === AT_BOUNDARY) this.#board.capture(v, !this.#board.begun(v))
    this.#board.buses[v].grant(true, this.#board.quietWord(v, PENDING), argument)
    this.advance(v)
  }

  /** The step depends on nothing but what is noted. */
  isRememberable(v: number): boolean {
    if (!this.remembers || this.#board.observer !== null || this.#board.sharing.codeShared || this.#board.sharing.interruptible[v] !== 0 || !this.#board.running()) return false
    if (this.#board.translations?.isOn(v) && (this.#board.sharing.tablesChange || this.#board.model.tlbSpeculative === 'no')) return false
    return this.#board.watchers.areIdle()
  }

  /** Runs `v` up to its next visible event (after the granted one, if this is a step), and logs what its registers became. */
  advance(v: number, isStep = true): void {
    const base = this.#board.base(v)
    const w = this.#board.store.w
    for (let k = 0; k < REGISTER_WORDS; k++) this.#board.before[k] = w[base + k]
    this.#choices.changed()
    const walked = this.#board.mayWalk(v)
    this.run(v, isStep)
    if (this.#board.sharing.anyLooked && this.#board.mayWalk(v) !== walked) this.#board.noteTranslating(v)
    this.#choices.changed()
    this.#board.store.commit(base, this.#board.before, REGISTER_WORDS)
    if (this.#board.violation === null && !this.#board.isCut) this.#known?.forgetDead(v)
    if (this.#board.violation !== null || this.#board.isCut) this.#board.memo.abandon()
    if (this.remembers) this.#board.memo.end(v, this.#flagsOfStep() | (this.#hasEndedLoading(v) ? FLAG_LAST_LOADS : 0))
  }

  /** All that others could see of the step were loads from memory, and the vCPU has ended. */
  #hasEndedLoading(v: number): boolean {
    return this.#board.hasEnded(v) && this.#board.buffered(v) === 0 && this.#board.running() && this.#board.footprint.isLoadsOnly()
  }

  #flagsOfStep(): number {
    return (this.#board.quiet ? FLAG_QUIET : 0) | (this.#board.effect ? FLAG_EFFECT : 0) | (this.#board.progressed !== 0 ? FLAG_PROGRESSED : 0)
  }

  /** @param first the event that comes first is granted, be it one without an access */
  run(v: number, first = true): void {
    const cpu = this.#board.cpus[v]
    const bus = this.#board.buses[v]
    const r = cpu.r
    const code = (this.#board.codes[v] ??= new PrivateCode(v, cpu, bus, this.#board))
    // Since the last step memory may have changed, and what is shared.
    code.distrust()
    // The boundary at which the step begins has been offered to interrupts already.
    let boundaryOffered = this.#board.quietWord(v, PENDING) !== AT_NOTHING
    for (let steps = 0; ; ) {
      if (this.#board.violation !== null || this.#board.isCut) return
      if (this.#board.wordOf(v, STATUS) === ENDED) return this.#board.setPending(v, AT_END, 0, 0, 1)
      if (r[ACTIVITY] === SHUTDOWN) return this.#board.violate('triple-fault', v, `triple fault at ${this.#board.symbolize(r[EIP])}`)
      if ((r[EVENT] & EVENT_VALID) !== 0) {
        const tells = this.#tells(v, null)
        if (tells && !first) return this.#board.setPending(v, AT_LOCAL, 0, 0, 1)
        if (!this.#deliver(v)) return
        if (tells) {
          this.#board.footprint.addUpdate(RESOURCE_MARKS)
          bus.endStep()
          first = false
        }
        if (this.#board.takesPause()) return this.#board.setPending(v, AT_LOCAL, 0, 0, 1)
        continue
      }
      if (r[ACTIVITY] === HALTED) return this.#board.setPending(v, AT_HALT, 0, 0, 1)
      const begun = this.#board.begun(v)
      if (this.fence !== null && !begun && !this.fence.has(r[EIP])) return
      if (!begun && !boundaryOffered && this.#choices.interruptsMatter(v)) return this.#board.setPending(v, AT_BOUNDARY, 0, 0, 1)
      // A queue takes in what follows the store, so the store reaches memory before the vCPU moves on.
      if (!begun && this.#board.model.sc && this.#board.model.cpu.queueBytes > 0 && bus.buffer.count > 0) return this.#board.setPending(v, AT_BOUNDARY, 0, 0, 1)
      if (!begun && steps === this.#board.model.localSteps) {
        this.#board.noteLongStep(v)
        return this.#board.setPending(v, AT_LOCAL, 0, 0, 1)
      }
      boundaryOffered = false
      if (steps === REMEMBERED_MAX) this.#board.memo.abandon()
      if (!begun && this.#mayRunBlocks(v)) {
        const done = code.run(this.#board.model.localSteps - steps, this.#board.running())
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
          if (this.#board.violation === null) bus.keepAnswers()
          return
        }
        if (done > 0) continue
      }
      if (!begun) steps++
      const eip = r[EIP]
      const kept = this.#board.wordOf(v, FETCHED_LENGTH) !== 0
      bus.beginAttempt()
      const op = this.#fetch(v, first)
      if (op === null) {
        if (cpu.stop === STOP_FAULT && this.#board.violation === null) {
          this.#raise(v)
          continue
        }
        if (this.#board.violation === null) bus.keepAnswers()
        return
      }
      // Until it is done the return is still to come, however often it is attempted.
      const returns = this.#board.watchers.returns.length > 0 && this.#board.running() && RETURNS.has(op.row?.mnemonic ?? '')
      const place = (r[SEG_BASE + SS] + r[ESP]) >>> 0
      if (returns && !first && this.#board.watchers.returns.some((monitor) => monitor.delaysReturn?.(v, place))) return this.#board.setPending(v, AT_LOCAL, 0, 0, 1)
      const tells = this.#tells(v, op)
      if (tells && !first) return this.#board.setPending(v, AT_LOCAL, 0, 0, 1)
      if (!kept && bus.seesFirst()) this.#watch(v, eip, op)
      if (this.#board.violation !== null) return
      const walksAgain = op.row?.mnemonic === 'iret' && !this.#board.mayWalk(v)
      cpu.execute(op)
      if (cpu.stop === 0) {
        // From an NMI handler, which walked no tables, to what does.
        if (walksAgain && this.#board.running() && this.#board.mayWalk(v)) this.#board.onTables(v)
        // It was the step's event: others may look before the next one.
        if (tells) {
          this.#board.footprint.addUpdate(RESOURCE_MARKS)
          bus.endStep()
        }
        if (returns) for (const monitor of this.#board.watchers.returns) monitor.onReturn!(v, place)
        this.#retire(v, eip, op)
        if (this.#board.takesPause()) return this.#board.setPending(v, AT_LOCAL, 0, 0, 1)
        // What follows was not there to choose from when the step began.
        first = false
        continue
      }
      if (cpu.stop === STOP_FAULT) {
        this.#raise(v)
        continue
      }
      if (this.#board.violation === null) bus.keepAnswers()
      return
    }
  }

  /** Others must be able to act before `op` (null: before an event is delivered), as a monitor judges them by what it changes. */
  #tells(v: number, op: Op | null): boolean {
    const { tellers } = this.#board.watchers
    return tellers.length > 0 && this.#board.running() && tellers.some((monitor) => monitor.tells!(v, op))
  }

  /**
   * Nobody looks at single instructions (a memo, a monitor, an observer, an interrupt, a prefetch queue), and none is begun. A mark that begins
   * what they are judged by is learnt (`anyJudged`), and the pass started again: no block has to end with it.
   */
  #mayRunBlocks(v: number): boolean {
    return (
      this.fence === null && !this.#board.memo.recording && !this.#board.sharing.anyJudged && !this.#board.watchers.seeInstructions() && this.#board.observer === null && this.#board.model.cpu.queueBytes === 0 && this.#board.sharing.interruptible[v] === 0 &&
      (this.#board.cpus[v].r[CR0] & CR0_PG) === 0 && canRunBlocks(this.#board.cpus[v])
    )
  }

  /** `v` has retired so many instructions. */
  #count(v: number, instructions: number): void {
    const at = this.#board.layout.quiet + v * QUIET_WORDS + ICOUNT
    this.#board.store.set(at, this.#board.store.w[at] + instructions)
  }

  #retire(v: number, eip: number, op: Op): void {
    this.#clearInstruction(v)
    if (this.#board.model.cpu.queueBytes > 0 && FAR_TRANSFERS.has(op.row?.mnemonic ?? '')) this.#board.onBranch(v)
    this.#count(v, 1)
    this.#board.observer?.({ kind: 'instruction', vcpu: v, address: eip >>> 0, sizeBytes: op.length, value: 0, op })
  }

  #clearInstruction(v: number): void {
    this.#board.buses[v].clearAnswers()
    const base = this.#board.base(v)
    if (this.#board.store.w[base + FETCHED_LENGTH] === 0) return
    for (let k = 0; k < 5; k++) this.#board.store.set(base + FETCHED_LENGTH + k, 0)
  }

  #watch(v: number, eip: number, op: Op): void {
    if (this.#board.sharing.anyJudged) this.#board.noteJudged(this.#board.windows[v].physical[0], op.length)
    if (this.#board.running()) for (const monitor of this.#board.watchers.all) monitor.onFetch?.(v, eip >>> 0, op.length, this.#board.windows[v].physical[0] >>> 0)
    if (this.#board.watchers.byAddress.size === 0) return
    const watchers = this.#board.watchers.byAddress.get(eip >>> 0)
    if (watchers === undefined) return
    this.#board.memo.abandon()
    this.#board.footprint.add(FP_RESOURCE_READ, RESOURCE_MARKS, 0)
    for (const monitor of watchers) monitor.onExecute?.(v, eip >>> 0, op)
  }

  /** The instruction at EIP: decoded, or null when parked (a visible fetch comes first), faulted or judged. */
  #fetch(v: number, first: boolean): Op | null {
    const cpu = this.#board.cpus[v]
    const window = this.#board.windows[v]
    const base = this.#board.base(v)
    const length = this.#board.store.w[base + FETCHED_LENGTH]
    cpu.stop = 0
    if (length !== 0) return window.decodeKept(this.#board.memory.u8, (base + FETCHED_BYTES) * 4, length)
    const op = window.load()
    if (cpu.stop !== 0) return null
    if (op === null) {
      this.#board.violate('wild-fetch', v, `executes at ${this.#board.symbolize(cpu.r[EIP])}, which is not mapped as code`)
      return null
    }
    if (!this.#board.running() || !window.noteFetch(op.length, this.#board.sharing, v, this.#board.model.matchesLinear)) return op
    const bus = this.#board.buses[v]
    const variant = this.canFetch(v) ? bus.takeFetch(first) : -1
    if (variant < 0) {
      bus.park(AT_FETCH, cpu.r[EIP], op.length, 1)
      return null
    }
    bus.dropAnswers()
    return this.#fetchVariant(v, variant)
  }

  canFetch(v: number): boolean {
    return !(this.#board.model.sc && this.#board.buses[v].buffer.count > 0)
  }

  #fetchVariant(v: number, variant: number): Op | null {
    const window = this.#board.windows[v]
    const view = this.#board.fetchView
    const eip = this.#board.cpus[v].r[EIP]
    window.enumerate(view, v)
    if (variant >= view.count) throw new Error(`fetch variant ${variant} of ${view.count}`)
    if (this.#board.model.fetch.kind === 'strict' && view.races(v, variant)) {
      this.#board.violate('code-race', v, `executes code at ${this.#board.symbolize(eip)} that was modified since vCPU ${v} last serialised`)
      return null
    }
    const at = variant * 16
    const length = view.lengths[variant]
    const coherent = this.#board.model.fetch.kind === 'coherent'
    const { ownStoresSeen } = this.#board.model
    const kind = coherent ? (ownStoresSeen ? FP_FETCH : FP_MEMORY_READ) : ownStoresSeen ? FP_STALE_FETCH : FP_LAGGING_FETCH
    for (let b = 0; b < length; b++) this.#board.footprint.add(kind, window.physical[b], 1)
    const base = this.#board.base(v)
    const b = view.bytes
    this.#board.store.set(base + FETCHED_LENGTH, length)
    for (let k = 0; k < 4; k++) {
      let word = 0
      for (let j = 0; j < 4; j++) if (k * 4 + j < length) word |= b[at + k * 4 + j] << (j * 8)
      this.#board.store.set(base + FETCHED_BYTES + k, word)
    }
    if (this.#board.observer !== null)
      this.#board.observer({ kind: 'fetch', vcpu: v, address: eip >>> 0, sizeBytes: length, value: variant, bytes: b.slice(at, at + length), stale: variant !== 0 })
    view.use(v, variant)
    if (!coherent) this.#board.footprint.add(FP_CODE_SEEN, view.seen, variant === 0 ? 0 : 1)
    const op = window.decodeKept(this.#board.memory.u8, (base + FETCHED_BYTES) * 4, length)
    this.#watch(v, eip, op)
    return this.#board.violation === null ? op : null
  }

  /** A fault of the attempt becomes the event to deliver. */
  #raise(v: number): void {
    const cpu = this.#board.cpus[v]
    this.#clearInstruction(v)
    const at = this.#board.symbolize(cpu.r[EIP])
    const vector = cpu.faultVector
    if (vector === PAGE_FAULT && this.#board.running()) {
      this.#board.noteTranslating(v)
      this.#board.losingTranslations(() => this.#board.translations?.pageFault(v, cpu.faultAddress))
    }
    if (!this.#handled.has(vector)) {
      const missing = cpu.remark === null ? '' : ` (${cpu.remark})`
      const what = vector === PAGE_FAULT ? `, which accesses 0x${(cpu.faultAddress >>> 0).toString(16)} (error code ${cpu.faultError}),` : ''
      return this.#board.violate('unhandled-exception', v, `exception ${vector} (${EXCEPTION_NAMES[vector] ?? '?'}) at ${at}${what} has no handler${missing}${vector === PAGE_FAULT ? this.#unseenEntry(v, cpu.faultAddress) : ''}`)
    }
    this.#board.observer?.({ kind: 'exception', vcpu: v, address: vector, sizeBytes: 0, value: cpu.faultError })
    cpu.raise()
  }

  /** What to say of a page fault where the entry was written, by the vCPU itself. */
  #unseenEntry(v: number, linear: number): string {
    const entry = this.#board.running() ? (this.#board.translations?.entryIn(this.#board.buffer(v), v, linear) ?? -1) : -1
    return entry < 0 ? '' : `: its own store to the entry at ${this.#board.symbolize(entry)} is still in its store buffer, where page walks do not look; put a fence, INVLPG or a load of CR3 in between`
  }

  /** Delivers the event in EVENT. False: parked or judged. */
  #deliver(v: number): boolean {
    this.#board.quiet = false
    const cpu = this.#board.cpus[v]
    const bus = this.#board.buses[v]
    const vector = cpu.r[EVENT] & 0xff
    const saved = cpu.r[EIP]
    const type = cpu.r[EVENT] & EVENT_TYPE
    const above = (cpu.r[EVENT] & EVENT_HAS_ERROR) !== 0 ? 4 : 0
    if (!this.#handled.has(vector)) {
      const name = vector < 32 ? `exception ${vector} (${EXCEPTION_NAMES[vector] ?? '?'})` : `interrupt vector ${vector}`
      this.#board.violate(vector < 32 ? 'unhandled-exception' : 'unhandled-interrupt', v, `${name} at ${this.#board.symbolize(cpu.r[EIP])} has no handler`)
      return false
    }
    bus.beginAttempt()
    if (this.#board.model.interruptDrains) bus.fence()
    if (this.#board.model.interruptSync) bus.serialize()
    // In an NMI handler it walks no tables.
    if (cpu.stop === 0 && type === EVENT_NMI) this.#board.losingTranslations(() => cpu.deliver())
    else if (cpu.stop === 0) cpu.deliver()
    if (cpu.stop === 0) {
      if (type !== EVENT_INT3 && this.#board.running())
        for (const monitor of this.#board.watchers.all) monitor.onInterrupt?.(v, (cpu.r[SEG_BASE + SS] + cpu.r[ESP] + above) >>> 0, saved >>> 0, type >= EVENT_INT_N)
      if (this.#board.model.cpu.queueBytes > 0) this.#board.onBranch(v)
      bus.clearAnswers()
      return true
    }
    if (cpu.stop === STOP_FAULT) {
      this.#raise(v)
      return this.#board.violation === null
    }
    if (this.#board.violation === null) bus.keepAnswers()
    return false
  }
}
