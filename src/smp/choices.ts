/**
 * What can happen next in a state: the choices of each vCPU, whether they can be made now, and by what they are known elsewhere.
 */
import type { Board } from './board.ts'
import { DRAIN, INTERRUPT, NMI, RUN, choiceArgument, choiceKind, choiceVcpu, packChoice } from './choice.ts'
import {
  AT_BLOCK, AT_BOUNDARY, AT_END, AT_ENTRY, AT_FENCE, AT_FETCH, AT_HALT, AT_LOAD, AT_LOCAL, AT_LOCKED, AT_MARK, AT_NOTHING, AT_POLL, AT_SEND, AT_SERIALIZE,
  AT_STORE, AT_TRANSLATE, IRR, KICKED, NMI_PENDING, PENDING, PENDING_ADDRESS, PENDING_NAMES, PENDING_SIZE, PENDING_WAYS,
} from './layout.ts'
import { BY_INTERRUPT, BY_NMI } from './sharing.ts'

/** `openTo`: an interrupt or NMI, own stores that drain before it; code that is written. */
export const OPEN_TO_INTERRUPTS = 1
export const OPEN_TO_CODE = 2

export class Choices {
  readonly #board: Board
  constructor(board: Board) {
    this.#board = board
  }

  /** The state has changed. */
  changed(): void {
    this.#waysOf = -1
  }

  /** The vCPU's next event can be made now, if it has a pCPU. */
  canContinue(v: number): boolean {
    const pending = this.#board.quietWord(v, PENDING)
    if (pending === AT_END || pending === AT_HALT || pending === AT_NOTHING) return false
    const buffered = this.#board.buffered(v)
    const sc = buffered > 0 && this.#board.model.sc
    switch (pending) {
      case AT_LOCKED:
      case AT_FENCE:
      case AT_SERIALIZE:
        return buffered === 0
      case AT_SEND:
        return buffered === 0 || (!this.#board.model.ipiDrains && !this.#board.model.sc)
      case AT_BLOCK:
        return this.#board.store.w[this.#board.base(v) + KICKED] !== 0 && !sc
      case AT_POLL:
        return buffered === 0 && this.#board.polledByte(v) !== 0
      case AT_STORE:
        return !sc && buffered + (this.#board.quietWord(v, PENDING_WAYS) > 1 ? 2 : 1) <= this.#board.model.storeBuffer
      case AT_ENTRY:
      case AT_LOAD: {
        const physical = this.#board.quietWord(v, PENDING_ADDRESS)
        const size = this.#board.quietWord(v, PENDING_SIZE)
        return !sc && (!this.#board.model.partialWait || this.#board.buses[v].buffer.coversOrMisses(physical, size))
      }
      default:
        return !sc && (buffered === 0 || !this.#board.sharing.codeShared || this.listRuns(v, this.scratch, 0) > 0)
    }
  }

  needsDrains(choice: number): boolean {
    if (choiceKind(choice) === INTERRUPT || choiceKind(choice) === NMI) return this.#board.model.interruptDrains
    if (this.#board.model.sc) return true
    const v = choiceVcpu(choice)
    switch (this.#board.quietWord(v, PENDING)) {
      case AT_LOCKED:
      case AT_FENCE:
      case AT_SERIALIZE:
      case AT_POLL:
        return true
      case AT_SEND:
        return this.#board.model.ipiDrains
      case AT_STORE:
        return this.#board.quietWord(v, PENDING_WAYS) === 1
      default:
        return false
    }
  }

  alternatives(v: number): number {
    return this.openTo(v) !== 0 || this.#board.quietWord(v, PENDING) === AT_ENTRY ? 2 : this.#board.quietWord(v, PENDING_WAYS)
  }

  openTo(v: number): number {
    const interrupts = this.#board.sharing.interruptible[v] !== 0 && this.#board.atBoundary(v) && this.interruptsMatter(v) ? OPEN_TO_INTERRUPTS : 0
    return interrupts | (this.#board.fetchIsVisible && this.#fetchWays(v) > 0 ? OPEN_TO_CODE : 0)
  }

  canBeBlocked(choice: number): boolean {
    if (choiceKind(choice) === INTERRUPT || choiceKind(choice) === NMI) return true
    const pending = this.#board.quietWord(choiceVcpu(choice), PENDING)
    return pending === AT_BLOCK || pending === AT_POLL
  }

  /** A fetch that is not stale has one name, whatever it fetches (Reducible.orderFetches). */
  fetchesOrdered = false

  /** A fetch variant by what it fetches: the numbers in `enabled` depend on what has been written to code so far. */
  identify(choice: number): number {
    const v = choiceVcpu(choice)
    if (choiceKind(choice) !== RUN) return choice
    if (this.#board.quietWord(v, PENDING) === AT_TRANSLATE) return packChoice(RUN, v, this.#translationName(v, choiceArgument(choice)))
    if (this.#board.quietWord(v, PENDING) === AT_ENTRY) return packChoice(RUN, v, this.#walkName(v, choiceArgument(choice)))
    if (!this.#board.fetchIsVisible || this.#fetchWays(v) === 0) return choice
    const variant = choiceArgument(choice)
    if (this.fetchesOrdered) return packChoice(RUN, v, variant === 0 ? 0 : 1 + this.#variantName(v, variant))
    return packChoice(RUN, v, this.#variantName(v, variant))
  }

  /** The choice that `identify` would give this name here; -1: it is not enabled. */
  locate(name: number): number {
    const v = choiceVcpu(name)
    const kind = choiceKind(name)
    if (kind === DRAIN) return this.#board.buses[v].buffer.count > 0 ? name : -1
    if (kind === RUN) {
      if (!this.canContinue(v)) return -1
      const pending = this.#board.quietWord(v, PENDING)
      if (pending !== AT_TRANSLATE && pending !== AT_ENTRY && (!this.#board.fetchIsVisible || this.#fetchWays(v) === 0))
        // While it is learnt what is shared, what was planned as a fetch may turn out to be none.
        return choiceArgument(name) < this.#board.quietWord(v, PENDING_WAYS) ? name : -1
    }
    const count = kind === RUN ? this.listRuns(v, this.scratch, 0) : this.listInterrupts(v, this.scratch, 0)
    for (let k = 0; k < count; k++) if (this.identify(this.scratch[k]) === name) return this.scratch[k]
    return -1
  }

  readonly #variantNames = new Map<string, number>()

  #variantName(v: number, variant: number): number {
    const view = this.#board.fetchView
    const key = `${view.bytes.subarray(variant * 16, variant * 16 + view.lengths[variant]).join()}${this.#board.model.fetch.kind === 'strict' && view.races(v, variant) ? ' race' : ''}`
    return this.#nameOf(key)
  }

  /** A walk is 0. */
  #translationName(v: number, way: number): number {
    if (way === 0) return 0
    const { kinds, lows, highs } = this.#board.translations!
    this.listRuns(v, this.#names, 0)
    return 1 + this.#nameOf(`translation ${kinds[way - 1]} ${lows[way - 1]} ${highs[way - 1]}`)
  }

  /** No walk ahead is 0. */
  #walkName(v: number, way: number): number {
    if (way === 0) return 0
    this.#walksAhead(v)
    return 1 + this.#nameOf(`walk ${this.#board.walksAhead!.ways[way - 1].entries.join()}`)
  }

  /** Walks that may be made before the load that `v` is about to make. */
  #walksAhead(v: number): number {
    return this.#board.walksAhead!.find(this.#board.quietWord(v, PENDING_ADDRESS), this.#board.quietWord(v, PENDING_SIZE))
  }

  #nameOf(key: string): number {
    const known = this.#variantNames.get(key)
    if (known !== undefined) return known
    this.#variantNames.set(key, this.#variantNames.size)
    return this.#variantNames.size - 1
  }

  readonly #names = new Int32Array(128)

  /** What a choice would access (explore/sampling/pos.ts). */
  accessOf(choice: number, out: { physical: number; sizeBytes: number; writes: boolean; signals: boolean }): void {
    const v = choiceVcpu(choice)
    const kind = choiceKind(choice)
    const pending = this.#board.quietWord(v, PENDING)
    out.signals = kind === INTERRUPT || kind === NMI || (kind === RUN && (pending === AT_SEND || pending === AT_BLOCK || pending === AT_MARK))
    out.writes = kind === DRAIN || pending === AT_LOCKED || pending === AT_ENTRY
    if (kind === DRAIN) {
      out.physical = this.#board.buses[v].buffer.address(choiceArgument(choice))
      out.sizeBytes = this.#board.buses[v].buffer.size(choiceArgument(choice))
    } else {
      out.physical = this.#board.quietWord(v, PENDING_ADDRESS)
      out.sizeBytes = kind === RUN && (pending === AT_LOAD || pending === AT_ENTRY || pending === AT_LOCKED || pending === AT_FETCH || pending === AT_POLL) ? this.#board.quietWord(v, PENDING_SIZE) : 0
    }
  }

  /** A fetch or a translation that lags behind. */
  isStaleView(choice: number): boolean {
    if (choiceKind(choice) !== RUN || choiceArgument(choice) === 0) return false
    const pending = this.#board.quietWord(choiceVcpu(choice), PENDING)
    return pending === AT_FETCH || pending === AT_BOUNDARY || pending === AT_LOCAL || pending === AT_TRANSLATE
  }

  /** A choice that the environment makes, not the scheduler: a stale fetch, an interrupt, the order of halves. */
  isEnvironmentChoice(choice: number): boolean {
    const kind = choiceKind(choice)
    if (kind === INTERRUPT || kind === NMI) return true
    if (kind !== RUN || choiceArgument(choice) === 0) return false
    const pending = this.#board.quietWord(choiceVcpu(choice), PENDING)
    return pending !== AT_NOTHING && PENDING_NAMES[pending] !== 'choose'
  }

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
    const pending = this.#board.quietWord(v, PENDING)
    if (pending !== AT_FETCH && ((pending !== AT_BOUNDARY && pending !== AT_LOCAL) || !this.#board.atBoundary(v))) return 0
    const window = this.#board.windows[v]
    const bus = this.#board.buses[v]
    bus.beginPeek()
    const op = window.load()
    const { fetchView, sharing, model } = this.#board
    if (!bus.endPeek() || op === null || !this.#board.running() || !window.noteFetch(op.length, sharing, v, model.matchesLinear)) return 0
    const ways = window.enumerate(fetchView, v)
    // Where an INT3 stands now, what stood there before may be longer.
    let longest = op.length
    for (let way = 0; way < ways; way++) longest = Math.max(longest, fetchView.lengths[way])
    if (longest > op.length) window.noteFetch(longest, sharing, v, model.matchesLinear)
    return ways
  }

  listRuns(v: number, out: Int32Array, count: number): number {
    if (this.#board.quietWord(v, PENDING) === AT_TRANSLATE) {
      const ways = this.#board.translations!.enumerate(v, this.#board.quietWord(v, PENDING_ADDRESS), this.#board.quietWord(v, PENDING_SIZE), this.#board.cpus[v].r)
      for (let way = 0; way <= ways; way++) out[count++] = packChoice(RUN, v, way)
      return count
    }
    if (this.#board.quietWord(v, PENDING) === AT_ENTRY) {
      const ways = this.#walksAhead(v)
      for (let way = 0; way <= ways; way++) out[count++] = packChoice(RUN, v, way)
      return count
    }
    const fetches = this.#fetchWays(v)
    if (fetches > 0) {
      for (let way = 0; way < fetches; way++)
        if (!this.#board.model.ownStoresSeen || !this.#board.windows[v].overlapsBuffer(this.#board.buses[v].buffer, this.#board.fetchView.lengths[way], this.#board.model.matchesLinear))
          out[count++] = packChoice(RUN, v, way)
      return count
    }
    const ways = this.#board.quietWord(v, PENDING_WAYS)
    for (let way = 0; way < ways; way++) out[count++] = packChoice(RUN, v, way)
    return count
  }

  listDrains(v: number, out: Int32Array, count: number): number {
    out[count++] = packChoice(DRAIN, v)
    if (!this.#board.model.storesOvertake) return count
    const { buffer } = this.#board.buses[v]
    for (let entry = 1; entry < buffer.count; entry++) if (buffer.mayOvertake(entry)) out[count++] = packChoice(DRAIN, v, entry)
    return count
  }

  listInterrupts(v: number, out: Int32Array, count: number): number {
    if (this.#board.sharing.interruptible[v] === 0 || !this.#board.atBoundary(v)) return count
    const cpu = this.#board.cpus[v]
    if (this.#board.model.interruptDrains && this.#board.buses[v].buffer.count > 0) return count
    if (cpu.canTakeNmi()) {
      if (this.#board.wordOf(v, NMI_PENDING) !== 0) out[count++] = packChoice(NMI, v)
      this.#board.image.interrupts.forEach((source, k) => {
        if (source.nmi && source.vcpu === v && this.#left(k)) out[count++] = packChoice(NMI, v, k + 1)
      })
    }
    if (!cpu.canTakeInterrupt()) return count
    for (let word = 7; word >= 0; word--) {
      const bits = this.#board.wordOf(v, IRR + word)
      if (bits === 0) continue
      // The local APIC delivers the highest pending vector first (SDM vol. 3A 11.8.3).
      out[count++] = packChoice(INTERRUPT, v, word * 32 + 31 - Math.clz32(bits))
      break
    }
    this.#board.image.interrupts.forEach((source, k) => {
      if (!source.nmi && source.vcpu === v && this.#left(k)) out[count++] = packChoice(INTERRUPT, v, source.vector | ((k + 1) << 8))
    })
    return count
  }

  #left(source: number): boolean {
    const max = this.#board.image.interrupts[source].max
    return max === 0 || this.#board.store.w[this.#board.layout.sources + source] < max
  }

  /** An interrupt could be taken at this boundary, now or once somebody sends it. */
  interruptsMatter(v: number): boolean {
    const how = this.#board.sharing.interruptible[v]
    if (how === 0 || !this.#board.running()) return false
    const cpu = this.#board.cpus[v]
    return ((how & BY_INTERRUPT) !== 0 && cpu.canTakeInterrupt()) || ((how & BY_NMI) !== 0 && cpu.canTakeNmi())
  }

  /** As many as a fetch or a data choice has ways at the most (fetchView.ts, guestServices.ts), and interrupts. */
  readonly scratch = new Int32Array(2048)
}
