/** Judges the graph that a search without violation has left: is there a fair run that goes on for ever and gets nowhere? */
import { choiceKind, choiceVcpu, DRAIN } from '../../smp/choice.ts'
import type { Violation } from '../../smp/monitor.ts'
import type { Cost } from '../cost.ts'
import type { Explorable } from '../explorable.ts'
import { explore, type GraphSearch } from '../graph/search.ts'
import { doomOf } from './doom.ts'
import { FairCycles, tour } from './fairCycles.ts'
import type { Live } from './fairness.ts'
import { closeFairly, judgeLasso, type Lasso, whoWaits } from './lasso.ts'
import { bitsOf, EDGE_FINITE, EDGE_PROGRESS, type StateGraph } from './stateGraph.ts'

/**
 * What is asked for. `auto`: `progress` where the program has progress marks; otherwise that whoever can end does, as long as
 * nobody goes on who never ends. Deadlocks and lost wake-ups are looked for by all but `off`.
 */
export const LIVENESS = ['auto', 'off', 'progress', 'termination'] as const
export type Liveness = (typeof LIVENESS)[number]

/** What a verdict says about liveness. */
export interface LivenessReport {
  /** `deadlock`: nobody waits for ever; `progress`, `termination`: and every fair execution makes progress, or ends. */
  readonly covered: 'none' | 'deadlock' | 'progress' | 'termination'
  /** One sentence: what was found, or why nothing was judged. */
  readonly text: string
}

export type LivenessOutcome =
  | { readonly violated: false; readonly report: LivenessReport }
  | { readonly violated: true; readonly lasso: Lasso; readonly violation: Violation; readonly cost: Cost | null }

export interface LivenessTask {
  readonly graph: StateGraph
  readonly search: Pick<GraphSearch, 'stateOf'>
  /** A machine at the start, whose states are those of the graph. */
  readonly makeMachine: () => Live
  /** One that forgets nothing (smp/machine.ts), as that will which shows what was found. */
  readonly makeAside: () => Live
  readonly liveness: Exclude<Liveness, 'off'>
}

export function judgeLiveness({ graph, search, makeMachine, makeAside, liveness }: LivenessTask): LivenessOutcome {
  const { vcpus } = graph
  const all = vcpus === 32 ? -1 : (1 << vcpus) - 1
  const stateOf = (machine: Explorable) => search.stateOf(machine.store.h0, machine.store.h1)
  const isOwed = (label: number) => (label & EDGE_FINITE) === 0

  /** vCPUs that end in some state, or idle. */
  let restful = 0
  for (let state = 0; state < graph.states; state++) restful |= graph.ended[state]
  const marks = liveness !== 'termination' && graph.progressed !== 0
  const obliged = liveness === 'termination' ? all : graph.exited | graph.progressed
  // Who idles now and then may be meant to go round for ever, but not to keep others from getting anywhere.
  const servers = all & ~obliged & ~restful

  const { doomed, ending } = doomOf(graph, vcpus) ?? { doomed: null, ending: null }
  /** The least way to a state in which one of `mask` is doomed, and nobody of `unended` has ended or will; and round it. Null: there is none. */
  const doom = (mask: number, unended: number): { lasso: Lasso | null; victims: number; cost: Cost | null } | null => {
    const isGoal = (state: number) => (doomed![state] & mask) !== 0 && (ending![state] & unended) === 0
    if (doomed === null || !doomed.some((_, state) => isGoal(state))) return null
    const way = wayTo(makeMachine, isGoal, stateOf)
    const machine = makeMachine()
    for (const choice of way.schedule) machine.take(choice)
    return { lasso: closeFairly(makeAside(), way.schedule), victims: doomed[stateOf(machine)], cost: way.cost }
  }
  const certain = doom(obliged, 0)
  if (certain !== null) return found(makeAside, certain.lasso, lowest(certain.victims & obliged), certain.cost)
  // Who never ends in any execution may be meant to go round for ever, and to be idle once those have ended whom it served: unless
  // its code would go on to something else from there.
  for (const v of bitsOf(all & ~obliged))
    for (const unended of [0, all]) {
      const possible = doom(1 << v, unended)
      if (possible?.lasso && whoWaits(makeAside(), possible.lasso).includes(v)) return found(makeAside, possible.lasso, v, possible.cost)
    }
  const getsOn = (label: number, mask: number) => marks && (label & EDGE_PROGRESS) !== 0 && ((1 << choiceVcpu(label)) & mask) !== 0
  // Who is not obliged to get anywhere keeps nobody else from it: to see it run is to see the program go on.
  const byOther = (label: number) => choiceKind(label) !== DRAIN && ((1 << choiceVcpu(label)) & servers) !== 0

  const cycles = new FairCycles(graph, vcpus)
  const judge = (usable: (label: number) => boolean, owed: number): LivenessOutcome | null => {
    const members = cycles.find(usable, owed)
    if (members === null) return null
    const inside = new Uint8Array(graph.states)
    for (const state of members) inside[state] = 1
    const way = wayTo(makeMachine, (state) => inside[state] === 1, stateOf)
    const machine = makeMachine()
    for (const choice of way.schedule) machine.take(choice)
    const start = stateOf(machine)
    const schedule = [...way.schedule, ...tour(graph, members, start, vcpus, usable)]
    const stuck = ~graph.ended[start] & owed
    return found(makeAside, { schedule, from: way.schedule.length }, lowest(stuck & ~cycles.idle || stuck), way.cost)
  }
  const livelock = judge((label) => isOwed(label) && !getsOn(label, obliged) && !byOther(label), obliged)
  if (livelock !== null) return livelock
  const starvation = marks || liveness === 'progress' || servers === 0
  if (starvation && (marks || servers !== 0))
    for (let v = 0; v < vcpus; v++) {
      if (((obliged >>> v) & 1) === 0) continue
      const starved = judge((label) => isOwed(label) && !getsOn(label, 1 << v), 1 << v)
      if (starved !== null) return starved
    }
  return { violated: false, report: reportOf(marks, servers, starvation) }
}

function reportOf(marks: boolean, servers: number, starvation: boolean): LivenessReport {
  const who = bitsOf(servers).map((v) => `vCPU ${v}`).join(', ')
  const others = servers === 0 ? '' : `; never in any execution: ${who}, which is taken not to be meant to`
  if (!starvation)
    return {
      covered: 'deadlock',
      text: `nobody waits for ever, and no livelock without ${who}, which never ends; starvation was not judged: mark progress with XM_PROGRESS, or ask for --liveness progress`,
    }
  if (marks) return { covered: 'progress', text: `in every fair execution each vCPU ends, or passes XM_PROGRESS again and again${others}` }
  return { covered: 'termination', text: `every fair execution ends: no deadlock, lost wake-up, livelock or starvation${others}` }
}

/** The least schedule, as the search counts, to one of the states. */
function wayTo(makeMachine: () => Live, isGoal: (state: number) => boolean, stateOf: (machine: Explorable) => number): { schedule: readonly number[]; cost: Cost | null } {
  const { schedule, cost } = explore(() => new UntilGoal(makeMachine(), (machine) => isGoal(stateOf(machine))), {})
  if (schedule === null) throw new Error('a state of the graph was not reached again')
  return { schedule, cost }
}

function found(makeMachine: () => Live, lasso: Lasso | null, victim: number, cost: Cost | null): LivenessOutcome {
  let way = lasso
  let violation = way && judgeLasso(makeMachine(), way, victim)
  if (way !== null && violation === null) {
    // What the graph does not tell apart is as the cycle leaves it only once it has been gone round.
    way = { schedule: [...way.schedule, ...way.schedule.slice(way.from)], from: way.schedule.length }
    violation = judgeLasso(makeMachine(), way, victim)
  }
  if (way === null || violation === null) throw new Error('a lasso of the state graph is not fair when carried out')
  return { violated: true, lasso: way, violation, cost }
}

/** A machine in which reaching certain states is the violation. */
class UntilGoal implements Explorable {
  readonly #machine: Live
  readonly #isGoal: (machine: Live) => boolean
  violation: Violation | null = null

  constructor(machine: Live, isGoal: (machine: Live) => boolean) {
    this.#machine = machine
    this.#isGoal = isGoal
    this.#look()
  }

  get store(): Explorable['store'] {
    return this.#machine.store
  }
  get sharing(): Explorable['sharing'] {
    return this.#machine.sharing
  }
  get weaknesses(): Explorable['weaknesses'] {
    return this.#machine.weaknesses
  }
  enabled(out: Int32Array): number {
    return this.#machine.enabled(out)
  }
  take(choice: number): number {
    const outcome = this.#machine.take(choice)
    if (outcome !== 0) return outcome
    this.#look()
    return this.violation === null ? 0 : 1
  }
  undo(): void {
    this.violation = null
    this.#machine.undo()
  }
  canContinue(vcpu: number): boolean {
    return this.#machine.canContinue(vcpu)
  }
  bufferedStores(): number {
    return this.#machine.bufferedStores()
  }
  isEnvironmentChoice(choice: number): boolean {
    return this.#machine.isEnvironmentChoice(choice)
  }
  #look(): void {
    if (this.#isGoal(this.#machine)) this.violation = { kind: 'goal', message: 'the state was reached', vcpu: 0, eip: 0 }
  }
}

const lowest = (mask: number) => 31 - Math.clz32(mask & -mask)
