/** One image judged under one model by one engine; a `holds` is never vacuous. */
import { Machine, type Coverage } from '../smp/machine.ts'
import type { MachineImage } from '../smp/image.ts'
import { PageMap } from '../smp/memory.ts'
import type { KnobValue, Model } from '../smp/model.ts'
import { Sharing } from '../smp/sharing.ts'
import type { Limits, Progress } from './explorable.ts'
import { DporSearch } from './dpor/search.ts'
import { GraphSearch } from './graph.ts'
import { monitorsFor } from './monitors/index.ts'
import { RandomSearch } from './random.ts'
import type { Verdict } from './verdict.ts'

export const ENGINES = ['graph', 'dpor', 'random'] as const
export type Engine = (typeof ENGINES)[number]

/** States that are kept without `--states`: some 2 GB of table. */
export const STATES_MAX = 20_000_000

export interface CheckOptions {
  readonly engine?: Engine
  readonly limits?: Limits
  /** Of the random walks, or of the order in which the graph engine takes choices (absent: as listed). */
  readonly seed?: number
  /** Random engine: executions, and events an execution at the most. */
  readonly executions?: number
  readonly stepsMax?: number
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

export function startCheck(image: MachineImage, model: Model, options: CheckOptions = {}): Check {
  const pages = new PageMap(image.regions)
  const sharing = new Sharing(pages.sizeBytes / 4, image.vcpus.length)
  const coverage: Coverage = { points: new Map(), sites: new Map(), cut: 0 }
  const makeMachine = () => new Machine(image, model, { monitors: monitorsFor(image), sharing, pages, coverage })
  const limits = { states: STATES_MAX, ...(options.seed === undefined ? {} : { seed: options.seed }), ...options.limits }
  const search =
    options.engine === 'random'
      ? new RandomSearch(makeMachine, {
          seed: options.seed ?? 1,
          executions: options.executions ?? 1000,
          stepsMax: options.stepsMax ?? 2000,
          ...(limits.seconds === undefined ? {} : { seconds: limits.seconds }),
          ...(limits.preemptions === undefined ? {} : { preemptions: limits.preemptions }),
        })
      : options.engine === 'dpor'
        ? new DporSearch(makeMachine, limits)
        : new GraphSearch(makeMachine, limits)
  const result = (): CheckResult => ({
    ...withoutVacuity(search.verdict(), image, coverage),
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
  })
  return { advance: () => search.advance(), stop: () => search.stop(), progress: () => search.progress(), result }
}

export function checkImage(image: MachineImage, model: Model, options: CheckOptions = {}): CheckResult {
  const check = startCheck(image, model, options)
  while (check.advance()) options.onProgress?.(check.progress())
  return check.result()
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
