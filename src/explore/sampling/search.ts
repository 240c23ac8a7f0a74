/**
 * Sampled executions: finds, never proves. The strategies take turns. Long executions that have not ended are looked at once more: who can
 * go on, and gets nowhere?
 */
import { choiceKind, choiceVcpu, DESCHEDULE, isEvent } from '../../smp/choice.ts'
import type { Violation } from '../../smp/monitor.ts'
import { costOf, unpackCost } from '../cost.ts'
import { CHOICES_MAX, finish, remake, workOf, type Explorable, type MemoryLimit, type Progress, type Search } from '../explorable.ts'
import { generator } from '../generator.ts'
import type { Live } from '../liveness/fairness.ts'
import { goesRound, judgeLasso, type Lasso, whoWaits } from '../liveness/lasso.ts'
import { isLive, throughOf } from '../liveness/stateGraph.ts'
import { Pace } from '../pace.ts'
import type { Verdict } from '../verdict.ts'
import { isTouching, WalkOrders } from './walkOrders.ts'
import { Pct, type Guarantee } from './pct.ts'
import { pos } from './pos.ts'
import type { Draw, Strategy } from './strategy.ts'
import { walk } from './walk.ts'

/** `portfolio`: the three in turns. */
export const SAMPLERS = ['random', 'pct', 'pos', 'portfolio'] as const
export type Sampler = (typeof SAMPLERS)[number]

export interface SampleOptions {
  readonly sampler?: Sampler
  /** 32-bit seed; the same seed samples the same executions. */
  readonly seed: number
  readonly executions: number
  /** Events of one execution at the most. */
  readonly stepsMax: number
  readonly seconds?: number
  readonly memory?: MemoryLimit
  /** Preemptions of one execution at the most. */
  readonly preemptions?: number
  /** A machine at the start whose executions are not counted; absent: runs that do not end are not judged. */
  readonly makeAside?: () => Live
}

export function sample(makeMachine: () => Explorable, options: SampleOptions): Verdict {
  return finish(new SamplingSearch(makeMachine, options))
}

/** Depths of bugs that PCT looks for, in turns. */
const PCT_DEPTHS = [1, 2, 3]
/** Random walks that come first where PCT needs to know how long executions are. */
const MEASURING = 10
/** Runs that do not end and are judged. */
const ROUNDS_MAX = 20

export class SamplingSearch implements Search {
  readonly #makeMachine: () => Explorable
  readonly #options: SampleOptions
  readonly #sampler: Sampler
  readonly #started = performance.now()
  readonly #pace: Pace
  readonly #choices = new Int32Array(CHOICES_MAX)
  readonly #seen = new Set<number>()
  readonly #orders = new WalkOrders()
  #strategies: readonly Strategy[] = []
  #measuring: Strategy | null = null
  #machine: Explorable
  #events = 0
  #executions = 0
  /** Events of the longest execution that ended; executions that did not. */
  #longest = 0
  #open = 0
  /** The execution at hand: whom it follows, who ran last, preemptions that it may still have; null: the next one has not begun. */
  #strategy: Strategy | null = null
  #schedule: number[] = []
  #current = -1
  #left = Infinity
  /** vCPUs lost their pCPUs, or could have. */
  #deschedules = false
  #stopped: string | null = null
  #outOfMemory: string | null = null
  #round: { lasso: Lasso; violation: Violation } | null = null

  constructor(makeMachine: () => Explorable, options: SampleOptions) {
    this.#makeMachine = makeMachine
    this.#options = options
    this.#sampler = options.sampler ?? 'random'
    this.#pace = new Pace({ ...(options.seconds === undefined ? {} : { seconds: options.seconds }), returnsSoon: true }, this.#started)
    this.#machine = makeMachine()
    this.#begin()
  }

  #begin(): void {
    const random = generator(this.#options.seed)
    const draw: Draw = (below) => random() % below
    const pcts = PCT_DEPTHS.map((depth) => new Pct(depth, draw, () => this.#longest || this.#options.stepsMax))
    const measures = this.#sampler === 'pct' || this.#sampler === 'portfolio'
    this.#strategies = { random: [walk(draw)], pos: [pos(draw)], pct: pcts, portfolio: [walk(draw), pos(draw), ...pcts] }[this.#sampler]
    this.#measuring = measures ? walk(draw) : null
    this.#executions = 0
    this.#longest = 0
    this.#open = 0
  }

  advance(): boolean {
    const { executions } = this.#options
    this.#pace.resume(this.#work)
    this.#checkMemory()
    while (this.#executions < executions && this.#stopped === null) {
      const outcome = this.#walk()
      if (outcome === 'paused') {
        if (this.#stopped === null) return true
        break
      }
      const { violation, sharing } = this.#machine
      if (sharing.grown) {
        // Steps end elsewhere now: walk again with what was learnt.
        this.#machine = remake(this.#machine, this.#makeMachine)
        this.#begin()
      } else {
        this.#executions++
        if (violation !== null || (outcome === 'open' && !this.#pace.timeIsOver && this.#goesRound())) return false
        for (let k = 0; k < this.#schedule.length; k++) this.#machine.undo()
      }
      this.#look()
      if (this.#pace.pauses(this.#work)) return this.#stopped === null
    }
    return false
  }

  get #work(): number {
    return workOf(this.#events, this.#machine)
  }

  #look(): void {
    if (!this.#pace.looks(this.#work)) return
    this.#checkMemory()
    if (this.#pace.timeIsOver) this.#stopped = 'the time was over'
  }

  #checkMemory(): void {
    const { memory } = this.#options
    if (memory?.isOver() === true) this.#outOfMemory = this.#stopped = memory.reason
  }

  #beginWalk(): Strategy {
    const n = this.#executions
    const strategy = n < MEASURING && this.#measuring !== null ? this.#measuring : this.#strategies[n % this.#strategies.length]
    this.#schedule = []
    this.#current = -1
    this.#left = this.#options.preemptions ?? Infinity
    this.#orders.begin()
    strategy.begin()
    return strategy
  }

  /** One execution, or the rest of one that was left for a while. @returns how it ended: at its end, or `open`, after as many events as it may have */
  #walk(): 'ended' | 'open' | 'paused' {
    const machine = this.#machine
    const strategy = (this.#strategy ??= this.#beginWalk())
    let ended = false
    while (this.#schedule.length < this.#options.stepsMax && machine.violation === null) {
      this.#look()
      if (this.#stopped !== null || this.#pace.pauses(this.#work)) return 'paused'
      const count = this.#affordable(machine.enabled(this.#choices), this.#current, this.#left)
      if (count === 0) {
        ended = true
        break
      }
      if (choiceKind(this.#choices[count - 1]) === DESCHEDULE) this.#deschedules = true
      const choice = this.#choices[strategy.pick(machine, this.#choices, count)]
      this.#left -= unpackCost(costOf(machine, choice, this.#current)).preemptions
      if (isEvent(choice)) this.#current = choiceVcpu(choice)
      const outcome = machine.take(choice)
      if (isTouching(machine)) this.#orders.note(choice, machine.footprint)
      this.#schedule.push(choice)
      this.#events++
      this.#seen.add(machine.store.h0 * 2 ** 20 + (machine.store.h1 & 0xfffff))
      if (outcome === 0) strategy.taken(machine, choice)
    }
    if (ended) this.#longest = Math.max(this.#longest, this.#schedule.length)
    else if (machine.violation === null) this.#open++
    strategy.end(this.#schedule.length, ended)
    this.#strategy = null
    return ended ? 'ended' : 'open'
  }

  /** Keeps of the first `count` choices those that need no more preemptions than are `left`. */
  #affordable(count: number, current: number, left: number): number {
    if (left > 0) return count
    let kept = 0
    for (let k = 0; k < count; k++)
      if (unpackCost(costOf(this.#machine, this.#choices[k], current)).preemptions === 0) this.#choices[kept++] = this.#choices[k]
    return kept
  }

  /** Whether nobody gets on any more after the present execution, which has not ended. */
  #goesRound(): boolean {
    const machine = this.#machine
    const { makeAside } = this.#options
    if (makeAside === undefined || !isLive(machine) || this.#open > ROUNDS_MAX) return false
    const through = throughOf(machine)
    const victim = Array.from({ length: machine.vcpuCount }, (_, v) => v).find((v) => ((through >>> v) & 1) === 0)
    const round = victim === undefined ? null : goesRound(makeAside, this.#schedule, victim)
    if (round === null || (round.violation.kind !== 'deadlock' && round.violation.kind !== 'lost-wakeup')) return false
    const waiting = whoWaits(makeAside(), round.lasso)
    const violation = waiting.length === 0 ? null : judgeLasso(makeAside(), round.lasso, waiting[0])
    if (violation === null) return false
    this.#round = { lasso: round.lasso, violation }
    return true
  }

  stop(): void {
    this.#stopped ??= 'the sampling was interrupted'
  }

  progress(): Progress {
    const { pairs, both } = this.#orders.orders
    const executions = this.#executions
    return { states: this.#seen.size, events: this.#events, preemptions: 0, executions, done: executions / this.#options.executions, orders: { pairs, both } }
  }

  verdict(): Verdict {
    const { violation, weaknesses } = this.#machine
    // A bound of preemptions takes priorities their effect; so does a hypervisor that does not know them.
    const guarantees = this.#options.preemptions === undefined && !this.#deschedules ? this.#strategies.filter((one) => one instanceof Pct).map((one) => one.guarantee()).filter((one) => one.executions > 0) : []
    const common = {
      strength: 'sampled', bounds: {}, states: this.#seen.size, executions: this.#executions, events: this.#events,
      seconds: (performance.now() - this.#started) / 1000, engine: this.#sampler, cost: null,
      orders: { pairs: this.#orders.orders.pairs, both: this.#orders.orders.both },
      ...(guarantees.length === 0 ? {} : { guarantees }),
    } as const
    if (violation !== null) return { ...common, verdict: 'violated', reasons: [], violation, schedule: this.#schedule }
    if (this.#round !== null) {
      const { lasso, violation: round } = this.#round
      return { ...common, verdict: 'violated', reasons: [], violation: round, schedule: lasso.schedule, cycleFrom: lasso.from }
    }
    const reasons = [...weaknesses, ...(this.#stopped === null ? [] : [this.#stopped]), ...guarantees.map(describe)]
    if (this.#open > 0) reasons.push(`${this.#open} execution${this.#open === 1 ? ' was' : 's were'} left after ${this.#options.stepsMax} events, before ${this.#open === 1 ? 'it' : 'they'} ended`)
    // Nothing walked, nothing said.
    const verdict = this.#executions === 0 || this.#outOfMemory !== null ? 'unknown' : 'holds'
    return { ...common, verdict, reasons, violation: null, schedule: null }
  }
}

function describe({ depth, executions, actors, steps, missed }: Guarantee): string {
  return `pct, ${executions} executions: a bug of depth ${depth}, in executions of at most ${steps} events by ${actors} actors and without choices of the environment, was missed with probability ${missed.toPrecision(2)} at most`
}
