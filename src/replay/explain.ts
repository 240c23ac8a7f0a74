/**
 * Why an execution fails: its differences from the default run (elements.ts), and the one among them that
 * decides: with that one taken away, and all others kept, the run passes.
 */
import { makeModel } from '../smp/model.ts'
import { wrap, formatColumns } from './columns.ts'
import { describeElement, type Element } from './elements.ts'
import { Runner } from './minimize.ts'
import { makeMachine } from './record.ts'
import { formatRound, formatSchedule } from './schedule.ts'
import { formatSharing } from './sharingText.ts'
import { describeCycle, linesOf, type TimelineLine } from './timeline.ts'
import type { Trace } from './trace.ts'

export interface Explanation {
  readonly title: string
  readonly vcpus: number
  readonly violation: { readonly kind: string; readonly message: string } | null
  readonly elements: readonly { readonly element: Element; readonly text: string; readonly step: number }[]
  readonly lines: readonly TimelineLine[]
  /** The element that decides, how the passing run goes on from there, and whether that run ended. Null: no single one does. */
  readonly deciding: { readonly text: string; readonly step: number; readonly passing: readonly TimelineLine[]; readonly ended: boolean; readonly steps: number } | null
  /** First and last step, from 1, of what repeats for ever; null: nothing does. */
  readonly cycle: { readonly from: number; readonly to: number } | null
  /** Runs of the trace again: `xmcheck check FILES --schedule`. */
  readonly schedule: string
}

export function explain(trace: Trace): Explanation {
  const model = makeModel(trace.knobs)
  const make = () => makeMachine(trace.image, model, trace.sharing)
  const schedule = [...trace.schedule]
  const cycle = trace.cycleFrom === null ? null : { from: trace.cycleFrom, victim: trace.violation!.vcpu }
  const runner = new Runner(make, cycle)
  // Of a run that goes round the way into the cycle is what can be explained.
  const elements = runner.elementsOf(schedule.slice(0, cycle?.from))
  const whole = runner.run(elements, schedule.length)
  const texts = elements.map((element, k) => ({ element, text: describeElement(element), step: whole.steps[k] }))
  const lines = linesOf(make(), schedule)
  let deciding: Explanation['deciding'] = null
  // The latest one first: nearest to the failure, and so the easiest to follow.
  const order = [...texts].sort((a, b) => b.step - a.step)
  for (const { element, text, step } of trace.violation === null ? [] : order) {
    const run = runner.run(elements.filter((one) => one !== element), schedule.length * 2 + 200)
    if (run.kind !== null) continue
    const passing = linesOf(make(), run.schedule).filter((line) => line.step > step)
    deciding = { text, step, passing, ended: run.ended, steps: run.schedule.length }
    break
  }
  const { violation } = trace
  return {
    title: trace.image.title, vcpus: trace.image.vcpus.length, violation: violation && { kind: violation.kind, message: violation.message },
    elements: texts, lines, deciding,
    cycle: cycle && { from: cycle.from + 1, to: schedule.length },
    schedule: [...formatSharing(trace.image, trace.sharing), cycle === null ? formatSchedule(schedule) : formatRound(schedule, cycle)].join(' '),
  }
}

/** Lines of the passing run that are shown. */
const PASSING_LINES = 24

/** Plain text, no line longer than `width`; ends in the schedule. */
export function formatExplanation(explanation: Explanation, width: number): string {
  const { violation, elements, deciding, vcpus } = explanation
  const out: string[] = wrap(explanation.title, width)
  if (violation === null) out.push('no violation: the run passes')
  else out.push(...wrap(`${violation.kind}: ${violation.message}`, width))
  out.push('', ...wrap('The default run drains every store at once (from then on it is in memory), lets the vCPU that ran last go on, and fetches code as memory holds it. This run differs:', width))
  if (elements.length === 0) out.push('  in nothing')
  elements.forEach(({ text, step }) => wrap(`step ${step + 1}: ${text}`, width - 4).forEach((line, k) => out.push((k === 0 ? '  - ' : '    ') + line)))
  out.push('', ...formatColumns(explanation.lines, vcpus, width))
  if (explanation.cycle !== null) out.push('', ...wrap(`  ${describeCycle(explanation.cycle)}`, width))
  if (violation !== null) out.push('', `  ==> ${violation.kind}`)
  out.push('')
  if (deciding === null) {
    if (violation !== null) out.push(...wrap(elements.length === 0 ? 'The default run itself fails: no choice decides.' : 'No single difference decides: with any one of them taken away the run still fails.', width))
  } else {
    out.push(...wrap(`Deciding: step ${deciding.step + 1}, ${deciding.text}. Without it, and with all else as above, the run passes${deciding.ended ? '' : ` (no violation within ${deciding.steps} steps; it goes on)`}:`, width), '')
    const shown = deciding.passing.slice(0, PASSING_LINES)
    out.push(...formatColumns(shown, vcpus, width))
    if (deciding.passing.length > shown.length) out.push(`       ... ${deciding.passing.length - shown.length} more`)
    out.push('')
  }
  out.push(...wrap(`Schedule: ${explanation.schedule}`, width))
  return out.join('\n')
}
