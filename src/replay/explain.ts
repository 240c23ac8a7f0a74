/**
 * Why an execution fails: its differences from the default run (elements.ts), and the one among them that
 * decides: with that one taken away, and all others kept, the run passes.
 */
import { EIP } from '../cpu/registers.ts'
import type { MachineImage } from '../smp/image.ts'
import { makeModel } from '../smp/model.ts'
import { formatColumns, shortened, wrap } from './columns.ts'
import { accessesOf } from './accesses.ts'
import type { Element } from './elements.ts'
import { elementTexts } from './elementText.ts'
import { inShort } from './inShort.ts'
import { Runner } from './minimize.ts'
import { makeMachine } from './record.ts'
import { scheduleLine } from './sharingText.ts'
import { describeCycle, linesOf, type MakeObserved, type TimelineLine } from './timeline.ts'
import type { Trace } from './trace.ts'

export interface Explanation {
  readonly title: string
  /** Entry functions of the vCPUs. */
  readonly vcpus: readonly string[]
  readonly violation: { readonly kind: string; readonly message: string } | null
  /** What the deciding element amounts to (inShort.ts); null: no more than it says. */
  readonly short: string | null
  readonly elements: readonly { readonly element: Element; readonly text: string; readonly step: number }[]
  readonly lines: readonly TimelineLine[]
  /** Source lines that the events stand at. */
  readonly sources: readonly { readonly place: string; readonly text: string }[]
  /** The element that decides, how the passing run goes on from there, and whether that run ended. Null: no single one does. */
  readonly deciding: { readonly text: string; readonly step: number; readonly passing: readonly TimelineLine[]; readonly ended: boolean; readonly steps: number } | null
  /** First and last step, from 1, of what repeats for ever; null: nothing does. */
  readonly cycle: { readonly from: number; readonly to: number } | null
  /** Runs of the trace again: `xmcheck check FILES --schedule`. */
  readonly schedule: string
}

export function explain(trace: Trace): Explanation {
  const model = makeModel(trace.knobs)
  const make: MakeObserved = (observe) => makeMachine(trace.image, model, trace.sharing, observe)
  const schedule = [...trace.schedule]
  const cycle = trace.cycleFrom === null ? null : { from: trace.cycleFrom, victim: trace.violation!.vcpu }
  const runner = new Runner(make, cycle)
  // Of a run that goes round the way into the cycle is what can be explained.
  const elements = runner.elementsOf(schedule.slice(0, cycle?.from))
  const whole = runner.run(elements, schedule.length)
  const lines = joinLocked(linesOf(make, schedule, trace.violation))
  const accesses = accessesOf(make, schedule)
  const textOf = elementTexts(schedule, lines, accesses)
  const texts = elements.map((element, k) => ({ element, text: textOf(element), step: whole.steps[k] }))
  let short: string | null = null
  let deciding: Explanation['deciding'] = null
  // The latest one first: nearest to the failure, and so the easiest to follow.
  const order = [...texts].sort((a, b) => b.step - a.step)
  let decisive: ((typeof order)[number] & { readonly run: ReturnType<Runner['run']> }) | null = null
  for (const one of trace.violation === null ? [] : order) {
    const run = runner.run(elements.filter((other) => other !== one.element), schedule.length * 2 + 200)
    // A run that only waits from there on has not come to where it could fail.
    if (run.kind === null && (decisive === null || run.ended)) decisive = { ...one, run }
    if (decisive?.run.ended) break
  }
  if (decisive !== null) {
    const { element, text, step, run } = decisive
    const passing = joinLocked(linesOf(make, run.schedule)).filter((line) => line.step > step)
    // Where stores overtake, that is the story, whatever decides.
    for (const one of [{ element, step }, ...texts.filter(({ element: { kind } }) => kind === 'overtake')])
      short ??= inShort(accesses, lines, one.element, one.step)
    // That a translation is old is allowed by itself: what was still buffered belongs to the story.
    const held = element.kind === 'choose' && short !== null ? texts.find((one) => one.element.kind === 'hold') : undefined
    if (held !== undefined) short = [inShort(accesses, lines, held.element, held.step), short].filter((sentence) => sentence !== null).join(' ')
    deciding = { text, step, passing, ended: run.ended, steps: run.schedule.length }
  }
  const { violation } = trace
  return {
    title: trace.image.title, vcpus: trace.image.vcpus.map(({ registers }) => trace.image.symbols.find((one) => one.address >>> 0 === registers[EIP] >>> 0)?.name ?? ''), violation: violation && { kind: violation.kind, message: violation.message },
    short, elements: texts, lines, sources: sourcesOf(trace.image, lines), deciding,
    cycle: cycle && { from: cycle.from + 1, to: schedule.length },
    schedule: scheduleLine(trace.image, trace.sharing, schedule, cycle),
  }
}

/** LOCKed accesses as one line: `locked x: 0x0 -> 0x1`. */
function joinLocked(lines: readonly TimelineLine[]): TimelineLine[] {
  const out: TimelineLine[] = []
  for (const line of lines) {
    const last = out.at(-1)
    const load = last?.vcpu === line.vcpu && last.step === line.step ? /^locked load (.+) = (\w+)$/.exec(last.text) : null
    const store = load === null ? null : /^locked store (.+) = (\w+)$/.exec(line.text)
    if (load !== null && store !== null && load[1] === store[1]) out[out.length - 1] = { ...last!, text: `locked ${load[1]}: ${load[2]} -> ${store[2]}` }
    else out.push(line)
  }
  return out
}

/** The lines of source that the events name, those of one file together. */
function sourcesOf(image: MachineImage, lines: readonly TimelineLine[]): { place: string; text: string }[] {
  const found = new Map<string, string>()
  for (const { source } of lines) {
    const [file, line] = source.split(':')
    // A name that two files have says nothing.
    const paths = Object.keys(image.sources).filter((path) => path.split('/').pop() === file)
    const text = paths.length === 1 ? image.sources[paths[0]][Number(line) - 1]?.trim() : undefined
    if (text !== undefined && text !== '') found.set(source, text)
  }
  const key = (place: string) => place.replace(/\d+$/, (digits) => digits.padStart(8, '0'))
  return [...found].map(([place, text]) => ({ place, text })).sort((a, b) => (key(a.place) < key(b.place) ? -1 : 1))
}

/** Lines of source that are shown. */
const SOURCES = 30
/** Lines of the passing run that are shown. */
const PASSING_LINES = 24

/** Plain text, no line longer than `width`; ends in the schedule. */
export function formatExplanation(explanation: Explanation, width: number): string {
  const { violation, elements, deciding, vcpus, short, sources } = explanation
  const out: string[] = wrap(explanation.title, width)
  if (violation === null) out.push('no violation: the run passes')
  else out.push(...wrap(`${violation.kind}: ${violation.message}`, width))
  if (short !== null) out.push('', ...wrap(short, width))
  out.push('', ...formatColumns(explanation.lines, vcpus, width))
  if (explanation.cycle !== null) out.push('', ...wrap(`  ${describeCycle(explanation.cycle)}`, width))
  if (explanation.lines.some(({ text }) => text.startsWith('drain ')))
    out.push('', ...wrap('A buffered store is seen by its own vCPU alone, until it drains: then it is in memory.', width))
  if (sources.length > 0) {
    const room = Math.max(...sources.slice(0, SOURCES).map(({ place }) => place.length))
    out.push('', ...sources.slice(0, SOURCES).map(({ place, text }) => shortened(`  ${place.padEnd(room)}  ${text}`, width)))
    if (sources.length > SOURCES) out.push(`  ... ${sources.length - SOURCES} more lines`)
  }
  out.push('', ...wrap('In the default run every store drains at once, the vCPU that ran last goes on as long as it can, and code is fetched as memory holds it. This run differs:', width))
  if (elements.length === 0) out.push('  in nothing')
  elements.forEach(({ text, step }) => wrap(`step ${step + 1}: ${text}`, width - 4).forEach((line, k) => out.push((k === 0 ? '  - ' : '    ') + line)))
  out.push('')
  if (deciding === null) {
    if (violation !== null) out.push(...wrap(elements.length === 0 ? 'The default run itself fails: no choice decides.' : 'No single difference decides: with any one of them taken away the run still fails.', width))
  } else {
    const which = elements.length === 1 ? 'It decides. Without it' : `Deciding: step ${deciding.step + 1}, ${deciding.text}. Without it, and with all else as above,`
    out.push(...wrap(`${which} the run passes${deciding.ended ? '' : ` (no violation within ${deciding.steps} steps; it goes on)`}:`, width), '')
    const shown = deciding.passing.slice(0, PASSING_LINES)
    out.push(...formatColumns(shown, vcpus, width))
    if (deciding.passing.length > shown.length) out.push(`       ... ${deciding.passing.length - shown.length} more`)
    out.push('')
  }
  out.push(...wrap(`Schedule: ${explanation.schedule}`, width))
  return out.join('\n')
}
