/** Seeded random walks: finds, never proves. */
import { choiceKind, choiceVcpu, DRAIN } from '../smp/choice.ts'
import { CHOICES_MAX, finish, remake, type Explorable, type Progress, type Search } from './explorable.ts'
import { costOf, unpackCost } from './cost.ts'
import { generator } from './generator.ts'
import type { Verdict } from './verdict.ts'

export interface SampleOptions {
  /** 32-bit seed; the same seed walks the same ways. */
  readonly seed: number
  readonly executions: number
  /** Events of one execution at the most. */
  readonly stepsMax: number
  readonly seconds?: number
  /** Preemptions of one execution at the most. */
  readonly preemptions?: number
}

export function sample(makeMachine: () => Explorable, options: SampleOptions): Verdict {
  return finish(new RandomSearch(makeMachine, options))
}

const SLICE_EVENTS = 65536

export class RandomSearch implements Search {
  readonly #makeMachine: () => Explorable
  readonly #options: SampleOptions
  readonly #started = performance.now()
  readonly #choices = new Int32Array(CHOICES_MAX)
  readonly #seen = new Set<number>()
  #machine: Explorable
  #random: () => number
  #events = 0
  #executions = 0
  #schedule: number[] = []
  #stopped: string | null = null

  constructor(makeMachine: () => Explorable, options: SampleOptions) {
    this.#makeMachine = makeMachine
    this.#options = options
    this.#machine = makeMachine()
    this.#random = generator(options.seed)
  }

  advance(): boolean {
    const seconds = this.#options.seconds ?? Infinity
    const until = this.#events + SLICE_EVENTS
    while (this.#executions < this.#options.executions && this.#stopped === null) {
      this.#walk()
      if (this.#machine.sharing.grown) {
        // Steps end elsewhere now: walk again with what was learnt.
        this.#machine = remake(this.#machine, this.#makeMachine)
        this.#random = generator(this.#options.seed)
        this.#executions = 0
      } else {
        this.#executions++
        if (this.#machine.violation !== null) return false
        for (let k = 0; k < this.#schedule.length; k++) this.#machine.undo()
      }
      if ((performance.now() - this.#started) / 1000 > seconds) this.#stopped = 'the time was over'
      if (this.#events > until) return true
    }
    return false
  }

  #walk(): void {
    const machine = this.#machine
    this.#schedule = []
    let current = -1
    let left = this.#options.preemptions ?? Infinity
    while (this.#schedule.length < this.#options.stepsMax && machine.violation === null) {
      const count = this.#affordable(machine.enabled(this.#choices), current, left)
      if (count === 0) break
      const choice = this.#choices[this.#random() % count]
      left -= unpackCost(costOf(machine, choice, current)).preemptions
      if (choiceKind(choice) !== DRAIN) current = choiceVcpu(choice)
      machine.take(choice)
      this.#schedule.push(choice)
      this.#events++
      this.#seen.add(machine.store.h0 * 2 ** 20 + (machine.store.h1 & 0xfffff))
    }
  }

  /** Keeps of the first `count` choices those that need no more preemptions than are `left`. */
  #affordable(count: number, current: number, left: number): number {
    if (left > 0) return count
    let kept = 0
    for (let k = 0; k < count; k++)
      if (unpackCost(costOf(this.#machine, this.#choices[k], current)).preemptions === 0) this.#choices[kept++] = this.#choices[k]
    return kept
  }

  stop(): void {
    this.#stopped ??= 'the sampling was interrupted'
  }

  progress(): Progress {
    return { states: this.#seen.size, events: this.#events, preemptions: 0 }
  }

  verdict(): Verdict {
    const { violation, weaknesses } = this.#machine
    const common = {
      strength: 'sampled', bounds: {}, states: this.#seen.size, executions: this.#executions, events: this.#events,
      seconds: (performance.now() - this.#started) / 1000, engine: 'random', cost: null,
    } as const
    if (violation !== null) return { ...common, verdict: 'violated', reasons: [], violation, schedule: this.#schedule }
    const reasons = [...weaknesses, ...(this.#stopped === null ? [] : [this.#stopped])]
    // Nothing walked, nothing said.
    const verdict = this.#executions === 0 ? 'unknown' : 'holds'
    return { ...common, verdict, reasons, violation: null, schedule: null }
  }
}
