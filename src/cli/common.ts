/** Flags that several subcommands share, and what they mean. */
import { totalmem } from 'node:os'
import { getHeapStatistics } from 'node:v8'
import { Option, type Command } from 'commander'
import { ENGINES, EXECUTIONS, STATES_MAX, type Check, type CheckOptions, type CheckResult, type Engine } from '../explore/check.ts'
import type { MemoryLimit, Progress } from '../explore/explorable.ts'
import { SAMPLERS } from '../explore/sampling/search.ts'
import { LIVENESS, type Liveness } from '../explore/liveness/judge.ts'
import { CPU_CLASSES } from '../cpu/classes.ts'
import { KnobError, PROFILES, type KnobValue } from '../smp/model.ts'
import { wrap } from '../replay/columns.ts'
import { minimizeTrace } from '../replay/minimize.ts'
import { recordSharing, recordTrace, replayTrace } from '../replay/record.ts'
import { scheduleLine } from '../replay/sharingText.ts'
import { decodeTrace, encodeTrace, KIND_RUN, openTrace, TraceError, type Trace } from '../replay/trace.ts'
import type { MachineImage } from '../smp/image.ts'
import type { Model } from '../smp/model.ts'
import { DivergedError, EXIT, UsageError } from './errors.ts'
import { readFile, writeFile } from './files.ts'

export interface ModelFlags {
  readonly memory?: string
  readonly fetch?: string
  readonly cpu?: string
  readonly set?: readonly string[]
  readonly profile?: string
  readonly undefinedFlags?: string
}

export interface SearchFlags {
  readonly engine: Engine
  readonly executions?: string
  readonly seed?: string
  readonly preemptions?: string
  readonly interrupts?: string
  readonly stale?: string
  readonly time?: string
  readonly states?: string
  readonly liveness?: Liveness
  readonly memoryLimit?: string
}

/** Flags of a search that can be shared out and kept. */
export interface TaskFlags {
  readonly workers?: string
  readonly shard?: string
  readonly resume?: string
}

export interface OutputFlags {
  readonly json?: boolean
  readonly quiet?: boolean
  readonly color: boolean
}

/** Columns of what people read: as many as the terminal has, within reason. */
export const terminalWidth = (): number => Math.max(72, Math.min(process.stdout.columns ?? 100, 200))

/** A long line as a terminal shows it best, from its second line on behind `indent` blanks; as it is for other programs. */
export const paragraph = (text: string, indent = 2): string => (process.stdout.isTTY ? wrap(text, terminalWidth(), indent).join('\n') : text)

export function addOutputFlags(command: Command): Command {
  return command
    .option('--json', 'one JSON document on stdout, nothing else there')
    .option('--quiet', 'no progress on stderr')
    .option('--no-color', 'plain text (NO_COLOR does the same)')
}

/** Of `--undefined-flags`. */
export const UNDEFINED_FLAGS_HELP = 'flags that the manual leaves undefined: fixed, zero or random:SEED'

export function addModelFlags(command: Command, withFetch = true): Command {
  command
    .addOption(new Option('--memory <model>', 'data memory').choices(['tso', 'sc']))
    .addOption(new Option('--cpu <class>', 'CPU class').choices(Object.keys(CPU_CLASSES)))
    .addOption(new Option('--profile <name>', 'named settings of the knobs (xmcheck list); the flags here go before it').choices(Object.keys(PROFILES)))
    .option('--undefined-flags <choice>', UNDEFINED_FLAGS_HELP)
    .option('--set <knob=value>', 'any knob of `xmcheck list` (repeatable)', (value: string, all: string[] = []) => [...all, value])
  return withFetch ? command.option('--fetch <rung>', 'rung of the fetch ladder: coherent, single, ordered:16, independent:8, byte, strict') : command
}

export function addSearchFlags(command: Command): Command {
  return command
    .addOption(new Option('--engine <name>', 'graph explores all states, dpor one execution a class; random, pct, pos and portfolio (all three in turns) sample; auto: graph and dpor in turns until one ends').choices(ENGINES).default('auto'))
    .option('--seed <n>', 'seed: of the samples, or of the order in which graph takes choices')
    .option('--preemptions <k>', 'at most k preemptions, from 0 up: the first counterexample has the fewest (graph; samples: of each)')
    .option('--executions <n>', `executions to sample (default ${EXECUTIONS})`)
    .option('--interrupts <n>', 'at most n interrupts and NMIs in one execution (dpor)')
    .option('--stale <n>', 'at most n fetches in one execution of other than what memory holds (dpor)')
    .option('--time <seconds>', 'stop after so many seconds (of each verdict), and say what was covered')
    .option('--states <n>', `stop after so many states (graph; default ${STATES_MAX})`)
    .option('--memory-limit <MB>', 'stop when the process uses more memory than this (default: nearly all there is)')
}

export function livenessFlag(): Option {
  const what = 'runs that go on for ever (graph): deadlocks and lost wake-ups always but for `off`; `progress`: each vCPU ends or passes XM_PROGRESS for ever; `termination`: each ends; auto: progress where marked, or who can end does'
  return new Option('--liveness <what>', what).choices(LIVENESS).default('auto')
}

/** @throws UsageError on values out of range, and on flags that the engine cannot honour */
export function checkOptionsOf(flags: SearchFlags): CheckOptions {
  const seed = numberFlag('--seed', flags.seed, 0, 2 ** 32 - 1)
  const preemptions = numberFlag('--preemptions', flags.preemptions, 0, 1000)
  const states = numberFlag('--states', flags.states, 1, STATES_MAX * 4)
  const interrupts = numberFlag('--interrupts', flags.interrupts, 0, 1_000_000)
  const stale = numberFlag('--stale', flags.stale, 0, 1_000_000)
  const seconds = secondsFlag(flags.time)
  const memory = memoryFlag(flags.memoryLimit)
  const executions = numberFlag('--executions', flags.executions, 1, 1e9)
  const budgeted = interrupts !== undefined || stale !== undefined
  const engine = budgeted && flags.engine === 'auto' ? 'dpor' : flags.engine
  if (engine !== 'dpor' && budgeted) throw new UsageError(`--interrupts and --stale are for the dpor engine; ${engine} counts preemptions alone`)
  if (executions !== undefined && !(SAMPLERS as readonly string[]).includes(engine)) throw new UsageError(`--executions is for the engines that sample: ${SAMPLERS.join(', ')}`)
  if (engine !== 'graph' && engine !== 'auto' && states !== undefined) throw new UsageError(`--states is for the graph engine; ${engine} keeps no states`)
  if (engine === 'dpor' && preemptions !== undefined) throw new UsageError('--preemptions: dpor covers classes of executions whole; use --engine graph')
  const { liveness } = flags
  if (engine !== 'graph' && engine !== 'auto' && (liveness === 'progress' || liveness === 'termination')) throw new UsageError(`--liveness ${liveness} is for the graph engine`)
  return {
    engine,
    ...(liveness === undefined ? {} : { liveness }),
    ...(seed === undefined ? {} : { seed }),
    ...(executions === undefined ? {} : { executions }),
    limits: {
      ...(seconds === undefined ? {} : { seconds }),
      ...(preemptions === undefined ? {} : { preemptions }),
      ...(interrupts === undefined ? {} : { interrupts }),
      ...(stale === undefined ? {} : { stale }),
      ...(states === undefined ? {} : { states }),
      memory,
      returnsSoon: true,
    },
  }
}

/** Parts of what there is that a search may take, so that what follows it (liveness, the trace) has room. */
const HEAP_PART = 0.8
const MACHINE_PART = 0.8

/** `--memory-limit`; without it what the JavaScript heap and the machine can hold, so that a search ends with a verdict. @throws UsageError */
function memoryFlag(text: string | undefined): MemoryLimit {
  const limit = numberFlag('--memory-limit', text, 1, 1 << 24)
  if (limit !== undefined) return { isOver: () => memoryUsed() > limit * 2 ** 20, reason: `more than ${limit} MB of memory were used (--memory-limit)` }
  const heap = getHeapStatistics().heap_size_limit * HEAP_PART
  const machine = Math.min(totalmem(), process.constrainedMemory() || Infinity) * MACHINE_PART
  return { isOver: () => getHeapStatistics().used_heap_size > heap || memoryUsed() > machine, reason: 'the memory was nearly used up' }
}

/** Asking takes as long as hundreds of events do. */
const MEMORY_AGE_MS = 20
let [memoryMeasured, memoryMeasuredAt] = [0, -Infinity]

/** Bytes of memory that the process holds, or held a moment ago. */
export function memoryUsed(): number {
  const now = performance.now()
  if (now - memoryMeasuredAt < MEMORY_AGE_MS) return memoryMeasured
  memoryMeasuredAt = now
  return (memoryMeasured = process.memoryUsage.rss())
}

/** Times as long as keeping takes, the search goes on in between. */
const KEEP_PART = 20
/** Time between two checkpoints, at least. */
const KEEP_EVERY_MS = 1000

let interrupted = false
/** Ctrl-C was pressed: the verdicts so far are printed, then the exit code is 130. */
export function wasInterrupted(): boolean {
  return interrupted
}

/**
 * Drives a check to its end, or to Ctrl-C, which ends it with the strength reached; a second Ctrl-C ends the
 * process at once.
 */
export async function drive(check: Check, onProgress: (progress: Progress) => void, keep?: (check: Check) => void): Promise<CheckResult> {
  const onInterrupt = () => {
    if (interrupted) process.exit(EXIT.interrupted)
    interrupted = true
    check.stop()
  }
  process.on('SIGINT', onInterrupt)
  try {
    let next = performance.now() + KEEP_EVERY_MS
    while (check.advance()) {
      onProgress(check.progress())
      const now = performance.now()
      if (keep !== undefined && now > next) {
        keep(check)
        // Large ones take their time, which must not be most of it.
        next = performance.now() + Math.max(KEEP_EVERY_MS, KEEP_PART * (performance.now() - now))
      }
      // Signals and messages are delivered between turns of the event loop only.
      await (check.waiting() ?? new Promise((resolve) => setImmediate(resolve)))
    }
    keep?.(check)
    return check.result()
  } finally {
    process.off('SIGINT', onInterrupt)
  }
}

/** Knobs that the flags name, before those that the program declares. @throws UsageError on `--set` without `=` */
export function knobsOf(flags: ModelFlags, image?: MachineImage): Record<string, KnobValue> {
  const knobs: Record<string, KnobValue> = { ...image?.knobs, ...(flags.profile === undefined ? {} : PROFILES[flags.profile].knobs) }
  for (const text of flags.set ?? []) {
    const equals = text.indexOf('=')
    if (equals <= 0) throw new UsageError(`--set ${text}: write KNOB=VALUE; xmcheck list shows the knobs`)
    knobs[text.slice(0, equals)] = text.slice(equals + 1)
  }
  if (flags.memory !== undefined) knobs.memory = flags.memory
  if (flags.cpu !== undefined) knobs.cpu = flags.cpu
  if (flags.undefinedFlags !== undefined) knobs.undefinedFlags = flags.undefinedFlags
  if (flags.fetch !== undefined) knobs.fetch = flags.fetch
  return knobs
}

/** `--time`. @throws UsageError */
export function secondsFlag(text: string | undefined): number | undefined {
  const seconds = text === undefined ? undefined : Number(text)
  if (seconds !== undefined && !(seconds > 0 && seconds <= 1e6)) throw new UsageError(`--time ${text}: seconds, above 0, are wanted`)
  return seconds
}

/** A whole number in `low`..`high` from the command line. @throws UsageError */
export function numberFlag(name: string, text: string | undefined, low: number, high: number): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!Number.isInteger(value) || value < low || value > high) throw new UsageError(`${name} ${text}: a whole number from ${low} to ${high} is wanted`)
  return value
}

/** @throws UsageError on a file that is not a sound trace */
export function loadTrace(path: string): Trace {
  return reading(path, () => decodeTrace(readFile(path)))
}

/** The trace records a booted image. @throws UsageError */
export function isRun(path: string): boolean {
  return reading(path, () => openTrace(readFile(path)).kind === KIND_RUN)
}

/** Mistakes in a trace as mistakes of the user. */
export function reading<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof TraceError || error instanceof KnobError) throw new UsageError(`${path}: ${error.message}`)
    throw error
  }
}

/** Replays a trace before anything is built on it. @throws DivergedError where it leaves its recording */
export function loadSoundTrace(path: string): Trace {
  const trace = loadTrace(path)
  const { divergence } = replayTrace(trace)
  if (divergence !== null) throw new DivergedError(`${path}: the replay diverged at step ${divergence.step}: ${divergence.message}`)
  return trace
}

/** What writes executions as text, loaded where one is shown: most of what a command takes to start is the disassembler behind it. */
export const loadTimeline = () => import('../replay/timeline.ts')

/** Writes the trace of a violated check, minimised; returns it. */
export function saveTrace(path: string, image: MachineImage, model: Model, result: CheckResult): Trace {
  const trace = leastTrace(image, model, result)
  writeFile(path, encodeTrace(trace))
  return trace
}

/** The trace of a result, as small as it can be made. */
export function leastTrace(image: MachineImage, model: Model, result: CheckResult): Trace {
  const trace = recordTrace(image, model, result.sharing, result.schedule ?? [], cycleOf(result))
  // The way into a cycle that a search by cost has found is a least one already.
  const least = trace.cycleFrom !== null && result.cost !== null
  return trace.violation === null || least ? trace : minimizeTrace(trace).trace
}

/** The steps that repeat for ever in the violation of a result; null: none do. */
const cycleOf = ({ cycleFrom, violation }: CheckResult) => (cycleFrom === undefined || violation === null ? null : { from: cycleFrom, victim: violation.vcpu })

/** The machine-readable form of a verdict on `image`; its schedule is one that `check --schedule` takes. */
export function verdictJson(result: CheckResult, image: MachineImage, trace: string | null): Record<string, unknown> {
  const { sharing, schedule, violation, ...rest } = result
  return {
    ...rest,
    schedule: schedule === null ? null : scheduleLine(image, recordSharing(sharing), schedule, cycleOf(result)),
    violation: violation === null ? null : { kind: violation.kind, message: violation.message, vcpu: violation.vcpu, eip: violation.eip, trace },
  }
}

export function exitCodeOf(result: CheckResult): number {
  if (interrupted) return EXIT.interrupted
  if (result.verdict === 'violated') return EXIT.violated
  return result.verdict === 'holds' && result.strength === 'complete' ? EXIT.complete : EXIT.open
}
