/**
 * Every execution, one by one: no hash decides what is visited, no cost orders it, nothing is reduced. Only for
 * programs small enough to be enumerated; it is what the engines are compared with.
 */
import { CHOICES_MAX, remake, type Explorable } from './explorable.ts'

export type Outcome = 'ended' | 'violated' | 'cut' | 'deep'

export interface BruteOptions {
  /** Choices of one execution at the most; a longer one is left there and counted as `deep`. */
  readonly depthMax: number
  /** Executions at the most; more: `exhausted` is false. */
  readonly executionsMax?: number
  /** Called at the end of each execution, with the machine standing there; `schedule` is only lent. */
  readonly visit?: (outcome: Outcome, schedule: readonly number[], machine: Explorable) => void
}

export interface BruteResult {
  readonly executions: number
  readonly counts: Readonly<Record<Outcome, number>>
  /** Hashes of the states in which executions ended. */
  readonly ends: ReadonlySet<string>
  /** Hashes of all states passed, without those that were judged violated or cut. */
  readonly states: ReadonlySet<string>
  /** Every execution was visited, to its end. */
  readonly exhausted: boolean
}

const PASSES_MAX = 64

/** Starts again, as the engines do, when shared memory was learnt; `visit` sees only the passes' results. */
export function enumerate(makeMachine: () => Explorable, options: BruteOptions): BruteResult {
  let machine = makeMachine()
  for (let passes = 1; ; passes++) {
    if (passes > 1) machine = remake(machine, makeMachine)
    const found: [Outcome, readonly number[]][] = []
    const result = enumerateOnce(machine, options, found)
    if (machine.sharing.grown && passes < PASSES_MAX) continue
    if (options.visit) for (const [outcome, schedule] of found) replay(machine, outcome, schedule, options.visit)
    return machine.sharing.grown ? { ...result, exhausted: false } : result
  }
}

function enumerateOnce(machine: Explorable, options: BruteOptions, found: [Outcome, readonly number[]][]): BruteResult {
  const executionsMax = options.executionsMax ?? Infinity
  const counts: Record<Outcome, number> = { ended: 0, violated: 0, cut: 0, deep: 0 }
  const ends = new Set<string>()
  const states = new Set<string>()
  const schedule: number[] = []
  const choices = new Int32Array(CHOICES_MAX)
  let executions = 0
  let exhausted = true

  const end = (outcome: Outcome) => {
    executions++
    counts[outcome]++
    if (outcome === 'ended') ends.add(hashOf(machine))
    if (outcome === 'deep') exhausted = false
    if (options.visit) found.push([outcome, schedule.slice()])
  }
  const visit = () => {
    states.add(hashOf(machine))
    const count = machine.enabled(choices)
    if (count === 0) return end('ended')
    if (schedule.length >= options.depthMax) return end('deep')
    for (const choice of choices.slice(0, count)) {
      if (executions >= executionsMax) {
        exhausted = false
        return
      }
      schedule.push(choice)
      const outcome = machine.take(choice)
      if (outcome === 0) visit()
      else end(outcome === 1 ? 'violated' : 'cut')
      machine.undo()
      schedule.pop()
    }
  }
  if (machine.violation !== null) end('violated')
  else visit()
  return { executions, counts, ends, states, exhausted }
}

function replay(
  machine: Explorable,
  outcome: Outcome,
  schedule: readonly number[],
  visit: NonNullable<BruteOptions['visit']>,
): void {
  for (const choice of schedule) machine.take(choice)
  visit(outcome, schedule, machine)
  for (let k = 0; k < schedule.length; k++) machine.undo()
}

function hashOf(machine: Explorable): string {
  return `${machine.store.h0}:${machine.store.h1}`
}
