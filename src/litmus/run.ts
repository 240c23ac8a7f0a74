/** One litmus test on the machine: all classes of executions, their final states, and what herd would say of them. */
import { countClasses, type ClassCount } from '../explore/classes.ts'
import { DporSearch } from '../explore/dpor/search.ts'
import type { FinalState, FinalStates, FinalView } from '../guest/litmus/finalState.ts'
import { litmusImage } from '../guest/litmus/image.ts'
import { REGISTER_INDEX } from '../guest/litmus/link.ts'
import { LitmusError } from '../guest/litmus/litmusError.ts'
import { parseLitmus, type LitmusTest } from '../guest/litmus/parse.ts'
import { Machine } from '../smp/machine.ts'
import { PageMap } from '../smp/memory.ts'
import type { Model } from '../smp/model.ts'
import { Sharing } from '../smp/sharing.ts'

export interface LitmusState {
  /** All places to their values. */
  readonly all: FinalState
  /** Executions (classes) that end in it. */
  readonly executions: number
  readonly satisfies: boolean
}

export interface LitmusResult {
  readonly test: LitmusTest
  readonly finals: FinalStates
  /** What herd shows of a state. */
  readonly observables: readonly string[]
  readonly states: readonly LitmusState[]
  /** The condition as quantified is met; null: what was found does not decide it, and there may be more. */
  readonly ok: boolean | null
  readonly observation: 'Always' | 'Sometimes' | 'Never' | 'Unknown'
  readonly positive: number
  readonly negative: number
  readonly executions: number
  readonly events: number
  readonly seconds: number
  /** Spin loops were cut: the number of executions includes some failed turns. */
  readonly spins: boolean
  /** Why the states may not be all; empty: they are. */
  readonly reasons: readonly string[]
}

export interface LitmusLimits {
  readonly states?: number
  readonly seconds?: number
  /** Pairs of state and class after which `auto` goes over to dpor. */
  readonly autoStates?: number
}

/** Pairs of state and class that one test may have. */
const STATES_MAX = 2_000_000
/** Different final states that are kept. */
const FINAL_STATES_MAX = 100_000

/** `classes` searches states and classes together; `dpor` makes one execution a class. They must agree. */
export const LITMUS_ENGINES = ['classes', 'dpor'] as const
/** `auto`: classes, which has every feature of the model, then dpor where its table grows large. */
export type LitmusEngine = (typeof LITMUS_ENGINES)[number] | 'auto'
/** Pairs of state and class from which on dpor is faster. */
const AUTO_STATES = 10_000

type Count = (makeMachine: () => Machine, limits: LitmusLimits, onEnd: (machine: Machine) => void, onRestart: () => void) => ClassCount

const automatic: Count = (makeMachine, limits, onEnd, onRestart) => {
  const started = performance.now()
  const left = () => (limits.seconds === undefined ? limits : { ...limits, seconds: limits.seconds - (performance.now() - started) / 1000 })
  let machine: Machine | null = null
  const states = limits.autoStates ?? AUTO_STATES
  const small = countClasses(() => (machine = makeMachine()), { ...limits, states: Math.min(states, limits.states ?? Infinity) }, onEnd, onRestart)
  if (small.exhausted || small.states < states) return small
  if (machine!.unreducible !== null) return countClasses(makeMachine, left(), onEnd, onRestart)
  const reduced = byDpor(makeMachine, left(), onEnd, onRestart)
  // A loop that may turn for ever is a deadlock to dpor, and no final state to the other.
  return reduced.violation === null ? reduced : countClasses(makeMachine, left(), onEnd, onRestart)
}

/** As `countClasses`, by the dpor engine. */
const byDpor: Count = (makeMachine, limits, onEnd, onRestart) => {
  let machine: Machine | null = null
  const search = new DporSearch(
    () => {
      onRestart()
      return (machine = makeMachine())
    },
    { ...(limits.seconds === undefined ? {} : { seconds: limits.seconds }), onEnd: (how) => how === 'complete' && onEnd(machine!) },
  )
  while (search.advance());
  const { verdict, strength, events, reasons, violation } = search.verdict()
  const { complete, discarded } = search.counts()
  const exhausted = verdict !== 'unknown' && strength === 'complete'
  return { classes: complete, states: 0, events, violation, spins: discarded > 0, exhausted, weaknesses: reasons }
}

const COUNTS: Readonly<Record<LitmusEngine, Count>> = { auto: automatic, classes: countClasses, dpor: byDpor }

/** @throws LitmusError where the test cannot be read or run */
export function runLitmus(source: string, model: Model, limits: LitmusLimits = {}, engine: LitmusEngine = 'auto'): LitmusResult {
  const started = performance.now()
  const loaded = litmusImage(parseLitmus(source))
  const { image, test, finals } = loaded
  const pages = new PageMap(image.regions)
  const sharing = new Sharing(pages.sizeBytes / 4, image.vcpus.length)
  // What the text shows need not be found out by a pass that is thrown away.
  for (const { address, sizeBytes, threads } of loaded.shared) {
    const first = pages.find(address) >> 2
    for (const thread of threads) sharing.noteWrite(first, first + ((sizeBytes - 1) >> 2), 1 << thread)
  }
  sharing.grown = false
  const found = new Map<string, { all: FinalState; executions: number }>()
  const makeMachine = () => new Machine(image, model, { sharing, pages, looksAtRegisters: true })
  const onEnd = (machine: Machine) => {
    const all = finals.read(viewOf(machine))
    if (test.filter !== null && !finals.satisfies(test.filter, all)) return
    const key = stateText(all)
    const known = found.get(key)
    if (known === undefined && found.size === FINAL_STATES_MAX) throw new LitmusError(0, `more than ${FINAL_STATES_MAX} final states`)
    if (known === undefined) found.set(key, { all, executions: 1 })
    else known.executions++
  }
  const count = COUNTS[engine](makeMachine, { states: STATES_MAX, ...limits }, onEnd, () => found.clear())
  if (count.violation !== null) throw new LitmusError(0, `the test does not run through: ${count.violation.kind}: ${count.violation.message}`)
  const states = [...found.keys()].sort().map((key) => ({ ...found.get(key)!, satisfies: finals.satisfies(test.condition, found.get(key)!.all) }))
  const positive = sum(states.filter((state) => state.satisfies))
  const negative = sum(states.filter((state) => !state.satisfies))
  const reasons = [...count.weaknesses, ...(count.exhausted ? [] : ['the search was stopped by a limit: there may be more states'])]
  const complete = reasons.length === 0
  const observation = positive > 0 && negative > 0 ? 'Sometimes' : !complete ? 'Unknown' : positive === 0 ? 'Never' : 'Always'
  // One state is enough for `exists`, and against `~exists` and `forall`; all are needed for the opposite.
  const met = test.quantifier === 'forall' ? negative === 0 : positive > 0 === (test.quantifier === 'exists')
  const ok = complete || met === (test.quantifier === 'exists') ? met : null
  return {
    test, finals, observables: loaded.observables, states, ok, observation, positive, negative, executions: count.classes, events: count.events, spins: count.spins,
    seconds: (performance.now() - started) / 1000, reasons,
  }
}

const sum = (states: readonly { executions: number }[]) => states.reduce((total, state) => total + state.executions, 0)

function viewOf(machine: Machine): FinalView {
  return {
    register: (vcpu, name) => machine.cpus[vcpu].r[REGISTER_INDEX[name]],
    memory: (address, sizeBytes) => machine.memory.load(machine.memory.index(address), sizeBytes),
  }
}

/** `0:rax=1 x=2`, sorted by place. */
export function stateText(state: FinalState): string {
  return [...state].map(([place, value]) => `${place}=${value}`).join(' ')
}
