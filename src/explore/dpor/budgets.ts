/** Choices of the environment that each have a budget: interrupts, and fetches of stale code. */
import { choiceKind, INTERRUPT, NMI } from '../../smp/choice.ts'
import { grown } from './cells.ts'
import type { DporOptions } from './options.ts'
import type { Path } from './path.ts'

export const isInterrupt = (choice: number): boolean => choiceKind(choice) === INTERRUPT || choiceKind(choice) === NMI

export class Budgets {
  /** Something was left out. */
  pruned = false
  readonly #path: Path
  readonly #interruptsMax: number
  readonly #stalesMax: number
  /** Interrupts and stale fetches before event d. */
  #interrupts = new Int32Array(257)
  #stales = new Int32Array(257)
  /** What a verdict that rests on them is bounded by. */
  readonly bounds: Readonly<Record<string, number>>

  constructor(path: Path, { interrupts, stale }: DporOptions) {
    this.#path = path
    this.#interruptsMax = interrupts ?? Infinity
    this.#stalesMax = stale ?? Infinity
    this.bounds = { ...(interrupts === undefined ? {} : { interrupts }), ...(stale === undefined ? {} : { 'stale fetches': stale }) }
  }

  grow(): void {
    this.#interrupts = grown(this.#interrupts)
    this.#stales = grown(this.#stales)
  }

  /** `choice` is an interrupt too many at node d. */
  forbids(d: number, choice: number): boolean {
    return this.#interrupts[d] >= this.#interruptsMax && isInterrupt(choice)
  }

  /** Event d has been pushed, whose cells were read last. False: it was a stale fetch too many. */
  count(d: number, choice: number): boolean {
    this.#interrupts[d + 1] = this.#interrupts[d] + (isInterrupt(choice) ? 1 : 0)
    this.#stales[d + 1] = this.#stales[d] + (this.#path.cells.stale ? 1 : 0)
    return this.#stales[d + 1] <= this.#stalesMax
  }

  /** The event that was taken in slot d, whose cells were read last, is a stale fetch too many. */
  forbidsFetch(d: number): boolean {
    return this.#path.cells.stale && this.#stales[d] >= this.#stalesMax
  }
}
