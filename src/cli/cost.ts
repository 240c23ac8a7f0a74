/** `xmcheck cost STUDY|run FILE`: what things cost in virtual time, by counted events and a documented table. */
import { Option, type Command } from 'commander'
import { formatCount, formatTable } from '../cost/format.ts'
import { runCost, type CostResult } from '../cost/run.ts'
import { quantile } from '../cost/quantile.ts'
import { runStudy, STUDIES, type StudyRow } from '../cost/studies.ts'
import { COST_TABLES, CostError, readCostTable, type CostTable } from '../cost/table.ts'
import { loadProgram } from '../guest/loadProgram.ts'
import type { MachineImage } from '../smp/image.ts'
import { addOutputFlags, numberFlag, type OutputFlags } from './common.ts'
import { EXIT, UsageError } from './errors.ts'
import { packageFile, readFile, readSource, writeFile } from './files.ts'

interface Flags extends OutputFlags {
  readonly costs?: string
  readonly table?: string
  readonly pcpus?: string
  readonly quantum?: string
  readonly svg?: string
}

/** Timeslice of `run`, in cycles. */
const QUANTUM = 1_000_000
/** Virtual time and events at which a run is given up. */
const CYCLES_MAX = 1e10
const EVENTS_MAX = 20_000_000

export function addCost(program: Command): void {
  const command = program
    .command('cost')
    .description(`what things cost, in virtual time: studies ${Object.keys(STUDIES).join(', ')}; or run FILE.o ... for a program of yours`)
    .argument('<study>', 'study, or `run`')
    .argument('[objects...]', 'with run: object files, linked together')
    .addOption(new Option('--table <class>', 'cost table of a CPU class (run: p6; a study: its own)').choices(Object.keys(COST_TABLES)))
    .option('--costs <file>', 'cost table as JSON: {"base": "p6", "lineTransfer": 120, "mnemonics": {"popf": 20}}')
    .option('--pcpus <n>', 'physical CPUs (run: what XM_PCPUS declares, or as many as vCPUs; a study: its own)')
    .option('--quantum <cycles>', 'timeslice (run: 1000000; a study: its own)')
    .option('--svg <file>', 'also draw the study')
  addOutputFlags(command).action(cost)
}

function cost(study: string, objects: readonly string[], flags: Flags): void {
  if (flags.costs !== undefined && flags.table !== undefined) throw new UsageError('--costs and --table are both a cost table: {"base": "p4"} in the file says which one it changes')
  const table = flags.costs !== undefined ? userTable(flags.costs) : flags.table !== undefined ? COST_TABLES[flags.table] : null
  const pcpus = numberFlag('--pcpus', flags.pcpus, 1, 64)
  const quantum = numberFlag('--quantum', flags.quantum, 100, 1e9)
  if (study === 'run') return runObjects(objects, { table: table ?? COST_TABLES.p6, pcpus, quantum: quantum ?? QUANTUM }, flags)
  const found = STUDIES[study]
  if (found === undefined) throw new UsageError(`cost ${study}: studies are ${Object.keys(STUDIES).join(', ')}; or run FILE.o`)
  if (objects.length > 0) throw new UsageError(`cost ${study}: a study takes no files; cost run FILE.o runs a program of yours`)
  const rows = runStudy(found, (object) => imageOf([packageFile('cost', 'objects', object)]), { table, pcpus, quantum })
  const timeslices = rows.some(({ result }) => result.total.preemptions > 0) ? [...new Set(rows.map((row) => row.quantum))] : []
  const settings = [...timeslices.map((cycles) => `timeslices of ${formatCount(cycles)} cycles`), ...(table === null ? [] : [`costs: ${table.name}`])]
  if (flags.svg !== undefined) writeFile(flags.svg, new TextEncoder().encode(found.draw(rows)))
  if (flags.json) {
    const document = { version: 1, command: 'cost', study, note: NOTE, tables: table === null ? COST_TABLES : { [table.name]: table }, rows: rows.map(rowJson) }
    process.stdout.write(`${JSON.stringify(document)}\n`)
    return
  }
  process.stdout.write(`${[found.title, ...settings].join('; ')}\n\n${found.print(rows)}\n\n${NOTE}\n`)
}

const NOTE = 'A model: executed guest instructions and counted events, times a table of cycles (src/cost/table.ts; --costs FILE replaces it).'

function imageOf(paths: readonly string[]): MachineImage {
  return loadProgram(paths.map((path) => ({ name: path, bytes: readFile(path) })), { title: paths.join(' '), readSource })
}

function userTable(path: string): CostTable {
  try {
    return readCostTable(JSON.parse(new TextDecoder().decode(readFile(path))))
  } catch (error) {
    if (error instanceof CostError || error instanceof SyntaxError) throw new UsageError(`${path}: ${error.message}`)
    throw error
  }
}

interface RunSettings {
  readonly table: CostTable
  readonly pcpus: number | undefined
  readonly quantum: number
}

function runObjects(objects: readonly string[], { table, pcpus, quantum }: RunSettings, flags: Flags): void {
  if (objects.length === 0) throw new UsageError('cost run: which object files?')
  const image = imageOf(objects)
  const result = runCost(image, { table, pcpus: pcpus ?? Number(image.knobs?.pcpus ?? 0), quantum, cyclesMax: CYCLES_MAX, eventsMax: EVENTS_MAX })
  if (flags.json) process.stdout.write(`${JSON.stringify({ version: 1, command: 'cost', study: 'run', note: NOTE, table, ...resultJson(result) })}\n`)
  else printRun(result)
  process.exitCode = result.violation !== null ? EXIT.violated : result.ended ? EXIT.complete : EXIT.open
}

function printRun(result: CostResult): void {
  const out = (text: string) => process.stdout.write(`${text}\n`)
  if (result.violation !== null) out(`violated: ${result.violation.kind}: ${result.violation.message}`)
  else if (!result.ended) out('given up: the program did not end')
  out(`${formatCount(result.cycles)} cycles, ${result.progress} progress marks`)
  const names = Object.keys(result.total) as (keyof typeof result.total)[]
  const header = ['', ...result.vcpus.map((_, v) => `vCPU ${v}`), 'all']
  out(formatTable([header, ...names.map((name) => [name, ...result.vcpus.map((one) => formatCount(one[name])), formatCount(result.total[name])])]))
  for (const name of new Set(result.intervals.map((one) => one.name))) {
    const lengths = result.intervals.filter((one) => one.name === name).map((one) => one.to - one.from)
    out(`interval ${name}: ${lengths.length} times, median ${formatCount(quantile(lengths, 0.5))}, 99 % ${formatCount(quantile(lengths, 0.99))}, longest ${formatCount(quantile(lengths, 1))} cycles`)
  }
  out(NOTE)
}

const resultJson = ({ intervals, ...rest }: CostResult) => ({
  ...rest,
  intervals: [...new Set(intervals.map((one) => one.name))].map((name) => {
    const lengths = intervals.filter((one) => one.name === name).map((one) => one.to - one.from)
    return { name, count: lengths.length, median: quantile(lengths, 0.5), p99: quantile(lengths, 0.99), max: quantile(lengths, 1) }
  }),
})
const rowJson = ({ result, ...row }: StudyRow) => ({ ...row, ...resultJson(result) })
