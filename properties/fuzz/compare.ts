/** One program, by every engine and by brute force. */
import { enumerate } from '../../src/explore/brute.ts'
import { countClasses } from '../../src/explore/classes.ts'
import type { DporOptions, Fault } from '../../src/explore/dpor/options.ts'
import { DporSearch } from '../../src/explore/dpor/search.ts'
import { finish } from '../../src/explore/explorable.ts'
import { GraphSearch } from '../../src/explore/graph/search.ts'
import { judgeLasso } from '../../src/explore/liveness/lasso.ts'
import { LiveSearch } from '../../src/explore/liveness/search.ts'
import { assembleImage } from '../../src/index.ts'
import type { MachineImage } from '../../src/smp/image.ts'
import type { Machine } from '../../src/smp/machine.ts'
import { parseRung } from '../../src/smp/model.ts'
import { classOf } from '../../test/explore/classOf.ts'
import { endOf, machinesOf } from './machines.ts'
import { behaviourOf } from './reference.ts'
import { isExact, textOf, type Program } from './program.ts'

const COHERENT = parseRung('coherent')!
const STATES_MAX = 6000
/** Executions that brute force enumerates one by one; more: classes are counted together with states. */
const EXECUTIONS_MAX = 100
const CLASS_STATES_MAX = 12_000
const EVENTS_MAX = 200_000
/** Kinds of programs that can hang: their liveness is judged, too. */
const LIVE: ReadonlySet<string> = new Set(['spins', 'turns', 'interrupts', 'sleeps', 'judged'])

export interface Outcome {
  /** What differs; empty: nothing. */
  readonly problems: readonly string[]
  /** Why nothing, or not all, was compared. */
  readonly skipped: string | null
  readonly classes: number
  /** Executions of dpor beyond one a class. */
  readonly surplus: number
}

/** Ways to break an engine on purpose. */
export type EngineFault = Fault | 'graph-skips-drain'
/** The kinds of programs that show each; none: all do. */
export const FAULTS: Readonly<Record<Exclude<EngineFault, 'no-fetch-order'>, readonly string[]>> = {
  'no-drain-race': [], 'no-sleep-wakeup': [], 'lost-race': [], 'no-wait-reversal': ['turns'], 'no-open-ways': ['code', 'sharedCode', 'interrupts'],
  'no-flags': ['turns'], 'no-walk-drains': ['paging'], 'graph-skips-drain': [],
}

export function compare(program: Program, fault: EngineFault | null = null): Outcome {
  const { kind } = program
  const image = assembleImage(textOf(program, 'loops'), { title: 'generated' })
  const end = endOf(image, program)
  const make = machinesOf(image, program)
  const behaviour = behaviourOf(make, end, STATES_MAX)
  const none = { problems: [], classes: 0, surplus: 0 }
  if (behaviour === null) return { ...none, skipped: 'too many states' }
  const problems: string[] = []
  const wrong = behaviour.violations.size > 0
  graph(() => make(), end, behaviour, fault, problems)
  const forgetful = machinesOf(image, program)
  graph(() => forgetful(true), end, behaviour, fault, problems)
  if (fault === null && LIVE.has(kind)) liveness(machinesOf(image, program), wrong || behaviour.stuck, problems)

  const { verdict, counts, ends: dporEnds } = byDpor(make, end, fault === null || fault === 'graph-skips-drain' ? {} : { fault })
  if (verdict.verdict === 'unknown') return { ...none, problems, skipped: `dpor: ${verdict.reasons[0]}` }
  const stuck = behaviour.stuck && !wrong
  if ((verdict.verdict === 'violated') !== (wrong || stuck))
    problems.push(`dpor: ${verdict.verdict} ${verdict.violation?.kind ?? ''}; there are ${[...behaviour.violations].join() || 'no violations'}${behaviour.stuck ? ', and it can get stuck' : ''}`)
  if (verdict.violation !== null) {
    if (!behaviour.violations.has(verdict.violation.kind) && !(behaviour.stuck && verdict.violation.kind === 'deadlock')) problems.push(`dpor: violation ${verdict.violation.kind} is none`)
    return { ...none, problems, skipped: null }
  }
  sameEnds('dpor', dporEnds, behaviour.ends, problems)
  if (kind === 'interrupts') withOneInterrupt(make, end, problems)
  if (program.model.fetch.kind !== 'coherent') withoutStale(program, image, make, end, dporEnds, problems)
  const classes = classesOf(program, image)
  if (classes === null) return { ...none, problems, skipped: 'too many classes' }
  if (isExact(program) ? counts.complete !== classes : counts.complete < classes) problems.push(`dpor: ${counts.complete} executions of ${classes} classes`)
  return { problems, skipped: null, classes, surplus: counts.complete - classes + counts.redundant }
}

function byDpor(make: () => Machine, end: (machine: Machine) => string, options: DporOptions) {
  const ends = new Set<string>()
  let machine: Machine | null = null
  const search = new DporSearch(
    () => {
      ends.clear()
      return (machine = make())
    },
    { events: EVENTS_MAX, onEnd: (how) => void (how === 'complete' && ends.add(end(machine!))), ...options },
  )
  while (search.advance());
  return { verdict: search.verdict(), counts: search.counts(), ends }
}

function withOneInterrupt(make: () => Machine, end: (machine: Machine) => string, problems: string[]): void {
  const expected = behaviourOf(make, end, STATES_MAX, 1)
  const { verdict, ends } = byDpor(make, end, { interrupts: 1 })
  if (expected === null || verdict.verdict === 'unknown') return
  if ((verdict.verdict === 'violated') !== expected.violations.size > 0) problems.push(`dpor with one interrupt: ${verdict.verdict}; there are ${[...expected.violations].join() || 'no violations'}`)
  else if (verdict.verdict === 'holds') sameEnds('dpor with one interrupt', ends, expected.ends, problems)
}

/** Whoever has no stale fetch to spend still sees everything that a machine without them does, and nothing that one with them does not. */
function withoutStale(program: Program, image: MachineImage, make: () => Machine, end: (machine: Machine) => string, ends: ReadonlySet<string>, problems: string[]): void {
  const none = byDpor(make, end, { stale: 0 })
  const coherent = byDpor(machinesOf(image, { ...program, model: { ...program.model, fetch: COHERENT } }), end, {})
  if (coherent.verdict.verdict !== 'holds' || none.verdict.verdict === 'unknown') return
  sameEnds('dpor with as many stale fetches as there are', byDpor(make, end, { stale: EVENTS_MAX }).ends, ends, problems)
  const missing = [...coherent.ends].filter((one) => !none.ends.has(one)).length
  const added = [...none.ends].filter((one) => !ends.has(one)).length
  if (missing + added > 0) problems.push(`dpor without stale fetches: of ${coherent.ends.size} final states that need none ${missing} are missing, ${added} are none of those with them`)
}

/** Null: too many. */
function classesOf(program: Program, loops: MachineImage): number | null {
  const text = textOf(program, 'awaits')
  const image = text === textOf(program, 'loops') ? loops : assembleImage(text, { title: 'generated' })
  const make = machinesOf(image, program)
  const schedules: (readonly number[])[] = []
  const brute = enumerate(make, { depthMax: 100, executionsMax: EXECUTIONS_MAX, visit: (how, schedule) => void (how === 'ended' && schedules.push(schedule.slice())) })
  if (brute.exhausted) {
    const machine = make()
    return new Set(schedules.map((schedule) => classOf(machine, schedule))).size
  }
  const counted = countClasses(make, { states: CLASS_STATES_MAX }, () => {}, () => {})
  return counted.exhausted ? counted.classes : null
}

function sameEnds(engine: string, found: ReadonlySet<string>, expected: ReadonlySet<string>, problems: string[]): void {
  const missing = [...expected].filter((one) => !found.has(one)).length
  const added = [...found].filter((one) => !expected.has(one)).length
  if (missing + added > 0) problems.push(`${engine}: of ${expected.size} final states ${missing} are missing, ${added} are none`)
}

/** Whether it hangs, by the search and judgement that `check` makes, and by carrying out what it found. */
function liveness(make: (forgets?: boolean) => Machine, expected: boolean, problems: string[]): void {
  const makeForgetful = () => make(true)
  const { verdict, violation, schedule, cycleFrom } = finish(new LiveSearch(makeForgetful, () => make(), {}, 'auto', { makeUncounted: makeForgetful }))
  if ((verdict === 'violated') !== expected) problems.push(`liveness: ${verdict} ${violation?.kind ?? ''}; it ${expected ? 'hangs or is wrong' : 'is right and ends'}`)
  if (cycleFrom !== undefined && judgeLasso(make(), { schedule: schedule!, from: cycleFrom }, violation!.vcpu)?.kind !== violation!.kind) problems.push('liveness: the cycle cannot be carried out')
}

function graph(make: () => Machine, end: (machine: Machine) => string, behaviour: NonNullable<ReturnType<typeof behaviourOf>>, fault: EngineFault | null, problems: string[]): void {
  const ends = new Set<string>()
  const verdict = finish(
    new GraphSearch(() => {
      ends.clear()
      const machine = make()
      const enabled = machine.enabled.bind(machine)
      machine.enabled = (out) => {
        const count = enabled(out)
        if (count === 0 && machine.violation === null) ends.add(end(machine))
        if (fault !== 'graph-skips-drain' || count < 3) return count
        // Loses what could come while a store of vCPU 1 is in memory already.
        return out.subarray(0, count).findLastIndex((choice) => choice !== 0x101) + 1
      }
      return machine
    }, {}),
  )
  const wrong = behaviour.violations.size > 0
  if ((verdict.verdict === 'violated') !== wrong && !(behaviour.stuck && verdict.verdict === 'violated')) problems.push(`graph: ${verdict.verdict}; there are ${[...behaviour.violations].join() || 'no violations'}`)
  if (verdict.violation !== null) {
    if (!behaviour.violations.has(verdict.violation.kind) && !behaviour.stuck) problems.push(`graph: violation ${verdict.violation.kind} is none`)
  } else sameEnds('graph', ends, behaviour.ends, problems)
}
