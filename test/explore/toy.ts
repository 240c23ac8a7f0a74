/** Threads of five or so kinds of instructions over a few cells: a model whose behaviours can be counted by hand. */
import type { Explorable } from '../../src/explore/explorable.ts'
import { choiceArgument, choiceKind, choiceVcpu, DRAIN, packChoice, RUN } from '../../src/smp/choice.ts'
import type { Violation } from '../../src/smp/monitor.ts'
import { Store } from '../../src/state/store.ts'

export type Instruction =
  | { readonly op: 'load'; readonly reg: number; readonly cell: number }
  /** Stores register + `add`. */
  | { readonly op: 'store'; readonly reg: number; readonly add: number; readonly cell: number }
  /** Adds 1, atomically and past the buffer. */
  | { readonly op: 'inc'; readonly cell: number }
  /** Blocks until the cell is 0, and sets it. */
  | { readonly op: 'lock'; readonly cell: number }
  | { readonly op: 'assume'; readonly reg: number; readonly value: number }
  | { readonly op: 'fail'; readonly reg: number; readonly value: number }

export const load = (reg: number, cell: number): Instruction => ({ op: 'load', reg, cell })
export const store = (cell: number, reg: number, add: number): Instruction => ({ op: 'store', reg, add, cell })
export const inc = (cell: number): Instruction => ({ op: 'inc', cell })
export const lock = (cell: number): Instruction => ({ op: 'lock', cell })
export const assume = (reg: number, value: number): Instruction => ({ op: 'assume', reg, value })
export const fail = (reg: number, value: number): Instruction => ({ op: 'fail', reg, value })

export interface ToyOptions {
  /** Store buffer entries; 0: stores reach memory at once. */
  readonly buffer?: number
  /** A load may see the value before the last, as an environment choice. */
  readonly stale?: boolean
  /** Judges the cells when all have ended. */
  readonly holdsAtEnd?: (cells: readonly number[]) => boolean
  readonly weaknesses?: readonly string[]
  /** Shared memory as learnt; absent: every cell is known to be shared. */
  readonly sharing?: ToySharing
}

export class ToySharing {
  grown = false
  readonly #users: number[] = []
  readonly #shared: boolean[] = []

  /** Notes that `vcpu` uses `cell`; true where others do too. */
  note(cell: number, vcpu: number): boolean {
    this.#users[cell] = (this.#users[cell] ?? 0) | (1 << vcpu)
    const users = this.#users[cell]
    if ((users & (users - 1)) !== 0 && !this.#shared[cell]) {
      this.#shared[cell] = true
      this.grown = true
    }
    return this.#shared[cell] ?? false
  }
}

export const CELLS = 3
const REGS = 4
const BUFFER_MAX = 3
const THREAD = 1 + REGS + 1 + 2 * BUFFER_MAX

export class Toy implements Explorable {
  readonly store: Store
  readonly sharing: { grown: boolean }
  readonly weaknesses: ReadonlySet<string>
  violation: Violation | null = null
  takes = 0
  readonly #programs: readonly (readonly Instruction[])[]
  readonly #options: ToyOptions
  readonly #marks: number[] = []
  #over = false

  constructor(programs: readonly (readonly Instruction[])[], options: ToyOptions = {}) {
    this.#programs = programs
    this.#options = options
    this.store = new Store(2 * CELLS + programs.length * THREAD)
    this.sharing = options.sharing ?? { grown: false }
    this.weaknesses = new Set(options.weaknesses ?? [])
  }

  enabled(out: Int32Array): number {
    if (this.#over) return 0
    let count = 0
    for (let vcpu = 0; vcpu < this.#programs.length; vcpu++) {
      if (this.#pending(vcpu) > 0) out[count++] = packChoice(DRAIN, vcpu)
      if (!this.canContinue(vcpu)) continue
      out[count++] = packChoice(RUN, vcpu)
      const next = this.#next(vcpu)
      if (this.#options.stale && next?.op === 'load' && this.#forwarded(vcpu, next.cell) === null)
        if (this.store.w[CELLS + next.cell] !== this.store.w[next.cell]) out[count++] = packChoice(RUN, vcpu, 1)
    }
    return count
  }

  take(choice: number): number {
    if (this.#over) throw new Error('take after the end')
    this.takes++
    this.#marks.push(this.store.mark())
    const vcpu = choiceVcpu(choice)
    let outcome = 0
    if (choiceKind(choice) === DRAIN) this.#drain(vcpu)
    else {
      outcome = this.#execute(vcpu, choiceArgument(choice) === 1)
      while (outcome === 0 && this.#nextIsInvisible(vcpu)) outcome = this.#execute(vcpu, false)
    }
    if (outcome === 0 && this.#isEnd() && this.#options.holdsAtEnd?.([...this.store.w.subarray(0, CELLS)]) === false)
      outcome = this.#violate(vcpu, 'end')
    this.#over = outcome !== 0
    return outcome
  }

  undo(): void {
    const mark = this.#marks.pop()
    if (mark === undefined) throw new Error('undo without take')
    this.store.undoTo(mark)
    this.violation = null
    this.#over = false
  }

  canContinue(vcpu: number): boolean {
    const next = this.#next(vcpu)
    if (next === undefined) return false
    if (next.op === 'lock') return this.store.w[next.cell] === 0 && this.#pending(vcpu) === 0
    if (next.op === 'inc') return this.#pending(vcpu) === 0
    return next.op !== 'store' || this.#pending(vcpu) < Math.max(1, this.#options.buffer ?? 0)
  }

  bufferedStores(): number {
    return this.#programs.reduce((sum, _, vcpu) => sum + this.#pending(vcpu), 0)
  }

  isEnvironmentChoice(choice: number): boolean {
    return choiceKind(choice) === RUN && choiceArgument(choice) === 1
  }

  /** Takes since the start that are not undone. */
  get depth(): number {
    return this.#marks.length
  }

  #base(vcpu: number): number {
    return 2 * CELLS + vcpu * THREAD
  }
  #next(vcpu: number): Instruction | undefined {
    return this.#programs[vcpu][this.store.w[this.#base(vcpu)]]
  }
  #pending(vcpu: number): number {
    return this.store.w[this.#base(vcpu) + 1 + REGS]
  }
  #isEnd(): boolean {
    return this.#programs.every((_, vcpu) => this.#next(vcpu) === undefined && this.#pending(vcpu) === 0)
  }

  #nextIsInvisible(vcpu: number): boolean {
    const { sharing } = this.#options
    const next = this.#next(vcpu)
    if (sharing === undefined || next === undefined || !this.canContinue(vcpu)) return false
    return !('cell' in next) || !sharing.note(next.cell, vcpu)
  }

  #execute(vcpu: number, stale: boolean): number {
    const { w } = this.store
    const base = this.#base(vcpu)
    const next = this.#next(vcpu)
    if (next === undefined || !this.canContinue(vcpu)) throw new Error('not enabled')
    if ('cell' in next) this.#options.sharing?.note(next.cell, vcpu)
    this.store.set(base, w[base] + 1)
    switch (next.op) {
      case 'load':
        this.store.set(base + 1 + next.reg, stale ? w[CELLS + next.cell] : (this.#forwarded(vcpu, next.cell) ?? w[next.cell]))
        return 0
      case 'store': {
        const value = w[base + 1 + next.reg] + next.add
        if (!this.#options.buffer) this.#write(next.cell, value)
        else {
          const count = this.#pending(vcpu)
          this.store.set(base + 2 + REGS + 2 * count, next.cell)
          this.store.set(base + 3 + REGS + 2 * count, value)
          this.store.set(base + 1 + REGS, count + 1)
        }
        return 0
      }
      case 'inc':
        this.#write(next.cell, w[next.cell] + 1)
        return 0
      case 'lock':
        this.#write(next.cell, 1)
        return 0
      case 'assume':
        return w[base + 1 + next.reg] === next.value ? 0 : 2
      case 'fail':
        return w[base + 1 + next.reg] === next.value ? this.#violate(vcpu, 'fail') : 0
    }
  }

  #violate(vcpu: number, kind: string): number {
    this.violation = { kind, message: kind, vcpu, eip: this.store.w[this.#base(vcpu)] }
    return 1
  }

  #forwarded(vcpu: number, cell: number): number | null {
    const base = this.#base(vcpu) + 2 + REGS
    for (let k = this.#pending(vcpu) - 1; k >= 0; k--)
      if (this.store.w[base + 2 * k] === cell) return this.store.w[base + 2 * k + 1]
    return null
  }

  #drain(vcpu: number): void {
    const base = this.#base(vcpu) + 2 + REGS
    const count = this.#pending(vcpu)
    if (count === 0) throw new Error('not enabled')
    this.#write(this.store.w[base], this.store.w[base + 1])
    for (let k = 0; k < count; k++)
      for (let i = 0; i < 2; i++) this.store.set(base + 2 * k + i, k + 1 < count ? this.store.w[base + 2 * (k + 1) + i] : 0)
    this.store.set(base - 1, count - 1)
  }

  #write(cell: number, value: number): void {
    this.store.set(CELLS + cell, this.store.w[cell])
    this.store.set(cell, value)
  }
}
