/**
 * Turns of a loop that gives up after counting, taken at once (spins.ts): all but the last are one step.
 */
import { countedLoop, type CountedLoop } from '../cpu/countedLoop.ts'
import { EIP, REGISTER_WORDS, SEG_BASE } from '../cpu/registers.ts'
import type { Board } from './board.ts'
import type { Choices } from './choices.ts'
import type { Execution } from './execution.ts'
import type { KnownCode } from './knownCode.ts'
import { AT_LOAD, AT_LOCKED, PENDING, PENDING_WAYS, QUIET_WORDS, TURNS, TURN_AT } from './layout.ts'
import { Spins, TURN_EVENTS_MAX, isForgotten, TURNS_MAX } from './spins.ts'
import { FLAG_BITS } from './stepMemo.ts'

/** Argument that the memo knows turns of a loop by. */
const SPIN = -1

export class Turns {
  readonly #board: Board
  readonly #choices: Choices
  readonly #execution: Execution
  readonly #known: KnownCode
  readonly #forgets: boolean
  readonly #spins: Spins

  constructor(board: Board, choices: Choices, execution: Execution, known: KnownCode, forgets: boolean) {
    this.#board = board
    this.#choices = choices
    this.#execution = execution
    this.#known = known
    this.#forgets = forgets
    this.#spins = new Spins(board.sharing)
  }

  /** `v` stands at a loop that counts. */
  counts(v: number): boolean {
    return this.#spins.countersAt(this.#board.eip(v)) !== 0
  }

  /** All turns but the last of a loop that counts, or the next event of `v`. */
  step(v: number, argument: number): void {
    const spins = this.#spins
    const { r } = this.#board.cpus[v]
    const from = r[EIP] >>> 0
    const counters = spins.countersAt(from)
    const looks = counters !== 0 && this.#canSpin(v) ? this.#looksOf(v, spins.structureAt(from, this.#known.surroundings(v).opAt)) : null
    if (looks !== null && this.#spin(v, counters)) return this.#addLooks(v, looks)
    this.#execution.step(v, argument)
    // That it was no more than one event depends on all that a turn may look at.
    if (looks !== null) this.#addLooks(v, looks)
    const to = r[EIP] >>> 0
    const turns = this.#board.layout.quiet + v * QUIET_WORDS + TURNS
    if (!this.#board.quiet) {
      if (this.#board.store.w[turns] !== 0) this.#board.store.set(turns, 0)
      // Where turns change memory it matters how many are left.
      return spins.any && this.#known.canReadCode(v) ? spins.noteChange(from, to, this.#known.surroundings(v).opAt) : undefined
    }
    if (to > from || !this.#board.running() || this.#board.begun(v)) return
    const at = turns - TURNS + TURN_AT
    this.#board.store.set(turns, this.#board.store.w[at] === (to | 0) ? this.#board.store.w[turns] + 1 : 1)
    this.#board.store.set(at, to)
    if (this.#known.canReadCode(v)) spins.noteTurn(v, this.#board.store.w[turns], r, () => this.#known.codeView(v))
  }

  #canSpin(v: number): boolean {
    if (!this.#board.running() || this.#board.begun(v) || this.#board.sharing.interruptible[v] !== 0 || this.#board.watchers.byAddress.size > 0 || this.#board.model.partialWait) return false
    return this.#board.watchers.areIdle() && this.#known.canReadCode(v)
  }

  /** Address and size of the memory operands of the loop at EIP, in pairs; null: they are not known. */
  #looksOf(v: number, loop: CountedLoop | null): number[] | null {
    if (loop === null) return null
    const { r } = this.#board.cpus[v]
    const looks: number[] = []
    for (const { base, index, scale, disp, seg, size } of loop.looks) {
      const address = ((base < 0 ? 0 : r[base]) + (index < 0 ? 0 : r[index] << scale) + disp) | 0
      const at = this.#board.memory.index(address)
      if (r[SEG_BASE + seg] !== 0 || at < 0 || this.#board.memory.index(address + size - 1) < 0) return null
      if (this.#board.sharing.shared[this.#board.memory.granule(at)] !== 0 || ((address & 3) + size > 4 && this.#board.sharing.shared[this.#board.memory.granule(at) + 1] !== 0)) looks.push(address, size)
    }
    return looks
  }

  #addLooks(v: number, looks: readonly number[]): void {
    for (let k = 0; k < looks.length; k += 2) {
      this.#board.footprint.addLoad(this.#board.buses[v].buffer, looks[k], looks[k + 1], false)
      this.#board.observer?.({ kind: 'load', vcpu: v, address: looks[k], sizeBytes: looks[k + 1], value: this.#board.memory.load(this.#board.memory.index(looks[k]), Math.min(4, looks[k + 1])) })
    }
  }

  /** Takes turns of the loop at EIP until one is left, as long as they change nothing; false: not one, and nothing has changed. */
  #spin(v: number, counters: number): boolean {
    const { r } = this.#board.cpus[v]
    const rememberable = this.#execution.isRememberable(v)
    if (rememberable && this.#board.memo.apply(v, SPIN, r)) {
      this.#board.spun = this.#board.memo.flags >>> FLAG_BITS
      return this.#hasSpun()
    }
    const head = r[EIP]
    const first = r.slice()
    // Who looks on is told what is looked at, and sees the last turn.
    const { observer } = this.#board
    this.#board.observer = null
    if (rememberable) this.#board.memo.begin(v, SPIN)
    const code = this.#known.codeView(v)
    const loop = countedLoop(head, counters, code.opAt, code.live)
    let last = first
    this.#execution.fence = loop === null ? null : loop.body
    for (let turns = 0; loop !== null && turns < TURNS_MAX; turns++) {
      const before = this.#board.store.top
      const events = this.#turn(v, head)
      if (events === 0) {
        this.#putBack(before)
        this.#board.violation = null
        break
      }
      this.#board.spun += events
      last = r.slice()
    }
    this.#execution.fence = null
    if (loop !== null && this.#board.spun > 0 && !isForgotten(loop, first, last, code)) {
      this.#putBack(this.#board.stepMark)
      this.#board.spun = 0
    }
    this.#board.footprint.clear()
    if (this.#forgets && this.#board.spun > 0) this.#known.forgetDead(v)
    if (this.#execution.remembers) this.#board.memo.end(v, this.#board.spun << FLAG_BITS)
    this.#board.observer = observer
    return this.#hasSpun()
  }

  /** What is said of the step where it was turns of a loop, or nothing yet. */
  #hasSpun(): boolean {
    const spun = this.#board.spun > 0
    this.#board.quiet = !spun
    this.#board.effect = false
    this.#board.eventBegins = false
    return spun
  }

  /** One turn of the loop at `head`, where nothing else happens; returns its events, 0: it leaves the loop, waits for a drain, or changes something. */
  #turn(v: number, head: number): number {
    const base = this.#board.base(v)
    const { w } = this.#board.store
    for (let events = 1; events <= TURN_EVENTS_MAX; events++) {
      const pending = this.#board.quietWord(v, PENDING)
      // What waits for the own stores must have waited from the beginning on.
      if ((pending !== AT_LOAD && (pending !== AT_LOCKED || events > 1)) || this.#board.quietWord(v, PENDING_WAYS) !== 1 || !this.#choices.canContinue(v)) return 0
      this.#board.buses[v].grant(true, pending, 0)
      for (let k = 0; k < REGISTER_WORDS; k++) this.#board.before[k] = w[base + k]
      this.#choices.changed()
      this.#execution.run(v)
      this.#choices.changed()
      this.#board.store.commit(base, this.#board.before, REGISTER_WORDS)
      if (!this.#board.quiet || this.#board.effect || this.#board.violation !== null || !this.#execution.fence!.has(this.#board.cpus[v].r[EIP])) return 0
      if (this.#board.cpus[v].r[EIP] === head && !this.#board.begun(v)) return events
    }
    return 0
  }

  /** Words become what they were when the log ended at `top`. */
  #putBack(top: number): void {
    const olds = new Map<number, number>()
    this.#board.store.forEachSince(top, (index, old) => {
      if (!olds.has(index)) olds.set(index, old)
    })
    for (const [index, old] of olds) this.#board.store.set(index, old)
  }
}
