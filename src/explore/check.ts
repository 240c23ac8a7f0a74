/** One image judged under one model by one engine; a `holds` is never vacuous. */
import { Machine, type Coverage } from '../smp/machine.ts'
import type { MachineImage } from '../smp/image.ts'
import { PageMap } from '../smp/memory.ts'
import type { KnobValue, Model } from '../smp/model.ts'
import { Sharing } from '../smp/sharing.ts'
import { AutoSearch, type Contender } from './auto.ts'
import type { Limits, Progress, Search } from './explorable.ts'
import { DporSearch } from './dpor/search.ts'
import { GraphSearch } from './graph.ts'
import type { Liveness } from './liveness/judge.ts'
import { goesRound, judgeLasso, whoWaits } from './liveness/lasso.ts'
import { LiveSearch } from './liveness/search.ts'
import { monitorsFor } from './monitors/index.ts'
import { SAMPLERS, SamplingSearch } from './sampling/search.ts'
import type { Verdict } from './verdict.ts'

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
}

/** What one engine learns and counts. */
class Court {
  readonly sharing: Sharing
  readonly coverage: Coverage = { points: new Map(), sites: new Map(), cut: 0 }
  readonly makeMachine: () => Machine
  /** A machine whose executions are not counted. */
  readonly makeAside: () => Machine

  constructor(image: MachineImage, model: Model, pages: PageMap) {
    this.sharing = new Sharing(pages.sizeBytes / 4, image.vcpus.length)
    const { sharing, coverage } = this
    this.makeMachine = () => new Machine(image, model, { monitors: monitorsFor(image), sharing, pages, coverage })
    this.makeAside = () => new Machine(image, model, { monitors: monitorsFor(image), sharing, pages })
  }
}

export function startCheck(image: MachineImage, model: Model, options: CheckOptions = {}): Check {
  const pages = new PageMap(image.regions)
  const liveness = options.liveness ?? 'auto'
  const limits = { states: STATES_MAX, ...(options.seed === undefined ? {} : { seed: options.seed }), ...options.limits }
  const engine = options.engine ?? 'graph'
  const { seconds: _, ...untimed } = limits
  const isLimited = Object.keys(options.limits ?? {}).length > 0
  // Engines that run in turns learn apart: each must see what grows.
  const courts = new Map<string, Court>()
  const start = (name: Exclude<Engine, 'auto'>, within: Limits): Search => {
    const court = new Court(image, model, pages)
    courts.set(name, court)
    if (name === 'dpor') return new DporSearch(court.makeMachine, within)
    if (name === 'graph') return liveness === 'off' ? new GraphSearch(court.makeMachine, within) : new LiveSearch(court.makeMachine, court.makeAside, within, liveness, { byCost: isLimited })
    return new SamplingSearch(court.makeMachine, {
      sampler: name,
      seed: options.seed ?? 1,
      executions: options.executions ?? EXECUTIONS,
      stepsMax: options.stepsMax ?? STEPS_MAX,
      makeAside: court.makeAside,
      ...(within.seconds === undefined ? {} : { seconds: within.seconds }),
      ...(within.preemptions === undefined ? {} : { preemptions: within.preemptions }),
    })
  }
  const search = engine === 'auto' ? startAuto() : start(engine, limits)
  function startAuto(): AutoSearch {
    // Who asks for a bound, or for what goes on for ever, asks for the graph.
    const graphOnly = limits.preemptions !== undefined || options.limits?.states !== undefined || liveness === 'progress' || liveness === 'termination'
    const { autoEvents } = options
    const within = autoEvents === undefined ? untimed : { ...untimed, sliceEvents: autoEvents }
    const contender = (name: Exclude<Engine, 'auto'>): Contender => ({ name, start: () => start(name, within) })
    return new AutoSearch({
      exhaustive: graphOnly ? [contender('graph')] : [contender('graph'), contender('dpor')],
      ...(autoEvents === undefined ? {} : { firstEvents: autoEvents }),
      sampling: graphOnly ? null : contender('portfolio'),
      ...(limits.seconds === undefined ? {} : { seconds: limits.seconds }),
    })
  }
  const result = (): CheckResult => {
    const verdict = search.verdict()
    const { sharing, coverage, makeAside } = courts.get(search instanceof AutoSearch ? search.engine : engine)!
    return {
      ...withoutVacuity(withCycle(withLiveness(verdict), makeAside), image, coverage),
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
  return { advance: () => search.advance(), stop: () => search.stop(), progress: () => search.progress(), result }
}

export function checkImage(image: MachineImage, model: Model, options: CheckOptions = {}): CheckResult {
  const check = startCheck(image, model, options)
  while (check.advance()) options.onProgress?.(check.progress())
  return check.result()
}

/** What engines that do not judge liveness say about it by the way. */
function withLiveness(verdict: Verdict): Verdict {
  if (verdict.verdict === 'violated' || verdict.liveness !== undefined) return verdict
  const whole = verdict.engine === 'dpor' && verdict.verdict === 'holds'
  return {
    ...verdict,
    liveness: whole
      ? { covered: 'termination', text: 'every fair execution ends: no deadlock, lost wake-up, livelock or starvation' }
      : { covered: 'none', text: verdict.strength === 'sampled' ? 'not judged: samples say nothing of runs that go on for ever' : 'not judged' },
  }
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

/** Anything declared but never reached makes a `holds` an `unknown`. */
function withoutVacuity(verdict: Verdict, image: MachineImage, coverage: Coverage): Verdict & { vacuous: boolean } {
  if (verdict.verdict !== 'holds') return { ...verdict, vacuous: false }
  const reasons: string[] = []
  for (const point of image.points)
    if (point.kind !== 'fail' && !coverage.points.has(point.id >>> 0)) reasons.push(`vacuous: ${point.file}:${point.line}: ${point.kind} \`${point.text}\` was never reached`)
  for (const site of image.sites) {
    const prefix = `${site.name}>${site.forms === undefined ? '' : 'form '}`
    const others = (key: string) => key.endsWith('>int3') || (site.forms === undefined && key.startsWith(`${prefix}form `))
    const reached = [...coverage.sites.keys()].filter((key) => key.startsWith(prefix) && !others(key)).length
    const declared = site.forms?.length ?? site.targets.length
    const what = site.forms === undefined ? 'targets' : 'forms'
    if (reached < declared) reasons.push(`vacuous: site ${site.name} was executed with ${reached} of its ${declared} ${what}`)
  }
  return reasons.length === 0 ? { ...verdict, vacuous: false } : { ...verdict, verdict: 'unknown', reasons: [...verdict.reasons, ...reasons], vacuous: true }
}
