/** Where the states of a search come from: what to limit when there are too many. */
import { choiceArgument, choiceKind, INTERRUPT, NMI } from '../smp/choice.ts'
import { unpackCost } from './cost.ts'

/** Kinds of choices that make new states, and what limits each. */
const SOURCES = [
  { name: 'preemptions', limit: '--preemptions K' },
  { name: 'interrupts and NMIs', limit: 'the `max` of each interrupt source' },
  { name: 'stale fetches and orders of split accesses', limit: '--fetch RUNG, or aligned accesses' },
  { name: 'delayed drains', limit: '--memory sc, or --set storeBuffer=N' },
  { name: 'data choices', limit: 'fewer alternatives in XM_CHOOSE, or XM_ASSUME early' },
  { name: 'running on', limit: 'fewer vCPUs (--vcpus), shorter loops' },
] as const
const [PREEMPTION, INTERRUPTS, ENVIRONMENT, DELAY, DATA, RUNNING] = SOURCES.keys()

export class Sources {
  readonly #counts = new Float64Array(SOURCES.length)

  /** A new state was reached by `choice`, which cost `price`. */
  count(choice: number, price: number): void {
    const { preemptions, environment, delays } = unpackCost(price)
    const kind = choiceKind(choice)
    let source = RUNNING
    if (kind === INTERRUPT || kind === NMI) source = INTERRUPTS
    else if (environment > 0) source = ENVIRONMENT
    else if (choiceArgument(choice) > 0) source = DATA
    else if (preemptions > 0) source = PREEMPTION
    else if (delays > 0) source = DELAY
    this.#counts[source]++
  }

  /** What was counted, for `restore`. */
  save(): number[] {
    return [...this.#counts]
  }
  restore(counts: readonly number[]): void {
    counts.slice(0, this.#counts.length).forEach((count, k) => (this.#counts[k] = count))
  }

  /** The biggest sources as one sentence each, biggest first. */
  describe(): string[] {
    const sum = this.#counts.reduce((a, b) => a + b, 0)
    return SOURCES.map((source, k) => ({ ...source, share: this.#counts[k] / sum }))
      .filter(({ share }) => share >= 0.05)
      .sort((a, b) => b.share - a.share)
      .slice(0, 3)
      .map(({ name, limit, share }) => `${Math.round(share * 100)} % of the states come from ${name}; to limit them: ${limit}`)
  }
}
