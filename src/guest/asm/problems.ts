/** Mistakes in an assembly source: collected, so that one run names several, and thrown together. */

export interface Problem {
  readonly line: number
  /** 1-based. */
  readonly column: number
  /** What is wrong, and what to do. */
  readonly message: string
}

/** How many problems one error reports; what follows from a first mistake seldom helps. */
const PROBLEMS_MAX = 20

/** One mistake on its way from the place that finds it to the statement loop that collects it. */
export class Mistake extends Error {
  readonly column: number
  constructor(column: number, message: string) {
    super(message)
    this.column = column
  }
}

/** Throws a `Mistake`. `column` 0 stands for the start of the statement. */
export function mistake(column: number, message: string): never {
  throw new Mistake(column, message)
}

/** Collects mistakes by statement, and throws what it has when asked. */
export class Problems {
  readonly #list: Problem[] = []

  /** Runs `work`; a `Mistake` in it is noted at `line`, anything else passes through. */
  attempt(line: number, column: number, work: () => void): void {
    try {
      work()
    } catch (error) {
      if (!(error instanceof Mistake)) throw error
      this.add(line, error.column || column, error.message)
    }
  }

  add(line: number, column: number, message: string): void {
    if (this.#list.length < PROBLEMS_MAX) this.#list.push({ line, column, message })
  }

  get list(): readonly Problem[] {
    return this.#list
  }
}
