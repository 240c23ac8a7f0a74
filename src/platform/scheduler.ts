/** Who runs next, and for how many instructions. A scheduler is one function; the same seed makes the same choices. */
import { generator } from '../explore/generator.ts'

/** @param runnable vCPUs that can run, ascending, at least one */
export type Scheduler = (runnable: readonly number[]) => { readonly vcpu: number; readonly count: number }

export const SCHEDULES = ['round-robin', 'random', 'pct'] as const
export type Schedule = (typeof SCHEDULES)[number]

/** Instructions of a slice, at the most. */
const SLICE = 10_000
/** Priority changes of the PCT scheduler (Burckhardt et al., ASPLOS 2010), one every so many slices on average. */
const PCT_SLICES = 64

export function makeScheduler(name: Schedule, seed: number): Scheduler {
  const random = generator(seed)
  switch (name) {
    case 'round-robin': {
      let last = -1
      return (runnable) => {
        last = runnable.find((vcpu) => vcpu > last) ?? runnable[0]
        return { vcpu: last, count: SLICE }
      }
    }
    case 'random':
      return (runnable) => ({ vcpu: runnable[random() % runnable.length], count: 1 + (random() % (SLICE >> (random() % 13))) })
    case 'pct': {
      const priorities = new Map<number, number>()
      let lowest = 0
      return (runnable) => {
        for (const vcpu of runnable) if (!priorities.has(vcpu)) priorities.set(vcpu, random())
        const best = runnable.reduce((a, b) => (priorities.get(b)! > priorities.get(a)! ? b : a))
        // A change point: whoever runs falls behind all others. It also keeps a spinning vCPU from running for ever.
        if (random() % PCT_SLICES < 8) priorities.set(best, --lowest)
        return { vcpu: best, count: 1 + (random() % 1000) }
      }
    }
  }
}
