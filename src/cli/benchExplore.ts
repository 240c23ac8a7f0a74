/** `xmcheck bench explore`: how fast the engines are, over the programs of examples/explore and the user's own. */
import { Option, type Command } from 'commander'
import { startCheck, type CheckResult, type Engine } from '../explore/check.ts'
import { loadObjects } from '../guest/loadObjects.ts'
import type { MachineImage } from '../smp/image.ts'
import { makeModel, type Model } from '../smp/model.ts'
import { addModelFlags, addOutputFlags, drive, knobsOf, numberFlag, secondsFlag, wasInterrupted, type ModelFlags, type OutputFlags } from './common.ts'
import { EXIT } from './errors.ts'
import { filesBelow, packageFile, readFile } from './files.ts'
import { openWorkers } from './tasks.ts'

const BENCHED = ['dpor', 'graph'] as const

interface Flags extends ModelFlags, OutputFlags {
  readonly engine?: readonly Engine[]
  readonly all?: boolean
  readonly only?: boolean
  readonly time: string
  readonly least: string
  readonly workers?: string
}

export function addExplore(bench: Command): void {
  const command = bench
    .command('explore')
    .description('executions, events, transitions and states per second of the engines; each search is repeated until --least seconds are full, after a warm-up of a third of that in which the JavaScript engine compiles, and which does not count. transitions/s and states/s of graph are those of the pass that counts, the rest includes setting up, and learning what is shared')
    .argument('[files...]', 'object files, one program each, besides the examples')
    .addOption(new Option('--engine <name...>', 'only these').choices(BENCHED))
    .option('--all', 'every example; otherwise the largest of each program')
    .option('--only', 'only the FILEs')
    .option('--time <seconds>', 'stop a search after so many seconds', '10')
    .option('--least <seconds>', 'measure for at least so long', '1')
    .option('--workers <n>', 'threads (dpor)')
  addOutputFlags(addModelFlags(command)).action(benchExplore)
}

interface Row {
  readonly program: string
  readonly engine: string
  readonly verdict: string
  readonly executions: number
  /** Distinct; null: the engine keeps none. */
  readonly states: number | null
  readonly events: number
  readonly transitions: number
  readonly seconds: number
  readonly executionsPerSecond: number
  readonly eventsPerSecond: number
  readonly transitionsPerSecond: number
  readonly statesPerSecond: number | null
  readonly bytesPerState: number | null
  readonly workers: number
}

async function benchExplore(paths: readonly string[], flags: Flags): Promise<void> {
  const model = makeModel(knobsOf(flags))
  const seconds = secondsFlag(flags.time)!
  const least = secondsFlag(flags.least)!
  const workers = numberFlag('--workers', flags.workers, 1, 256) ?? 1
  const examples = flags.only === true ? [] : examplesOf(flags.all === true)
  // A file that is none is told before anything is measured.
  const programs = [...examples, ...paths].map((path) => {
    const program = path.split('/').pop()!.replace(/\.o$/, '')
    return { program, image: loadObjects([{ name: path, bytes: readFile(path) }], { title: program, readSource: () => null }) }
  })
  const rows: Row[] = []
  if (flags.json !== true) process.stdout.write(`${HEADINGS.map(cell).join(' ')}\n`)
  for (const { program, image } of programs) {
    for (const engine of flags.engine ?? BENCHED) {
      if (wasInterrupted()) break
      const row = await measure(program, engine, image, makeModel(knobsOf(flags, image)), { seconds, least, workers: engine === 'dpor' ? workers : 1 })
      rows.push(row)
      if (flags.json !== true) process.stdout.write(`${cellsOf(row).map(cell).join(' ')}\n`)
    }
  }
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ version: 1, command: 'bench explore', models: model.knobs, rows })}\n`)
  if (wasInterrupted()) process.exitCode = EXIT.interrupted
}

/** Objects of examples/explore; by default of each program the one with the largest parameters. */
function examplesOf(all: boolean): string[] {
  const numerically = new Intl.Collator('en', { numeric: true })
  const objects = filesBelow(packageFile('examples', 'explore'), '.o').sort(numerically.compare)
  const program = (path: string) => path.split('/').pop()!.split('-')[0].replace(/\.o$/, '')
  return all ? objects : objects.filter((path, k) => k + 1 === objects.length || program(objects[k + 1]) !== program(path))
}

interface Settings {
  readonly seconds: number
  readonly least: number
  readonly workers: number
}

async function measure(program: string, engine: Engine, image: MachineImage, model: Model, { seconds, least, workers }: Settings): Promise<Row> {
  let sum = 0
  let searched = 0
  let runs = 0
  let warm = 0
  let result: CheckResult
  do {
    const tasks = workers > 1 ? { tasks: { ports: openWorkers(workers) } } : {}
    const started = performance.now()
    // Without a limit, as users start it; a limit would make graph go by cost.
    const check = startCheck(image, model, { engine, ...tasks })
    result = await drive(check, () => void (performance.now() - started > seconds * 1000 && check.stop()))
    const took = (performance.now() - started) / 1000
    // A search that takes longer than that compiles what it needs on the way.
    if (warm + took < least / 3) {
      warm += took
      continue
    }
    sum += took
    searched += result.passSeconds ?? took
    runs++
  } while (sum < least && !wasInterrupted())
  const states = engine === 'graph' ? result.states : null
  const transitions = result.transitions ?? result.events
  const rate = (count: number, within = sum) => Math.round((count * runs) / within)
  return {
    program, engine, verdict: result.verdict === 'unknown' ? 'unknown' : result.verdict === 'violated' ? result.violation!.kind : result.strength,
    executions: result.executions, states, events: result.events, transitions, seconds: sum / runs,
    executionsPerSecond: rate(result.executions), eventsPerSecond: rate(result.events), transitionsPerSecond: rate(transitions, searched),
    statesPerSecond: states === null ? null : rate(states, searched),
    bytesPerState: result.bytes === undefined || states === null ? null : Math.round(result.bytes / states), workers,
  }
}

const HEADINGS = ['program', 'engine', 'verdict', 'executions', 'states', 'events', 's', 'executions/s', 'events/s', 'transitions/s', 'states/s', 'bytes/state', 'workers']
const WIDTHS = [22, 6, 10, 10, 9, 9, 7, 12, 9, 13, 9, 11, 7]

function cellsOf(row: Row): string[] {
  const or = (value: number | null) => (value === null ? '-' : String(value))
  return [
    row.program, row.engine, row.verdict, String(row.executions), or(row.states), String(row.events), row.seconds.toFixed(3),
    String(row.executionsPerSecond), String(row.eventsPerSecond), String(row.transitionsPerSecond), or(row.statesPerSecond), or(row.bytesPerState), String(row.workers),
  ]
}

/** Names to the left, numbers to the right. */
const cell = (text: string, k: number) => (k < 3 ? text.padEnd(WIDTHS[k]) : text.padStart(WIDTHS[k]))
