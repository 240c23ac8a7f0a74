import { generator } from '../../src/explore/generator.ts'

/** Draws numbers and picks. */
export class Dice {
  readonly #next: () => number
  constructor(seed: number) {
    this.#next = generator(seed)
  }
  below(n: number): number {
    return this.#next() % n
  }
  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]
  }
  chance(percent: number): boolean {
    return this.below(100) < percent
  }
}
