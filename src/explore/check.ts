/** One image judged under one model by one engine; a `holds` is never vacuous. */
import { Machine, type Coverage } from '../smp/machine.ts'
import type { MachineImage } from '../smp/image.ts'
import { PageMap } from '../smp/memory.ts'
import type { KnobValue, Model } from '../smp/model.ts'
import { Sharing } from '../smp/sharing.ts'
import type { Limits } from './explorable.ts'
import { explore, type Progress } from './graph.ts'
import { monitorsFor } from './monitors/index.ts'
import { sample } from './random.ts'
import type { Verdict } from './verdict.ts'

export interface CheckOptions {
  readonly engine?: 'graph' | 'random'
  readonly limits?: Limits
  readonly seed?: number
  /** Random engine: executions, and events an execution at the most. */
  readonly executions?: number
  readonly stepsMax?: number
  readonly onProgress?: (progress: Progress) => void
}

export interface CheckResult extends Verdict {
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

export function checkImage(image: MachineImage, model: Model, options: CheckOptions = {}): CheckResult {
  const pages = new PageMap(image.regions)
  const sharing = new Sharing(pages.sizeBytes / 4, image.vcpus.length)
  const coverage: Coverage = { points: new Map(), sites: new Map(), cut: 0 }
  const makeMachine = () => new Machine(image, model, { monitors: monitorsFor(image), sharing, pages, coverage })
  const verdict =
    options.engine === 'random'
      ? sample(makeMachine, { seed: options.seed ?? 1, executions: options.executions ?? 1000, stepsMax: options.stepsMax ?? 2000 })
      : explore(makeMachine, options.limits ?? {}, options.onProgress)
  return {
    ...withoutVacuity(verdict, image, coverage),
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

/** Anything declared but never reached makes a `holds` an `unknown`. */
function withoutVacuity(verdict: Verdict, image: MachineImage, coverage: Coverage): Verdict {
  if (verdict.verdict !== 'holds') return verdict
  const reasons: string[] = []
  for (const point of image.points)
    if (!coverage.points.has(point.id >>> 0)) reasons.push(`vacuous: ${point.file}:${point.line}: ${point.kind} \`${point.text}\` was never reached`)
  for (const site of image.sites) {
    const reached = [...coverage.sites.keys()].filter((key) => key.startsWith(`${site.name}>`) && !key.endsWith('>int3')).length
    if (reached < site.targets.length) reasons.push(`vacuous: site ${site.name} was executed with ${reached} of its ${site.targets.length} targets`)
  }
  return reasons.length === 0 ? verdict : { ...verdict, verdict: 'unknown', reasons: [...verdict.reasons, ...reasons] }
}
