/**
 * Minimisation: takes away differences from the default run (elements.ts) as long as the same kind of violation
 * remains. The result is 1-minimal: with any single one of its elements taken away, that kind of violation is gone.
 */
import { goesRound } from '../explore/liveness/lasso.ts'
import type { Machine } from '../smp/machine.ts'
import { makeModel } from '../smp/model.ts'
import { carryOut, elementsOf, type Carried, type Element } from './elements.ts'
import { makeMachine, recordTrace, runSchedule, type Cycle } from './record.ts'
import type { Trace } from './trace.ts'

export interface Minimized {
  readonly schedule: readonly number[]
  readonly elements: readonly Element[]
  /** Elements of the schedule that came in. */
  readonly before: number
  readonly runs: number
  /** False: the budget of runs was spent before every element had been tried. */
  readonly minimal: boolean
}

/** Runs that one minimisation may make. */
const RUNS_MAX = 20_000

/** What a shortened run may need more than the original, before it counts as not failing. */
const stepsMaxOf = (schedule: readonly number[]) => schedule.length * 2 + 200

/**
 * @param makeMachine a machine at the start of the execution; machines that learn of shared memory are not used again
 * @param kind the kind of violation that must remain
 * @param victim `schedule` is the way into a cycle that gets this vCPU nowhere
 */
export function minimize(
  makeMachine: () => Machine, schedule: readonly number[], kind: string, runsMax: number = RUNS_MAX, victim: number | null = null,
): Minimized {
  const runner = new Runner(makeMachine, victim === null ? null : { from: schedule.length, victim })
  let elements: readonly Element[] = runner.elementsOf(schedule)
  const before = elements.length
  const stepsMax = stepsMaxOf(schedule)
  let best: readonly number[] = schedule
  /** Tries without the elements `from`..`from + count`; keeps what is simpler. */
  const tryWithout = (from: number, count: number): boolean => {
    const fewer = elements.filter((_, k) => k < from || k >= from + count)
    const run = runner.run(fewer, stepsMax)
    if (run.kind !== kind) return false
    // The elements that took effect, as they stand in the new schedule.
    const standing = runner.elementsOf(run.schedule)
    if (standing.length >= elements.length) return false
    elements = standing
    best = run.schedule
    return true
  }
  // The run as it is first: a schedule that goes on after nothing depends on it any more loses its tail here.
  if (before > 0) tryWithout(0, before)
  for (let size = Math.max(1, elements.length >> 1); ; size = Math.max(1, size >> 1)) {
    let removed = false
    for (let from = elements.length - size; from > -size && runner.runs < runsMax; from -= size)
      if (elements.length > 0) removed = tryWithout(Math.max(0, from), size) || removed
    if (runner.runs >= runsMax) return { schedule: best, elements, before, runs: runner.runs, minimal: false }
    // The last round tried every element singly and took none away.
    if (size === 1 && !removed) return { schedule: best, elements, before, runs: runner.runs, minimal: true }
  }
}

/** Minimises a trace of a violation. Of a run that goes round for ever, the way into the cycle is minimised. */
export function minimizeTrace(trace: Trace): Minimized & { readonly trace: Trace } {
  const model = makeModel(trace.knobs)
  const make = () => makeMachine(trace.image, model, trace.sharing)
  const { kind, vcpu } = trace.violation!
  if (trace.cycleFrom === null) {
    const result = minimize(make, [...trace.schedule], kind)
    return { ...result, trace: runSchedule(trace.image, model, trace.sharing, result.schedule).trace }
  }
  const prefix = [...trace.schedule.subarray(0, trace.cycleFrom)]
  const result = minimize(make, prefix, kind, RUNS_MAX, vcpu)
  const round = goesRound(make, result.schedule, vcpu)
  // In turns it may get out again: then the recorded cycle is the only one that is known.
  if (round?.violation.kind !== kind || result.schedule === prefix) return { ...result, trace }
  return { ...result, trace: recordTrace(trace.image, model, make().sharing, round.lasso.schedule, { from: round.lasso.from, victim: vcpu }) }
}

export interface Run extends Carried {
  /** Kind of the violation; null: there was none. */
  readonly kind: string | null
}

/** Runs element lists on one machine, which it brings back to the start each time. */
export class Runner {
  runs = 0
  readonly #makeMachine: () => Machine
  readonly #cycle: Cycle | null
  #machine: Machine

  /** @param cycle the violation is that the run goes round for ever after so many events, and gets a vCPU nowhere */
  constructor(makeMachine: () => Machine, cycle: Cycle | null = null) {
    this.#makeMachine = makeMachine
    this.#cycle = cycle
    this.#machine = makeMachine()
  }

  elementsOf(schedule: readonly number[]): Element[] {
    const elements = elementsOf(this.#machine, schedule)
    this.#renew()
    return elements
  }

  run(elements: readonly Element[], stepsMax: number): Run {
    if (this.#cycle !== null && stepsMax >= this.#cycle.from) {
      const into = this.#run(elements, this.#cycle.from)
      const round = into.kind !== null || into.ended ? null : goesRound(this.#makeMachine, into.schedule, this.#cycle.victim)
      if (round !== null) return { ...into, kind: round.violation.kind }
    }
    return this.#run(elements, stepsMax)
  }

  #run(elements: readonly Element[], stepsMax: number): Run {
    this.runs++
    const carried = carryOut(this.#machine, elements, stepsMax)
    const kind = this.#machine.violation?.kind ?? null
    for (let k = 0; k < carried.schedule.length; k++) this.#machine.undo()
    this.#renew()
    return { ...carried, kind }
  }

  /** What this run learnt of shared memory would make steps of the next end elsewhere. */
  #renew(): void {
    if (this.#machine.sharing.grown) this.#machine = this.#makeMachine()
  }
}
