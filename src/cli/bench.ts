/** `xmcheck bench ...`: how fast the machine is, and that its ways of running agree. One sub-subcommand a subject. */
import { Option, type Command } from 'commander'
import { classOf, CPU_CLASSES } from '../cpu/classes.ts'
import { FIXED_FLAGS } from '../cpu/undefinedFlags.ts'
import { loadObjects } from '../guest/loadObjects.ts'
import { parseVcpus } from '../guest/linkOptions.ts'
import { PlainRun, type PlainRecording } from '../platform/plainRun.ts'
import { Run, rerun } from '../platform/run.ts'
import { makeScheduler } from '../platform/scheduler.ts'
import { runSteps, type StepOutcome } from '../platform/stepRun.ts'
import type { SystemOptions } from '../platform/system.ts'
import { makeModel } from '../smp/model.ts'
import { addExplore } from './benchExplore.ts'
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
  addExplore(bench)
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
  readonly rom?: boolean
  readonly maxInstructions: string
}

function addCpu(bench: Command): void {
  const command = bench
    .command('cpu')
    .description('guest MIPS in a plain run, a recording run (the recording must replay) and step by step as the explorer goes; all must end in one state. Speed is by processor time; the fixed loop relates machines')
    .argument('[files...]', 'objects as for xmcheck check, with one vCPU, or an image as for xmcheck run, which has no steps; default: sieve, mixing, list walk, copy, recursion')
    .addOption(new Option('--mode <name...>', 'only these').choices(MODES))
    .addOption(new Option('--cpu <class>', 'CPU class').choices(Object.keys(CPU_CLASSES)))
    .option('--vcpus <name>', 'entry function instead of the declared one')
    .option('--rom', 'the image is a ROM')
    .option('--max-instructions <n>', 'stop after so many', '10000000000')
  addOutputFlags(command).action(benchCpu)
}

interface Result {
  readonly instructions: number
  readonly hash: number
  readonly time: Time
  /** Steps of the transition interface. */
  readonly steps?: number
}

function benchCpu(paths: readonly string[], flags: CpuFlags): void {
  const files = (paths.length > 0 ? paths : [packageFile('examples/bench/compute.o')]).map((path) => ({ name: path, bytes: readFile(path) }))
  const limit = numberFlag('--max-instructions', flags.maxInstructions, 1, Number.MAX_SAFE_INTEGER)!
  const guest = files.length > 1 || isObject(files[0].bytes) ? objectGuest(files, flags, limit) : imageGuest(files[0], flags, limit)
  const rows: BenchRow[] = [{ name: 'calibration', metric: 'fixed loop', value: calibrate(), unit: 'ns a turn' }]
  const results: Result[] = []
  for (const mode of flags.mode ?? MODES) {
    const run = guest[mode]
    if (run === undefined) {
      if (flags.mode !== undefined) throw new UsageError(`${files[0].name} is booted: the explorer has no devices to step it with`)
      continue
    }
    const result = run()
    results.push(result)
    rows.push(
      { name: mode, metric: 'speed', value: result.instructions / result.time.processor / 1e6, unit: 'MIPS' },
      { name: mode, metric: 'as time passed', value: result.instructions / result.time.elapsed / 1e6, unit: 'MIPS' },
      { name: mode, metric: 'instructions', value: result.instructions, unit: '' },
      ...(result.steps === undefined ? [] : [{ name: mode, metric: 'steps', value: result.steps, unit: '' }]),
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

/** In seconds. */
interface Time {
  /** Of this process: what others do on the machine does not count in full, what the JavaScript engine compiles does. */
  readonly processor: number
  readonly elapsed: number
}

function timed(work: () => void): Time {
  const started = performance.now()
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return { processor: (user + system) / 1e6, elapsed: (performance.now() - started) / 1e3 }
}

/** A loop of dependent operations, always the same. */
function fixedLoop(turns: number): number {
  let h = 1
  for (let k = 0; k < turns; k++) h = Math.imul(h ^ k, 0x9e3779b1)
  return h
}

/** What one turn of it takes, in ns, the best of a few times: to compare machines, and moments. */
function calibrate(): number {
  const turns = 2e7
  let best = Infinity
  for (let repeat = 0; repeat < 5; repeat++) best = Math.min(best, timed(() => fixedLoop(turns)).processor)
  return (best * 1e9) / turns
}

/** How one guest is run in each mode that it can be run in. */
type Guest = Readonly<Partial<Record<Mode, () => Result>>>
interface GuestFile {
  readonly name: string
  readonly bytes: Uint8Array
}

/** ELF, type REL. */
function isObject(bytes: Uint8Array): boolean {
  return [0x7f, 0x45, 0x4c, 0x46].every((byte, k) => bytes[k] === byte) && bytes[16] === 1
}

function objectGuest(files: readonly GuestFile[], flags: CpuFlags, limit: number): Guest {
  if (flags.rom) throw new UsageError('--rom is for images')
  const title = files.map(({ name }) => name).join(' ')
  const image = loadObjects(files, { title, ...(flags.vcpus ? { vcpus: parseVcpus(flags.vcpus) } : {}) })
  const model = makeModel(flags.cpu === undefined ? {} : { cpu: flags.cpu })
  const ended = (run: PlainRun, time: Time): Result => {
    const { stopped, instructions } = run
    if (stopped !== null) throw new UsageError(`${stopped.kind}: ${stopped.message} (after ${instructions} instructions)`)
    if (!run.ended) throw new UsageError(`not at its end after ${instructions} instructions (--max-instructions)`)
    return { instructions, hash: run.hash(), time }
  }
  return {
    plain: () => {
      const run = new PlainRun(image, model)
      return ended(run, timed(() => run.advance(limit)))
    },
    record: () => {
      const run = new PlainRun(image, model)
      let recording: PlainRecording = { slices: [], checks: [] }
      const result = ended(run, timed(() => (recording = run.record(limit))))
      const again = new PlainRun(image, model)
      const slice = again.replay(recording)
      if (slice >= 0 || again.hash() !== result.hash) throw new Error(`the recording does not replay: slice ${slice} of ${recording.slices.length}`)
      return result
    },
    step: () => {
      let outcome: StepOutcome | null = null
      const time = timed(() => (outcome = runSteps(image, model, limit)))
      const { violation, ...result } = outcome! as StepOutcome
      if (violation !== null) throw new UsageError(`${title}: ${violation}`)
      return { ...result, time }
    },
  }
}

/** On the platform, with its defaults (xmcheck run). */
function imageGuest(image: GuestFile, flags: CpuFlags, limit: number): Guest {
  if (flags.vcpus !== undefined) throw new UsageError('--vcpus is for objects')
  const options: SystemOptions = {
    image, rom: flags.rom === true, vcpus: 1, commandLine: '', modules: [], cpu: classOf(flags.cpu ?? 'p4'), undefinedFlags: FIXED_FLAGS,
    memoryBytes: 64 << 20, postPort: 0x80, asciiPort: 0xe9, exitPort: 0xf4,
  }
  const silent = { text: () => {}, post: () => {} }
  const start = (slicesMax: number | null) => new Run(options, silent, makeScheduler('round-robin', 1), limit, slicesMax)
  const finished = (run: Run, time: Time): Result => {
    const { exit, instructions, hash } = run.outcome()
    if (exit.kind === 'limit') throw new UsageError(`${image.name}: ${exit.message}`)
    return { instructions, hash: hash >>> 0, time }
  }
  const toEnd = (run: Run) => timed(() => {
    while (run.advance());
  })
  return {
    plain: () => {
      const run = start(null)
      return finished(run, toEnd(run))
    },
    record: () => {
      const run = start(Infinity)
      const result = finished(run, toEnd(run))
      const { divergence, system } = rerun(options, silent, run.recording)
      if (divergence !== null || system.hash() >>> 0 !== result.hash) throw new Error(`the recording does not replay: ${divergence?.message ?? 'it ends in another state'}`)
      return result
    },
  }
}
