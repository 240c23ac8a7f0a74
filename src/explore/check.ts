/** One image judged under one model by one engine; a `holds` is never vacuous. */
import type { Coverage } from '../smp/board.ts'
import type { Machine } from '../smp/machine.ts'
import type { CheckPointKind, MachineImage } from '../smp/image.ts'
import type { KnobValue, Model } from '../smp/model.ts'
import type { Sharing } from '../smp/sharing.ts'
import { sourceOf, symbolAt, symbolize } from '../smp/symbols.ts'
import { AutoSearch, type Contender } from './auto.ts'
import { CheckpointError, keyOf, type Checkpoint } from './checkpoint.ts'
import type { GraphCheckpoint } from './graph/checkpoint.ts'
import type { Limits, Progress, Search } from './explorable.ts'
import { DporSearch } from './dpor/search.ts'
import { GraphSearch } from './graph/search.ts'
import type { Liveness, LivenessReport } from './liveness/judge.ts'
import { goesRound, judgeLasso, whoWaits } from './liveness/lasso.ts'
import { LiveSearch } from './liveness/search.ts'
import type { Port } from './parallel/protocol.ts'
import { TaskSearch, type SavedTasks, type Shard } from './parallel/taskSearch.ts'
import { plainSchedule } from './plainSchedule.ts'
import { SAMPLERS, SamplingSearch } from './sampling/search.ts'
import type { Verdict } from './verdict.ts'
import { Workshop } from './workshop.ts'

export const ENGINES = ['auto', 'graph', 'dpor', ...SAMPLERS] as const
export type Engine = (typeof ENGINES)[number]

/** States that are kept without `--states`: some 2 GB of table. */
export const STATES_MAX = 20_000_000
/** Sampled executions, and events of one, where nothing else is said. */
export const EXECUTIONS = 1000
export const STEPS_MAX = 2000

export interface CheckOptions {
  readonly engine?: Engine
  readonly limits?: Limits
  /** What is asked of runs that go on for ever (engine graph); default: auto. */
  readonly liveness?: Liveness
  /** Of the samples, or of the order in which the graph engine takes choices (absent: as listed). */
  readonly seed?: number
  /** Sampling engines: executions, and events an execution at the most. */
  readonly executions?: number
  readonly stepsMax?: number
  /** Engine auto: events of the first turn of each engine. */
  readonly autoEvents?: number
  readonly onProgress?: (progress: Progress) => void
  /** Engine dpor: the search as tasks, so that it can be kept, divided and shared out. */
  readonly tasks?: TaskSettings
  /** Engine graph: a search to go on with. */
  readonly saved?: GraphCheckpoint
}

export interface TaskSettings {
  /** Workers that are ready; none: the tasks are done here. */
  readonly ports?: readonly Port[]
  readonly shard?: Shard
  readonly saved?: SavedTasks
  readonly taskEvents?: number
}

export interface CheckResult extends Verdict {
  /** Nothing was violated, but something that was declared was never reached. */
  readonly vacuous: boolean
  /** Every effective knob. */
  readonly models: Readonly<Record<string, KnobValue>>
  readonly coverage: {
    readonly points: readonly { kind: string; text: string; file: string; line: number; evaluations: number }[]
    readonly sites: readonly { site: string; target: string; executions: number }[]
    readonly cut: number
  }
  /** What was learnt about sharing: a trace of the schedule needs it. */
  readonly sharing: Sharing
}

/** The state of one check at work: drive it with `advance`, or to its end with `checkImage`. */
export interface Check {
  advance(): boolean
  stop(): void
  progress(): Progress
  result(): CheckResult
  /** As Search.waiting. */
  waiting(): Promise<void> | null
  /** To go on from here another time; null: this search cannot. */
  checkpoint(): Checkpoint | null
  /** The same of a graph search. */
  graphCheckpoint(): GraphCheckpoint | null
}

/** Time of an event of dpor, which reverses races, to one of graph: 1.5 to 2.5 in most of `bench explore`, 4.6 in catalogue C17. */
const DPOR_EVENT_COST = 3

/** @throws CheckpointError where `saved` does not fit */
export function startCheck(image: MachineImage, model: Model, options: CheckOptions = {}): Check {
  const liveness = options.liveness ?? 'auto'
  const limits = { states: STATES_MAX, ...(options.seed === undefined ? {} : { seed: options.seed }), ...options.limits }
  const engine = options.engine ?? 'graph'
  const { seconds: _, ...untimed } = limits
  // A bound on memory is there by default, and ends a search of either order.
  const isLimited = Object.keys(options.limits ?? {}).some((limit) => !['memory', 'sliceEvents', 'returnsSoon'].includes(limit))
  // Engines that run in turns learn apart: each must see what grows.
  const workshops = new Map<string, Workshop>()
  let tasks: TaskSearch | null = null
  let graph: GraphSearch | LiveSearch | null = null
  const start = (name: Exclude<Engine, 'auto'>, within: Limits): Search => {
    const workshop = new Workshop(image, model, name === 'graph')
    const { make, makeUncounted, makeAside } = workshop
    workshops.set(name, workshop)
    if (name === 'dpor' && options.tasks !== undefined) return (tasks = new TaskSearch(workshop, { ...options.tasks, limits: within }))
    if (name === 'dpor') return new DporSearch(make, liveness === 'off' ? within : { ...within, makeAside })
    if (name === 'graph') {
      const saved = options.saved === undefined ? undefined : takeUp(options.saved, workshop)
      const search = () =>
        liveness === 'off'
          ? new GraphSearch(make, within, 0, true, saved?.pass ?? null)
          : new LiveSearch(make, makeAside, within, liveness, { byCost: isLimited, makeUncounted, learnt: () => workshop.sharing.learnt(), ...(saved === undefined ? {} : { saved }) })
      return (graph = saved === undefined ? search() : fitting(search))
    }
    return new SamplingSearch(make, {
      sampler: name,
      seed: options.seed ?? 1,
      executions: options.executions ?? EXECUTIONS,
      stepsMax: options.stepsMax ?? STEPS_MAX,
      makeAside,
      ...(within.seconds === undefined ? {} : { seconds: within.seconds }),
      ...(within.memory === undefined ? {} : { memory: within.memory }),
      ...(within.preemptions === undefined ? {} : { preemptions: within.preemptions }),
    })
  }
  const search: Search = engine === 'auto' ? startAuto() : start(engine, limits)
  function startAuto(): AutoSearch {
    // Who asks for a bound, or for what goes on for ever, asks for the graph.
    const graphOnly = limits.preemptions !== undefined || options.limits?.states !== undefined || liveness === 'progress' || liveness === 'termination'
    const { autoEvents } = options
    const within = autoEvents === undefined ? untimed : { ...untimed, sliceEvents: autoEvents }
    const contender = (name: Exclude<Engine, 'auto'>, eventCost = 1): Contender => ({ name, eventCost, start: (seconds) => start(name, seconds === undefined ? within : { ...within, seconds }) })
    return new AutoSearch({
      exhaustive: graphOnly ? [contender('graph')] : [contender('graph'), contender('dpor', DPOR_EVENT_COST)],
      ...(autoEvents === undefined ? {} : { firstEvents: autoEvents }),
      sampling: graphOnly ? null : contender('portfolio'),
      ...(limits.seconds === undefined ? {} : { seconds: limits.seconds }),
    })
  }
  const shard = options.tasks?.shard ?? null
  const result = (): CheckResult => {
    const { learnt, ...verdict } = search.verdict()
    const own = workshops.get(search instanceof AutoSearch ? search.engine : engine)!
    const { longSteps } = own.coverage
    const workshop = learnt === undefined ? own : own.knowing(learnt)
    const { sharing, makeAside } = workshop
    const coverage: Coverage = tasks === null ? own.coverage : { ...tasks.reached, cut: tasks.reached.cutByAssumption, longSteps }
    const judged = inPlainSteps(withCycle(withLiveness(whereItRunsOn(verdict, image, longSteps, model)), makeAside), workshop)
    return {
      ...(shard === null ? withoutVacuity(judged, declaredBy(image), coverage) : asPart(judged, shard)),
      models: model.knobs,
      coverage: {
        points: image.points.map((point) => ({
          kind: point.kind,
          text: point.text,
          file: point.file,
          line: point.line,
          evaluations: coverage.points.get(point.id >>> 0) ?? 0,
        })),
        sites: [...coverage.sites].map(([key, executions]) => {
          const [site, target] = key.split('>')
          return { site, target, executions }
        }),
        cut: coverage.cut,
      },
      sharing,
    }
  }
  const checkpoint = () =>
    tasks && { key: keyOf(image, model), title: image.title, knobs: model.knobs, shard, declared: declaredBy(image), state: tasks.save() }
  const graphCheckpoint = (): GraphCheckpoint | null => {
    if (graph === null) return null
    const { sharing, coverage } = workshops.get('graph')!
    const saved = graph instanceof LiveSearch ? graph.save() : { pass: graph.save(), second: true, first: null, events: 0, seconds: graph.seconds }
    return {
      key: keyOf(image, model), title: image.title, knobs: model.knobs, learnt: sharing.learnt(), search: saved,
      points: [...coverage.points], sites: [...coverage.sites], cut: coverage.cut,
    }
  }
  const guarded = <T>(act: () => T): T => (options.saved === undefined ? act() : fitting(act))
  return {
    graphCheckpoint,
    advance: () => guarded(() => search.advance()),
    stop: () => search.stop(),
    progress: () => search.progress(),
    result: () => guarded(result),
    checkpoint,
    waiting: () => search.waiting?.() ?? null,
  }
}

/** Teaches what was known, and counted, when the search was kept. */
function takeUp(kept: GraphCheckpoint, { sharing, coverage }: Workshop): GraphCheckpoint['search'] {
  fitting(() => sharing.learn(kept.learnt))
  sharing.grown = false
  for (const [point, times] of kept.points) coverage.points.set(point, times)
  for (const [site, times] of kept.sites) coverage.sites.set(site, times)
  coverage.cut = kept.cut
  return kept.search
}

/** What is kept may say anything: where the program does not go along, that is no error of ours. @throws CheckpointError */
function fitting<T>(make: () => T): T {
  try {
    return make()
  } catch {
    throw new CheckpointError('the kept search does not fit this program, or what is asked of it')
  }
}

export function checkImage(image: MachineImage, model: Model, options: CheckOptions = {}): CheckResult {
  const check = startCheck(image, model, options)
  while (check.advance()) options.onProgress?.(check.progress())
  return check.result()
}

/** What engines that do not judge liveness say about it by the way. */
function withLiveness(verdict: Verdict): Verdict {
  if (verdict.verdict === 'violated') return verdict
  if (verdict.liveness !== undefined) return { ...verdict, liveness: bounded(verdict.liveness, verdict.strength) }
  const whole = verdict.engine === 'dpor' && verdict.verdict === 'holds'
  return {
    ...verdict,
    liveness: whole
      ? bounded({ covered: 'termination', text: 'every fair execution ends: no deadlock, lost wake-up, livelock or starvation' }, verdict.strength)
      : { covered: 'none', text: verdict.strength === 'sampled' ? 'not judged: samples say nothing of runs that go on for ever' : 'not judged' },
  }
}

/** Places named where vCPUs run on without an event. */
const LONG_PLACES = 3

/** A search that was left before its end may have been busy with loops that nobody else has a part in. */
function whereItRunsOn(verdict: Verdict, image: MachineImage, longSteps: Coverage['longSteps'], { localSteps }: Model): Verdict {
  if (longSteps.size === 0 || verdict.verdict === 'violated' || verdict.strength === 'complete') return verdict
  const byPlace = new Map<string, number>()
  for (const [place, times] of longSteps) {
    const [vcpu, eip] = [Math.floor(place / 2 ** 32), place % 2 ** 32]
    const name = `vCPU ${vcpu} in ${symbolAt(image, eip)?.symbol.name ?? symbolize(image, eip)}${inBrackets(sourceOf(image, eip))}`
    byPlace.set(name, (byPlace.get(name) ?? 0) + times)
  }
  const places = [...byPlace].sort(([, a], [, b]) => b - a).slice(0, LONG_PLACES)
  const named = places.map(([name, times]) => `${name}, ${times} time${times === 1 ? '' : 's'}`).join('; ')
  return { ...verdict, reasons: [...verdict.reasons, `more than ${localSteps} instructions (knob localSteps) without an event that others could see: ${named}`] }
}
const inBrackets = (text: string) => (text === '' ? '' : ` (${text})`)

/** Says no more of liveness than the verdict does of the rest. */
function bounded(liveness: LivenessReport, strength: Verdict['strength']): LivenessReport {
  if (liveness.covered === 'none' || strength === 'complete') return liveness
  return { ...liveness, text: `${liveness.text} (within the bounds of the verdict)` }
}

/** A violation that the machine does not see, because no state of it is wrong: it goes round for ever. */
function withCycle(verdict: Verdict, makeMachine: () => Machine): Verdict {
  if (verdict.violation === null || verdict.schedule === null || verdict.cycleFrom !== undefined) return verdict
  const first = goesRound(makeMachine, verdict.schedule, verdict.violation.vcpu)
  if (first === null) return verdict
  const waiting = whoWaits(makeMachine(), first.lasso)
  if (waiting.length === 0) {
    const { others: _, ...rest } = verdict
    const reasons = ['there are loops without a way out, which dpor does not handle; use --engine graph']
    return { ...rest, verdict: 'unknown', strength: 'bounded', violation: null, schedule: null, reasons }
  }
  const violation = waiting.includes(first.violation.vcpu) ? first.violation : judgeLasso(makeMachine(), first.lasso, waiting[0])
  return { ...verdict, schedule: first.lasso.schedule, cycleFrom: first.lasso.from, violation }
}

/** What was found, without turns of loops that are taken at once: as a trace has it. */
function inPlainSteps(verdict: Verdict, { sharing, makeAside, makePlain }: Workshop): Verdict {
  const { schedule, cycleFrom, violation } = verdict
  if (schedule === null || sharing.spins.size === 0) return verdict
  const plain = plainSchedule(makeAside(), cycleFrom === undefined ? { schedule } : { schedule, cycleFrom })
  const round = plain.cycleFrom === undefined ? null : judgeLasso(makePlain(), { schedule: plain.schedule, from: plain.cycleFrom }, violation!.vcpu)
  return { ...verdict, ...plain, violation: round ?? violation }
}

/** One part of a search proves nothing alone. */
function asPart(verdict: Verdict, { index, of }: Shard): Verdict & { vacuous: boolean } {
  if (verdict.verdict !== 'holds') return { ...verdict, vacuous: false }
  const reason = `part ${index} of ${of} is explored, without a violation; xmcheck merge puts the parts together`
  const liveness = { covered: 'none', text: 'not judged: this is a part' } as const
  return { ...verdict, verdict: 'unknown', strength: 'bounded', reasons: [reason, ...verdict.reasons], liveness, vacuous: false }
}

/** What has to be reached. */
export type Declared = Checkpoint['declared']

export function declaredBy({ points, sites }: MachineImage): Declared {
  return { points, sites: sites.map(({ name, targets, forms }) => ({ name, targets: targets.length, forms: forms?.length ?? null })) }
}

/** What has to happen to a claim, so that it was judged. */
const REACHED: Partial<Readonly<Record<CheckPointKind, string>>> = { belief: 'loaded', own: 'accessed', mode: 'entered', forbids: 'executed', dirty: 'made dirty by a walk' }

/** Anything declared but never reached makes a `holds` an `unknown`. */
export function withoutVacuity(verdict: Verdict, declared: Declared, coverage: Pick<Coverage, 'points' | 'sites'>): Verdict & { vacuous: boolean } {
  if (verdict.verdict !== 'holds') return { ...verdict, vacuous: false }
  const reasons = unreached(declared, coverage)
  return reasons.length === 0 ? { ...verdict, vacuous: false } : { ...verdict, verdict: 'unknown', reasons: [...verdict.reasons, ...reasons], vacuous: true }
}

/** What is declared and was not reached, in words. */
export function unreached(declared: Declared, coverage: Pick<Coverage, 'points' | 'sites'>): string[] {
  const reasons: string[] = []
  for (const point of declared.points)
    if (point.kind !== 'fail' && !coverage.points.has(point.id >>> 0)) reasons.push(`vacuous: ${point.file}:${point.line}: ${point.kind} \`${point.text}\` was never ${REACHED[point.kind] ?? 'reached'}`)
  for (const site of declared.sites) {
    const prefix = `${site.name}>${site.forms === null ? '' : 'form '}`
    const others = (key: string) => key.endsWith('>int3') || (site.forms === null && key.startsWith(`${prefix}form `))
    const reached = [...coverage.sites.keys()].filter((key) => key.startsWith(prefix) && !others(key)).length
    const wanted = site.forms ?? site.targets
    const what = site.forms === null ? 'targets' : 'forms'
    if (reached < wanted) reasons.push(`vacuous: site ${site.name} was executed with ${reached} of its ${wanted} ${what}`)
  }
  return reasons
}
