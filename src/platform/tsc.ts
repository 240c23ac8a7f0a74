/** The time-stamp counter of one vCPU: virtual time plus what software has set it off by, in 64 bits. */
import type { Words } from './msrBank.ts'

const WORD = 2 ** 32

export class Tsc {
  readonly #now: () => number
  /** Added to virtual time: low and high word, unsigned. */
  #low = 0
  #high = 0

  constructor(now: () => number) {
    this.#now = now
  }

  /** Low and high word, unsigned. */
  read(): readonly [number, number] {
    const now = this.#now()
    const low = (now % WORD) + this.#low
    return [low % WORD, (Math.floor(now / WORD) + this.#high + (low >= WORD ? 1 : 0)) % WORD]
  }

  set(low: number, high: number): void {
    const now = this.#now()
    const difference = (low >>> 0) - (now % WORD)
    this.#low = (difference + WORD) % WORD
    this.#high = ((high >>> 0) - (Math.floor(now / WORD) % WORD) - (difference < 0 ? 1 : 0) + WORD) % WORD
  }

  /** IA32_TSC_ADJUST is what is added (SDM vol. 3B 19.17.3): setting the counter moves it, setting it moves the counter. */
  get adjust(): Words {
    return { low: this.#low | 0, high: this.#high | 0 }
  }
  setAdjust(low: number, high: number): void {
    this.#low = low >>> 0
    this.#high = high >>> 0
  }

  *words(): Iterable<number> {
    yield this.#low | 0
    yield this.#high | 0
  }
}
