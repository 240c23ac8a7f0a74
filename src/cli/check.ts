/** `xmcheck check FILE.o ...`: explores the user's own code. */
import chalk from 'chalk'
import { Option, type Command } from 'commander'
import { startCheck, type CheckResult } from '../explore/check.ts'
import type { Progress } from '../explore/explorable.ts'
import { parsePlacement } from '../guest/elf/placement.ts'
import { parseVcpus } from '../guest/linkOptions.ts'
import { loadProgram } from '../guest/loadProgram.ts'
import { formatLadder, type Ladder } from '../patching/ladder.ts'
import { formatProfiles, knobsUnder, type ProfileVerdict } from '../patching/profiles.ts'
import { counted } from '../replay/columns.ts'
import { runSchedule } from '../replay/record.ts'
import { parseScheduleLine } from '../replay/schedule.ts'
import { parseSharing } from '../replay/sharingText.ts'
import { encodeTrace, type Trace } from '../replay/trace.ts'
import type { MachineImage } from '../smp/image.ts'
import { assumesMoreThanMeasured, makeModel, parseRung, type KnobValue, type Model } from '../smp/model.ts'
import {
  addModelFlags, addOutputFlags, addSearchFlags, checkOptionsOf, drive, exitCodeOf, knobsOf, livenessFlag, leastTrace, loadTimeline, memoryUsed, paragraph,
  terminalWidth, verdictJson, wasInterrupted,
  type ModelFlags, type OutputFlags, type SearchFlags, type TaskFlags,
} from './common.ts'
import { DivergedError, EXIT, UsageError } from './errors.ts'
import { readFile, readSource, writeFile } from './files.ts'
import { climb, tryProfiles } from './ladder.ts'
import { describeProgress, showProgress } from './progress.ts'
import { addTaskFlags, asMistake, keeper, reading, withTasks } from './tasks.ts'

interface Flags extends ModelFlags, OutputFlags, SearchFlags, TaskFlags {
  readonly place?: readonly string[]
  readonly vcpus?: string
  readonly out: string
  readonly expect?: 'holds' | 'violated'
  readonly schedule?: string
  readonly ladder?: boolean
}

export function addCheck(program: Command): void {
  const command = program
    .command('check')
    .description('explore ELF32 objects (gcc -m32 -ffreestanding -fno-pic -c) that declare their vCPUs with include/xmcheck.h, or one text in assembly (docs/assembly.md)')
    .argument('<objects...>', 'object files, linked together; or one .asm')
    .option('--place <what=address>', 'place SECTION or symbol:NAME at an address (repeatable)', (value: string, all: string[] = []) => [...all, value])
    .option('--vcpus <names>', 'entry functions instead of the declared ones: patcher,executor*2')
    .addOption(livenessFlag())
    .option('--out <dir>', 'where the trace of a violation goes', 'out/check')
    .option('--schedule <line>', 'run this one schedule, as xmcheck explain prints it, instead of exploring')
    .option('--ladder', 'also say on which rungs of the fetch ladder, and under which profiles (xmcheck list), it holds and on which it is violated')
    .addOption(new Option('--expect <verdict>', 'exit 0 if this is the verdict, 1 otherwise').choices(['holds', 'violated']))
  addOutputFlags(addModelFlags(addTaskFlags(addSearchFlags(command)))).action(check)
}

async function check(paths: readonly string[], flags: Flags): Promise<void> {
  const options = checkOptionsOf(flags)
  const image = loadProgram(
    paths.map((path) => ({ name: path, bytes: readFile(path) })),
    {
      title: paths.join(' '),
      readSource,
      ...(flags.place ? { placements: flags.place.map(parsePlacement) } : {}),
      ...(flags.vcpus ? { vcpus: parseVcpus(flags.vcpus) } : {}),
    },
  )
  const knobs = knobsOf(flags, image)
  const model = makeModel(knobs)
  if (flags.schedule !== undefined && flags.ladder) throw new UsageError('--ladder explores: --schedule runs one execution')
  if (flags.schedule !== undefined) return checkSchedule(image, model, flags.schedule, paths, flags)
  const progress = process.stderr.isTTY && !flags.quiet
  const started = performance.now()
  const show = (now: Progress) => showProgress(describeProgress(now, (performance.now() - started) / 1000, Math.round(memoryUsed() / 2 ** 20)))
  const search = reading(flags.resume ?? '', () => startCheck(image, model, withTasks(options, flags, image, model)))
  const found = await drive(search, (now) => progress && show(now), keeper(flags)).catch((error: unknown) => {
    throw asMistake(flags.resume ?? '', error)
  })
  if (progress) process.stderr.write('\n')
  /** Of each rung and profile that was explored and does not hold: why. Violations have a trace. */
  const why = new Map<string, string>()
  const tracePathOf = (name: string) => `${tracePath(paths, flags).slice(0, -'.xmt'.length)}-${name.replace(':', '-')}.xmt`
  const keep = (name: string, knobs: Readonly<Record<string, KnobValue>>, other: CheckResult) => {
    const { violation, reasons } = other
    why.set(name, violation === null ? (reasons[0] ?? '') : `${violation.kind}: ${violation.message}`)
    if (violation === null) return
    save(tracePathOf(name), leastTrace(image, makeModel(knobs), other))
  }
  const trace = found.verdict === 'violated' ? leastTrace(image, model, found) : null
  const path = trace === null ? null : save(tracePath(paths, flags), trace)
  // What is reported is the execution of the trace: a minimised one can end with another vCPU.
  const result = trace === null || trace.violation === null ? found : { ...found, violation: trace.violation, schedule: [...trace.schedule] }
  const climbed = flags.ladder && !wasInterrupted() ? await climb(image, knobs, options, found, (rung, other) => keep(rung, { ...knobs, fetch: rung }, other)) : null
  const profiles = climbed !== null && !wasInterrupted() ? await tryProfiles(image, knobs, options, climbed, (name, other) => keep(name, knobsUnder(name, knobs), other)) : []
  const ladder = climbed === null ? {} : { ladder: climbed, profiles }
  process.exitCode = flags.expect === undefined ? exitCodeOf(result) : result.verdict === flags.expect ? EXIT.complete : EXIT.violated
  if (flags.json) process.stdout.write(`${JSON.stringify({ version: 1, command: 'check', ...verdictJson(result, image, path), ...ladder })}\n`)
  else {
    print(result, climbed !== null)
    if (climbed !== null) printLadder(climbed, profiles, why, tracePathOf)
    if (trace !== null) await printTrace(trace, path)
  }
}

/** @param why of what was explored and does not hold */
function printLadder(ladder: Ladder, profiles: readonly ProfileVerdict[], why: ReadonlyMap<string, string>, tracePathOf: (name: string) => string): void {
  const out = (text: string) => process.stdout.write(`${text}\n`)
  const told = new Set<string>()
  const rows = (title: string, all: readonly { readonly name: string; readonly verdict: string; readonly derived: boolean }[]) => {
    out(title)
    for (const { name, verdict, derived } of all) {
      const reason = (verdict === 'holds' ? undefined : why.get(name)) ?? ''
      out(`  ${name.padEnd(16)}${verdict}${derived ? ' (follows)' : ''}${reason === '' ? '' : told.has(reason) ? ', as above' : `: ${reason}`}`)
      told.add(reason)
    }
  }
  const rungs = ladder.rungs.map((one) => ({ ...one, name: one.rung }))
  const named = profiles.map((one) => ({ ...one, name: one.profile }))
  rows(`fetch ladder: ${formatLadder(ladder)}`, rungs)
  rows(`profiles: ${formatProfiles(profiles)}`, named)
  const [traced, ...others] = [...rungs, ...named].filter(({ name, verdict }) => verdict === 'violated' && why.has(name))
  if (traced !== undefined) out(`Explain one: xmcheck explain ${tracePathOf(traced.name)}${others.length === 0 ? '' : `; likewise ${others.map(({ name }) => name).join(', ')}`}`)
}

const tracePath = (paths: readonly string[], flags: Flags) => `${flags.out}/${(paths[0].split('/').pop() ?? 'trace').replace(/\.o$/, '')}.xmt`

/** A verdict is worth more than its trace: where that cannot be written, this is said, and no more. @returns `path`; null: it was not saved */
function save(path: string, trace: Trace): string | null {
  try {
    writeFile(path, encodeTrace(trace))
    return path
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`the trace is not saved: ${error.message}\n`)
    return null
  }
}

/** @param path where it was saved; null: it was not */
async function printTrace(trace: Trace, path: string | null): Promise<void> {
  const { describeCycle, formatTimeline, timelineOf } = await loadTimeline()
  process.stdout.write(`\n${formatTimeline(timelineOf(trace), terminalWidth())}\n`)
  if (trace.cycleFrom !== null) process.stdout.write(`${describeCycle({ from: trace.cycleFrom + 1, to: trace.schedule.length })}\n`)
  if (path !== null) process.stdout.write(`\nReplay it:  xmcheck replay ${path}\nExplain it: xmcheck explain ${path}\n`)
}

const UNFINISHED = 'the schedule ends before the program does, without a violation so far'

/** One execution: it can show a violation, and proves nothing otherwise. */
async function checkSchedule(image: MachineImage, model: Model, line: string, paths: readonly string[], flags: Flags): Promise<void> {
  const { sharing, schedule, cycle } = parseScheduleLine(line)
  const known = parseSharing(image, sharing)
  if (known.missing.length > 0) throw new UsageError(`--schedule: the objects have no place for ${known.missing.join(' ')}`)
  const { trace, divergence, ended } = runSchedule(image, model, known.sharing, schedule, cycle)
  if (divergence !== null) throw new DivergedError(`--schedule: step ${divergence.step}: ${divergence.message}`)
  const { violation } = trace
  const path = violation === null ? null : save(tracePath(paths, flags), trace)
  const verdict = violation !== null ? 'violated' : ended ? 'holds' : 'unknown'
  if (flags.json) {
    const document = {
      version: 1, command: 'check', verdict, strength: 'sampled', reasons: verdict === 'unknown' ? [UNFINISHED] : [], bounds: {}, states: schedule.length + 1, executions: 1, events: schedule.length,
      seconds: 0, engine: 'schedule', models: model.knobs, coverage: {}, violation: violation && { ...violation, trace: path },
    }
    process.stdout.write(`${JSON.stringify(document)}\n`)
  } else {
    process.stdout.write(violation !== null ? `violated: ${violation.kind}: ${violation.message}\n` : ended ? 'no violation in this one execution\n' : `unknown: ${UNFINISHED}\n`)
    await printTrace(trace, path)
  }
  process.exitCode = flags.expect !== undefined ? (verdict === flags.expect ? EXIT.complete : EXIT.violated) : violation === null ? EXIT.open : EXIT.violated
}

/** @param climbed the fetch ladder follows */
function print(result: CheckResult, climbed: boolean): void {
  const out = (text: string) => process.stdout.write(`${paragraph(text)}\n`)
  const color = result.verdict === 'holds' ? chalk.green : result.verdict === 'violated' ? chalk.red : chalk.yellow
  const bounds = Object.entries(result.bounds).map(([name, value]) => ` (at most ${value} ${name})`).join('')
  out(color(`${result.verdict}${result.verdict === 'violated' ? '' : `, ${result.strength}${bounds}`}`) + (result.violation ? `: ${result.violation.kind}: ${result.violation.message}` : ''))
  for (const reason of result.reasons) out(`  ${reason}`)
  if (result.chosen) out(`engine: ${result.chosen}`)
  if (result.liveness) out(`liveness: ${result.liveness.text}`)
  out(`${counted(result.states, 'state')}, ${counted(result.executions, 'path')}, ${counted(result.events, 'event')} in ${result.seconds.toFixed(2)} s (${result.engine}), ${Math.round(memoryUsed() / 2 ** 20)} MB`)
  if (result.others) out(`  ${counted(result.executions, 'class', 'classes')}; besides ${counted(result.others.discarded, 'execution')} discarded in a failed turn of a loop, ${result.others.cut} cut, ${result.others.redundant} redundant${result.others.endless === 0 ? '' : `, ${result.others.endless} that do not end`}`)
  if (result.orders) out(`  ${counted(result.orders.pairs, 'pair')} of conflicting accesses, ${result.orders.both} of them seen in both orders`)
  if (result.cost) out(`least ${result.cycleFrom === undefined ? 'schedule' : 'way to where nothing helps any more'}: ${counted(result.cost.preemptions, 'preemption')}, ${counted(result.cost.environment, 'environment choice')}, ${counted(result.cost.delays, 'delayed drain')}`)
  for (const point of result.coverage.points) out(`  ${point.kind} ${point.file}:${point.line} \`${point.text}\`: ${counted(point.evaluations, 'time')}`)
  for (const site of result.coverage.sites) out(`  site ${site.site} to ${site.target}: ${counted(site.executions, 'time')}`)
  if (result.coverage.cut > 0) out(`  ${counted(result.coverage.cut, 'execution')} cut by assumptions`)
  out(`rests on: ${Object.entries(result.models).map(([name, value]) => `${name}=${value}`).join(' ')}`)
  const fetch = String(result.models.fetch)
  if (!climbed && result.verdict !== 'violated' && result.sharing.codeShared && assumesMoreThanMeasured(parseRung(fetch)!))
    out(`code is rewritten while it runs, and real cores were seen to fetch it more loosely than fetch=${fetch}: ask --ladder or --profile measured`)
}
