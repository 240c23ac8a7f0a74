/** `xmcheck run IMAGE`: boots a ROM, a Multiboot kernel or a flat image, deterministically. */
import { Option, type Command } from 'commander'
import { CPU_CLASSES, classOf } from '../cpu/classes.ts'
import { parseUndefinedFlags } from '../cpu/undefinedFlags.ts'
import { Run, rerun, type Outcome } from '../platform/run.ts'
import { decodeRunTrace, encodeRunTrace, recordedSlicesMax } from '../platform/runTrace.ts'
import { makeScheduler, SCHEDULES, type Schedule } from '../platform/scheduler.ts'
import type { System, SystemOptions } from '../platform/system.ts'
import { addOutputFlags, numberFlag, UNDEFINED_FLAGS_HELP, reading, type OutputFlags } from './common.ts'
import { EXIT, UsageError } from './errors.ts'
import { checkWritable, readFile, writeFile } from './files.ts'
import { GuestOutput } from './guestOutput.ts'

interface Flags extends OutputFlags {
  readonly rom?: boolean
  readonly vcpus: string
  readonly memorySize: string
  readonly append: string
  readonly module?: readonly string[]
  readonly post: string
  readonly ascii: string
  readonly exitPort: string
  readonly cpu: string
  readonly undefinedFlags: string
  readonly record?: string
  readonly schedule: Schedule
  readonly seed?: string
  readonly maxInstructions: string
}

const MEGABYTE = 1 << 20
/** What ends a run early: its result and recording are written all the same. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export function addRun(program: Command): void {
  const command = program
    .command('run')
    .description('boot an image: Multiboot 1 kernel, flat image (real mode at 0x7c00) or, with --rom, a ROM of 64 or 128 KB at the reset vector')
    .argument('<image>', 'file to boot')
    .option('--rom', 'the image is a ROM: the reset vector is in its last 16 bytes')
    .option('--vcpus <n>', 'vCPUs; all but the first wait for INIT and SIPI', '1')
    .option('--memory-size <megabytes>', 'RAM', '128')
    .option('--append <text>', 'command line of a Multiboot kernel', '')
    .option('--module <file>', 'a module for a Multiboot kernel (repeatable)', (value: string, all: string[] = []) => [...all, value])
    .option('--post <port>', 'port whose bytes are logged as POST codes', '0x80')
    .option('--ascii <port>', 'port whose bytes are text', '0xe9')
    .option('--exit-port <port>', 'debug-exit port: writing v ends the run with exit status (v << 1) | 1', '0xf4')
    .addOption(new Option('--cpu <class>', 'CPU class').choices(Object.keys(CPU_CLASSES)).default('p4'))
    .option('--undefined-flags <choice>', UNDEFINED_FLAGS_HELP, 'fixed')
    .option('--record <trace>', 'write a trace that xmcheck replay reproduces')
    .addOption(new Option('--schedule <name>', 'who runs when').choices(SCHEDULES).default('round-robin'))
    .option('--seed <n>', 'seed of the random and pct schedules')
    .option('--max-instructions <n>', 'stop after so many', '10000000000')
  addOutputFlags(command).action(run)
}

async function run(path: string, flags: Flags): Promise<void> {
  const port = (name: string, text: string) => {
    const value = Number(text)
    if (!Number.isInteger(value) || value < 0 || value > 0xffff) throw new UsageError(`${name} ${text}: a port from 0 to 0xffff is wanted`)
    return value
  }
  if (flags.schedule === 'round-robin' && flags.seed !== undefined) throw new UsageError('--seed is for --schedule random or pct')
  const undefinedFlags = parseUndefinedFlags(flags.undefinedFlags)
  if (undefinedFlags === null) throw new UsageError(`--undefined-flags ${flags.undefinedFlags}: fixed, zero or random:SEED is wanted`)
  const options: SystemOptions = {
    image: { name: path, bytes: readFile(path) },
    rom: flags.rom === true,
    vcpus: numberFlag('--vcpus', flags.vcpus, 1, 64)!,
    commandLine: flags.append,
    modules: (flags.module ?? []).map((name) => ({ name, bytes: readFile(name) })),
    cpu: classOf(flags.cpu),
    undefinedFlags,
    memoryBytes: numberFlag('--memory-size', flags.memorySize, 1, 1024)! * MEGABYTE,
    postPort: port('--post', flags.post),
    asciiPort: port('--ascii', flags.ascii),
    exitPort: port('--exit-port', flags.exitPort),
  }
  const scheduler = makeScheduler(flags.schedule, numberFlag('--seed', flags.seed, 0, 2 ** 32 - 1) ?? 1)
  const log = new GuestOutput(flags)
  const started = performance.now()
  const { record } = flags
  const slicesMax = record === undefined ? null : recordedSlicesMax(options)
  // Better now than when the run is over.
  if (record !== undefined) checkWritable(record)
  const running = new Run(options, log, scheduler, numberFlag('--max-instructions', flags.maxInstructions, 1, Number.MAX_SAFE_INTEGER)!, slicesMax)
  let interrupted = false
  const onSignal = () => {
    if (interrupted) process.exit(EXIT.interrupted)
    interrupted = true
  }
  for (const signal of SIGNALS) process.on(signal, onSignal)
  try {
    for (let slices = 1; !interrupted && running.advance(); slices++) {
      if (slices % 64 !== 0) continue
      log.flush()
      await new Promise((resolve) => setImmediate(resolve))
    }
  } catch (error) {
    // A defect of xmcheck itself: what was recorded up to here reproduces it.
    if (record !== undefined) writeFile(record, encodeRunTrace(options, running.recording, running.outcome(true)))
    throw error
  } finally {
    log.flush()
    for (const signal of SIGNALS) process.off(signal, onSignal)
  }
  const outcome = running.outcome(interrupted)
  if (record !== undefined) writeFile(record, encodeRunTrace(options, running.recording, outcome))
  report('run', outcome, running.system, log, flags, (performance.now() - started) / 1000, flags.record ?? null)
  process.exitCode = exitCodeOf(outcome)
}

/** `xmcheck replay` of a run. */
export function replayRun(path: string, flags: OutputFlags): void {
  const trace = reading(path, () => decodeRunTrace(readFile(path)))
  const log = new GuestOutput(flags)
  const started = performance.now()
  const { divergence, system } = rerun(trace.options, log, trace.recording)
  log.flush()
  const hash = system.hash()
  const exit = system.exit ?? { kind: trace.outcome.kind as Outcome['exit']['kind'], status: trace.outcome.status, message: 'the recording ends here' }
  const outcome = { exit, instructions: system.instructions, hash, lastPost: system.lastPost } as Outcome
  const differs = hash !== trace.outcome.hash || exit.kind !== trace.outcome.kind
  const message = divergence !== null ? `slice ${divergence.slice}: ${divergence.message}` : differs ? 'the final state differs' : null
  report('replay', outcome, system, log, flags, (performance.now() - started) / 1000, null, message)
  process.exitCode = message === null ? EXIT.complete : EXIT.diverged
}

function report(
  command: string, outcome: Outcome, system: System, log: GuestOutput, flags: OutputFlags, seconds: number, trace: string | null, divergence: string | null = null,
): void {
  const { exit, instructions, hash, lastPost } = outcome
  if (flags.json) {
    const document = {
      version: 1, command, exit, instructions, hash: hex(hash, 8), seconds, posts: log.posts, output: log.output, truncated: log.truncated, screen: system.screen.text(system.memory), trace, divergence, notes: system.notes, state: system.describe(),
    }
    process.stdout.write(`${JSON.stringify(document)}\n`)
    return
  }
  const say = (text: string) => process.stderr.write(`${text}\n`)
  if (divergence !== null) say(`xmcheck: the replay diverged: ${divergence}`)
  if (!flags.quiet) for (const line of system.screen.text(system.memory)) say(`screen| ${line}`)
  if (!flags.quiet) for (const note of system.notes) say(`note: ${note}`)
  // Whoever exits by the debug port has said what there is to say.
  if (exit.kind !== 'debug-exit') for (const line of system.describe()) say(line)
  if (flags.quiet) return
  const post = lastPost < 0 ? '' : `, last POST code ${hex(lastPost, 2)}`
  say(`xmcheck: ${exit.message}${post}; ${instructions} instructions, state hash ${hex(hash, 8)}, ${seconds.toFixed(1)} s`)
  if (trace !== null) say(`Replay it:  xmcheck replay ${trace}`)
}

/** A debug exit's status is the command's; the rest by errors.ts. */
function exitCodeOf({ exit }: Outcome): number {
  switch (exit.kind) {
    case 'debug-exit':
      return exit.status
    case 'halted':
    case 'power-off':
      return EXIT.complete
    case 'triple-fault':
    case 'reset':
      return EXIT.violated
    case 'stuck':
    case 'limit':
      return EXIT.open
    case 'interrupted':
      return EXIT.interrupted
  }
}

const hex = (value: number, digits: number) => `0x${(value >>> 0).toString(16).padStart(digits, '0')}`
