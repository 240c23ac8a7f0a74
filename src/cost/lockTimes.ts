/**
 * What the time of a lock goes into, from the intervals `wait` and `hold` that the guest marks. A preempted holder shows in how long
 * it is held, a convoy in how long it is free while somebody waits for it.
 */
import { quantile } from './quantile.ts'
import type { Interval } from './run.ts'

export interface LockTimes {
  /** Lengths of waits, in cycles. */
  readonly waits: readonly number[]
  /** Cycles that the lock was held, mean of all sections. */
  readonly held: number
  /** Cycles from one release to the next entry where somebody waited already, mean of those; 0: nobody ever did. */
  readonly handOver: number
}

export function lockTimes(intervals: readonly Interval[]): LockTimes {
  const named = (name: string) => intervals.filter((one) => one.name === name)
  const waits = named('wait')
  const holds = named('hold').sort((a, b) => a.from - b.from)
  const gaps = holds.slice(1).flatMap((next, k) => {
    const free = holds[k].to
    return waits.some((wait) => wait.from <= free && wait.to >= free) ? [Math.max(0, next.from - free)] : []
  })
  return { waits: waits.map(lengthOf), held: mean(holds.map(lengthOf)), handOver: mean(gaps) }
}

/** How many of `lengths` lie between each power of two and the next, from the one of `fromExponent` on; the last has the rest too. */
export function histogram(lengths: readonly number[], fromExponent: number, toExponent: number): number[] {
  const counts = new Array<number>(toExponent - fromExponent + 1).fill(0)
  for (const length of lengths) counts[Math.min(counts.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, length))) - fromExponent))]++
  return counts
}

export const quantiles = (lengths: readonly number[]): number[] => [0.5, 0.99, 1].map((q) => quantile(lengths, q))

const lengthOf = ({ from, to }: Interval) => to - from
const mean = (values: readonly number[]) => (values.length === 0 ? 0 : values.reduce((sum, one) => sum + one, 0) / values.length)
