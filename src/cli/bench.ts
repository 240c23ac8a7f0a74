/** `xmcheck bench ...`: how fast the machine is, and that its ways of running agree. One sub-subcommand a subject. */
import { Option, type Command } from 'commander'
import { CPU_CLASSES } from '../cpu/classes.ts'
import { loadObjects } from '../guest/loadObjects.ts'
import { parseVcpus } from '../guest/linkOptions.ts'
import { PlainRun, type PlainRecording } from '../platform/plainRun.ts'
import { runSteps } from '../platform/stepRun.ts'
import type { MachineImage } from '../smp/image.ts'
import { makeModel, type Model } from '../smp/model.ts'
import { addOutputFlags, numberFlag, type OutputFlags } from './common.ts'
import { EXIT, UsageError } from './errors.ts'
import { packageFile, readFile } from './files.ts'

/** One measured value. */
export interface BenchRow {
  readonly name: string
  readonly metric: string
  readonly value: number | string
  readonly unit: string
}

export function addBench(program: Command): void {
  const bench = program.command('bench').description('measure speed')
  addCpu(bench)
  for (const command of bench.commands) command.exitOverride()
}

/** Prints rows, as a table or as one JSON document. */
export function printRows(subject: string, rows: readonly BenchRow[], flags: OutputFlags): void {
  if (flags.json) {
    process.stdout.write(`${JSON.stringify({ version: 1, command: `bench ${subject}`, rows })}\n`)
    return
  }
  for (const { name, metric, value, unit } of rows) {
    const text = typeof value === 'number' && !Number.isInteger(value) ? value.toFixed(2) : String(value)
    process.stdout.write(`${name.padEnd(12)} ${metric.padEnd(14)} ${text.padStart(14)} ${unit}\n`)
  }
}

const MODES = ['plain', 'record', 'step'] as const
type Mode = (typeof MODES)[number]

interface CpuFlags extends OutputFlags {
  readonly mode?: readonly Mode[]
  readonly cpu?: string
  readonly vcpus?: string
  readonly maxInstructions: string
}

function addCpu(bench: Command): void {
  const command = bench
    .command('cpu')
    .description('guest instructions per second: plain run, recording run, and step by step as the explorer goes; all must end in one state')
    .argument('[objects...]', 'object files as for xmcheck check, with one vCPU; default: sieve, mixing, list walk, copy, recursion')
    .addOption(new Option('--mode <name...>', 'only these').choices(MODES))
    .addOption(new Option('--cpu <class>', 'CPU class').choices(Object.keys(CPU_CLASSES)))
    .option('--vcpus <name>', 'entry function instead of the declared one')
    .option('--max-instructions <n>', 'stop after so many', '10000000000')
  addOutputFlags(command).action(benchCpu)
}

interface Result {
  readonly instructions: number
  readonly hash: number
  readonly seconds: number
}

function benchCpu(paths: readonly string[], flags: CpuFlags): void {
  const files = paths.length > 0 ? paths : [packageFile('examples/bench/compute.o')]
  const image = loadObjects(
    files.map((path) => ({ name: path, bytes: readFile(path) })),
    { title: files.join(' '), ...(flags.vcpus ? { vcpus: parseVcpus(flags.vcpus) } : {}) },
  )
  const model = makeModel(flags.cpu === undefined ? {} : { cpu: flags.cpu })
  const limit = numberFlag('--max-instructions', flags.maxInstructions, 1, Number.MAX_SAFE_INTEGER)!
  const rows: BenchRow[] = [{ name: 'calibration', metric: 'fixed loop', value: calibrate(), unit: 'ns a turn' }]
  const results: Result[] = []
  for (const mode of flags.mode ?? MODES) {
    const result = RUN[mode](image, model, limit)
    results.push(result)
    rows.push(
      { name: mode, metric: 'speed', value: result.instructions / result.seconds / 1e6, unit: 'MIPS' },
      { name: mode, metric: 'instructions', value: result.instructions, unit: '' },
      { name: mode, metric: 'state', value: `0x${result.hash.toString(16).padStart(8, '0')}`, unit: 'hash' },
    )
  }
  printRows('cpu', rows, flags)
  const [first] = results
  if (results.some(({ hash, instructions }) => hash !== first.hash || instructions !== first.instructions)) {
    process.stderr.write('xmcheck: the modes do not end in the same state; please report it with the guest\n')
    process.exitCode = EXIT.internal
  }
}

/** Processor time of this process: what others do on the machine does not count in full. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** What one turn of a fixed loop of four dependent operations takes, the best of a few times: to compare machines, and moments. */
function calibrate(): number {
  const turns = 2e7
  let best = Infinity
  for (let repeat = 0, h = 1; repeat < 5; repeat++) {
    const started = cpuSeconds()
    for (let k = 0; k < turns; k++) h = Math.imul(h ^ k, 0x9e3779b1)
    if (h !== 0.5) best = Math.min(best, cpuSeconds() - started)
  }
  return (best * 1e9) / turns
}

type Runner = (image: MachineImage, model: Model, limit: number) => Result
const RUN: Readonly<Record<Mode, Runner>> = { plain, record, step }

function plain(image: MachineImage, model: Model, limit: number): Result {
  const run = new PlainRun(image, model)
  const started = cpuSeconds()
  run.advance(limit)
  const seconds = cpuSeconds() - started
  check(run)
  return { instructions: run.instructions, hash: run.hash(), seconds }
}

/** Records, and then replays the recording outside the time that counts. */
function record(image: MachineImage, model: Model, limit: number): Result {
  const run = new PlainRun(image, model)
  const started = cpuSeconds()
  const recording: PlainRecording = run.record(limit)
  const seconds = cpuSeconds() - started
  check(run)
  const again = new PlainRun(image, model)
  const slice = again.replay(recording)
  if (slice >= 0 || again.hash() !== run.hash()) throw new Error(`the recording does not replay: slice ${slice} of ${recording.slices.length}`)
  return { instructions: run.instructions, hash: run.hash(), seconds }
}

function step(image: MachineImage, model: Model, limit: number): Result {
  const started = cpuSeconds()
  const { instructions, hash, violation } = runSteps(image, model, limit)
  const seconds = cpuSeconds() - started
  if (violation !== null) throw new UsageError(`${image.title}: ${violation}`)
  return { instructions, hash, seconds }
}

/** @throws UsageError where the program did not run to its end */
function check(run: PlainRun): void {
  const { stopped, instructions } = run
  if (stopped !== null) throw new UsageError(`${stopped.kind}: ${stopped.message} (after ${instructions} instructions)`)
  if (!run.ended) throw new UsageError(`not at its end after ${instructions} instructions (--max-instructions)`)
}
