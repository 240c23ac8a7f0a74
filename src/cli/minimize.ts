/** `xmcheck minimize TRACE`: a schedule with no difference from the default run that could be left out. */
import type { Command } from 'commander'
import { describeElement } from '../replay/elements.ts'
import { minimizeTrace } from '../replay/minimize.ts'
import { formatSchedule } from '../replay/schedule.ts'
import { encodeTrace } from '../replay/trace.ts'
import { addOutputFlags, loadSoundTrace, loadTimeline, terminalWidth, type OutputFlags } from './common.ts'
import { EXIT, UsageError } from './errors.ts'
import { writeFile } from './files.ts'

interface Flags extends OutputFlags {
  readonly out?: string
}

export function addMinimize(program: Command): void {
  const command = program
    .command('minimize')
    .description('the same kind of violation by a 1-minimal schedule: taking any one difference from the default run away ends the violation')
    .argument('<trace>', 'trace file (.xmt) of a violation')
    .option('--out <file>', 'where the minimised trace goes (default: TRACE.min.xmt)')
  addOutputFlags(command).action(minimize)
}

async function minimize(path: string, flags: Flags): Promise<void> {
  const trace = loadSoundTrace(path)
  if (trace.violation === null) throw new UsageError(`${path}: this execution has no violation; there is nothing to minimise`)
  const result = minimizeTrace(trace)
  const smaller = result.trace
  const out = flags.out ?? path.replace(/(\.min)?\.xmt$/, '') + '.min.xmt'
  writeFile(out, encodeTrace(smaller))
  const violation = smaller.violation!
  const elements = result.elements.map(describeElement)
  if (flags.json) {
    const document = {
      version: 1, command: 'minimize', trace: out, violation, minimal: result.minimal, runs: result.runs,
      before: { elements: result.before, steps: trace.schedule.length }, after: { elements: elements.length, steps: smaller.schedule.length },
      elements, schedule: formatSchedule(smaller.schedule),
    }
    process.stdout.write(`${JSON.stringify(document)}\n`)
  } else {
    const print = (text: string) => process.stdout.write(`${text}\n`)
    print(`${violation.kind}: ${violation.message}`)
    print(`${result.before} differences from the default run in ${trace.schedule.length} steps; now ${elements.length} in ${smaller.schedule.length}${result.minimal ? ', 1-minimal' : `; stopped after ${result.runs} runs, more might go`}`)
    for (const element of elements) print(`  - ${element}`)
    const { formatTimeline, timelineOf } = await loadTimeline()
    print(`\n${formatTimeline(timelineOf(smaller), terminalWidth())}\n\nReplay it:  xmcheck replay ${out}\nExplain it: xmcheck explain ${out}`)
  }
  process.exitCode = EXIT.complete
}
