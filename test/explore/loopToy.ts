/** Threads that loop, wait, interrupt each other and mark progress, over a few bits: liveness that can be judged by exhaustion. */
import type { Live } from '../../src/explore/liveness/fairness.ts'
import { choiceKind, choiceVcpu, DRAIN, INTERRUPT, packChoice, RUN } from '../../src/smp/choice.ts'
import { Footprint } from '../../src/smp/footprint.ts'
import type { Violation } from '../../src/smp/monitor.ts'
import { Store } from '../../src/state/store.ts'

export type LoopInstruction =
  | { readonly op: 'load'; readonly cell: number }
  | { readonly op: 'store'; readonly cell: number; readonly value: number }
  /** Sets the cell past the buffer, and loads what it was. */
  | { readonly op: 'swap'; readonly cell: number; readonly value: number }
  /** Goes to `to` where the register is `value`. */
  | { readonly op: 'jump'; readonly value: number; readonly to: number }
  | { readonly op: 'goto'; readonly to: number }
  | { readonly op: 'progress' }
  /** Makes an interrupt pending at the thread; its handler sets the cell of that number. */
  | { readonly op: 'send'; readonly to: number }
  | { readonly op: 'open'; readonly open: number }
  /** Sleeps until an interrupt is taken. */
  | { readonly op: 'sleep' }
  /** Loads 0 or 1, as the explorer likes. */
  | { readonly op: 'choose' }

const CELLS = 3
/** pc, register, open, pending, asleep, buffered cell + 1, buffered value. */
const WORDS = 7
const [PC, REG, OPEN, IRQ, ASLEEP, BUFFERED, VALUE] = Array(WORDS).keys()

export class LoopToy implements Live {
  readonly store: Store
  readonly sharing = { grown: false }
  readonly weaknesses: ReadonlySet<string> = new Set()
  /** Nobody can take a step, and not all have ended. */
  violation: Violation | null = null
  readonly footprint = new Footprint()
  effect = false
  progressed = 0
  readonly #programs: readonly (readonly LoopInstruction[])[]
  readonly #marks: number[] = []

  constructor(programs: readonly (readonly LoopInstruction[])[]) {
    this.#programs = programs
    this.store = new Store(CELLS + programs.length * WORDS)
    for (let v = 0; v < programs.length; v++) this.store.set(this.#at(v, OPEN), 1)
    this.store.seal()
    ;[this.store.h0, this.store.h1] = this.store.fullHash()
  }

  get vcpuCount(): number {
    return this.#programs.length
  }
  enabled(out: Int32Array): number {
    let count = 0
    for (let v = 0; v < this.vcpuCount; v++) {
      if (this.canContinue(v)) {
        out[count++] = packChoice(RUN, v)
        if (this.#next(v)?.op === 'choose') out[count++] = packChoice(RUN, v, 1)
      }
      if (this.#word(v, BUFFERED) !== 0) out[count++] = packChoice(DRAIN, v)
      if (this.#word(v, IRQ) === 1 && this.#word(v, OPEN) === 1 && !this.hasEnded(v)) out[count++] = packChoice(INTERRUPT, v, 33)
    }
    return count
  }
  take(choice: number): number {
    this.#take(choice)
    const stuck = this.enabled(this.#scratch) === 0 && this.#programs.some((_, v) => !this.hasEnded(v))
    if (stuck) this.violation = { kind: 'stuck', message: 'stuck', vcpu: 0, eip: 0 }
    return stuck ? 1 : 0
  }
  readonly #scratch = new Int32Array(64)
  #take(choice: number): void {
    this.#marks.push(this.store.mark())
    this.effect = false
    this.progressed = 0
    const v = choiceVcpu(choice)
    switch (choiceKind(choice)) {
      case DRAIN:
        this.#write(this.#word(v, BUFFERED) - 1, this.#word(v, VALUE))
        this.#set(v, BUFFERED, 0)
        this.#set(v, VALUE, 0)
        this.effect = true
        break
      case INTERRUPT:
        this.#set(v, IRQ, 0)
        this.effect = this.#word(v, ASLEEP) === 1
        this.#set(v, ASLEEP, 0)
        this.#write(v % CELLS, 1)
        break
      default:
        this.#run(v, choice >>> 12)
    }
  }
  undo(): void {
    this.violation = null
    this.store.undoTo(this.#marks.pop()!)
  }
  canContinue(v: number): boolean {
    const next = this.#next(v)
    if (next === undefined || this.#word(v, ASLEEP) === 1) return false
    return this.#word(v, BUFFERED) === 0 || (next.op !== 'swap' && next.op !== 'store')
  }
  bufferedStores(): number {
    let sum = 0
    for (let v = 0; v < this.vcpuCount; v++) if (this.#word(v, BUFFERED) !== 0) sum++
    return sum
  }
  isEnvironmentChoice(choice: number): boolean {
    return choiceKind(choice) === INTERRUPT
  }
  hasEnded(v: number): boolean {
    return this.#next(v) === undefined
  }
  sleeps(v: number): boolean {
    return this.#word(v, ASLEEP) === 1
  }
  isStaleView(): boolean {
    return false
  }
  idles(): boolean {
    return false
  }
  instructionAt(v: number): number {
    return this.#word(v, PC) - this.#word(v, ASLEEP)
  }
  wayOut(v: number, executed: ReadonlySet<number>): 'ends' | 'acts' | null {
    const seen = new Set(executed)
    let acts = false
    for (const at of seen) {
      const next = this.#programs[v][at]
      if (next === undefined) return 'ends'
      if (!executed.has(at) && ['store', 'swap', 'send', 'progress', 'sleep'].includes(next.op)) acts = true
      if (next.op !== 'goto') seen.add(at + 1)
      if (next.op === 'goto' || next.op === 'jump') seen.add(next.to)
    }
    return acts ? 'acts' : null
  }
  kindOfStandstill(): string {
    return 'lost-wakeup'
  }
  describeWait(v: number): string {
    return `${v} sleeps`
  }
  place(v: number): string {
    return String(this.#word(v, PC))
  }
  eip(v: number): number {
    return this.#word(v, PC)
  }
  symbolize(address: number): string {
    return String(address)
  }

  #run(v: number, way: number): void {
    const next = this.#next(v)!
    this.#set(v, PC, this.#word(v, PC) + 1)
    switch (next.op) {
      case 'load':
        this.#set(v, REG, this.#word(v, BUFFERED) === next.cell + 1 ? this.#word(v, VALUE) : this.store.w[next.cell])
        break
      case 'store':
        this.#set(v, BUFFERED, next.cell + 1)
        this.#set(v, VALUE, next.value)
        this.effect = true
        break
      case 'swap':
        this.#set(v, REG, this.store.w[next.cell])
        if (this.store.w[next.cell] !== next.value) this.effect = true
        this.#write(next.cell, next.value)
        break
      case 'jump':
        if (this.#word(v, REG) === next.value) this.#set(v, PC, next.to)
        break
      case 'goto':
        this.#set(v, PC, next.to)
        break
      case 'progress':
        this.progressed = 1 << v
        break
      case 'send':
        this.#set(next.to, IRQ, 1)
        this.effect = true
        break
      case 'open':
        this.#set(v, OPEN, next.open)
        break
      case 'sleep':
        this.#set(v, ASLEEP, 1)
        break
      case 'choose':
        this.#set(v, REG, way)
        break
    }
    if (this.hasEnded(v)) this.effect = true
  }
  #next(v: number): LoopInstruction | undefined {
    return this.#programs[v][this.#word(v, PC)]
  }
  #at(v: number, word: number): number {
    return CELLS + v * WORDS + word
  }
  #word(v: number, word: number): number {
    return this.store.w[this.#at(v, word)]
  }
  #set(v: number, word: number, value: number): void {
    this.store.set(this.#at(v, word), value)
  }
  #write(cell: number, value: number): void {
    this.store.set(cell, value)
  }
}
