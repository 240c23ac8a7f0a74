/** `xmcheck mutate FILE.o ...`: does the property notice when a piece of the protocol is missing? */
import chalk from 'chalk'
import type { Command } from 'commander'
import { startCheck, type Check, type CheckOptions, type CheckResult } from '../explore/check.ts'
import { loadProgram } from '../guest/loadProgram.ts'
import { Campaign, FATES, type Fate, type Judged } from '../mutation/judge.ts'
import { programKey } from '../mutation/key.ts'
import { imageOf, originOf, type Origin } from '../mutation/mutants.ts'
import { fits, givenReasons, type GivenReason } from '../mutation/survivors.ts'
import type { MachineImage } from '../smp/image.ts'
import { makeModel, type Model } from '../smp/model.ts'
import { addModelFlags, addOutputFlags, addSearchFlags, checkOptionsOf, drive, knobsOf, saveTrace, wasInterrupted, type ModelFlags, type OutputFlags, type SearchFlags } from './common.ts'
import { EXIT, UsageError } from './errors.ts'
import { packageFile, readFile, readSource } from './files.ts'

interface Flags extends ModelFlags, OutputFlags, SearchFlags {
  readonly out?: string
  readonly key?: boolean
  readonly skip?: string
}

/** One mutant in the JSON output. */
interface MutantReport extends Origin {
  readonly kind: string
  /** What the same mutant is called in programs that were compiled otherwise from this source. */
  readonly piece: string
  readonly fate: Fate | 'skipped'
  /** As Judged.why; of a survivor that no fact explains the reason in the source, or ''. */
  readonly why: string
  /** The reason is somebody's word. */
  readonly given?: true
}

export function addMutate(program: Command): void {
  const command = program
    .command('mutate')
    .description('take pieces out of the machine code (stores, fences, LOCK, synchronisations, IPIs, checks) and see whether check notices; say why what holds does (docs/mutants.md)')
    .argument('<objects...>', 'object files, linked together; or one .asm')
    .option('--out <dir>', 'also write a trace of every mutant that is violated')
    .option('--skip <file>', 'leave out the pieces that a JSON list names as --json does, or as KIND, FILE, SOURCE LINE: another program has noticed them')
    .option('--key', 'print a key of the program, which changes where what it does changes, and do nothing else')
  addOutputFlags(addModelFlags(addSearchFlags(command))).action(mutate)
}

async function mutate(paths: readonly string[], flags: Flags): Promise<void> {
  const image = loadProgram(paths.map((path) => ({ name: path, bytes: readFile(path) })), { title: paths.join(' '), readSource: sourceText })
  const model = makeModel(knobsOf(flags, image))
  const key = programKey(image, model)
  if (flags.key) return void process.stdout.write(`${key}\n`)
  const { whole, options } = await strongest(image, model, checkOptionsOf(flags))
  if (whole.verdict !== 'holds') throw new UsageError(`${paths.join(' ')}: the program itself does not hold (${whole.violation?.message ?? whole.reasons.join('; ')}): there is nothing to take away`)
  const campaign = new Campaign(image, model, options, whole)
  const given = givenReasons(Object.fromEntries(Object.keys(image.sources).map((path) => [path, sourceText(path) ?? ''])))
  const skipped = new Set(flags.skip === undefined ? [] : readList(flags.skip))
  const named = new Map<string, number>()
  const reports: MutantReport[] = []
  for (const mutant of campaign.mutants) {
    if (wasInterrupted()) break
    const origin = originOf(image, mutant.place.address)
    const name = `${mutant.kind}, ${origin.function}, ${origin.file}, ${origin.text || origin.line}`
    const nth = named.get(name) ?? 0
    named.set(name, nth + 1)
    const piece = `${name}, ${nth}`
    if (skipped.has(piece) || skipped.has(`${mutant.kind}, ${origin.file}, ${origin.text}`)) {
      reports.push({ kind: mutant.kind, piece, ...origin, fate: 'skipped', why: '' })
      continue
    }
    const judged = await campaign.judge(mutant, driveWithin)
    const report = reportOf(judged, origin, piece, given)
    reports.push(report)
    if (flags.out !== undefined && judged.result?.violation) saveTrace(`${flags.out}/mutant-${reports.length}.xmt`, imageOf(image, mutant), model, judged.result)
    if (!flags.json) printMutant(report)
  }
  const counts = Object.fromEntries(FATES.map((fate) => [fate, reports.filter((one) => one.fate === fate).length])) as Record<Fate, number>
  const unexplained = reports.filter((one) => one.fate === 'survived' && one.why === '').length
  const unused = given.filter((one) => !reports.some((report) => report.given && fits(one, report.kind, report)))
  const { instructions, unreached, unseen } = campaign
  if (flags.json) process.stdout.write(`${JSON.stringify({ version: 2, command: 'mutate', key, ...counts, unexplained, instructions, unreached, unseen, mutants: reports, unused })}\n`)
  else {
    process.stdout.write(`${reports.length} mutants: ${FATES.map((fate) => `${counts[fate]} ${fate}`).join(', ')}; ${unexplained} survivors without a reason\n`)
    // Of functions with a size: labels of assembly have none.
    if (instructions > 0) process.stdout.write(`${unreached} of ${instructions} instructions were left alone: no execution reaches them, or only before or after the vCPUs run\n`)
    for (const reason of unseen) process.stdout.write(`not all executions were seen, so pieces may be missing, and reasons: ${reason}\n`)
  }
  process.exitCode = wasInterrupted() ? EXIT.interrupted : unexplained > 0 ? EXIT.violated : counts.undecided > 0 ? EXIT.open : EXIT.complete
}

/** The check of the program. Where all of its executions end, that is asked of the mutants too. */
async function strongest(image: MachineImage, model: Model, options: CheckOptions): Promise<{ readonly whole: CheckResult; readonly options: CheckOptions }> {
  if (options.liveness === 'auto' || options.liveness === undefined) {
    const ending: CheckOptions = { ...options, liveness: 'termination' }
    const whole = options.engine === 'graph' || options.engine === 'auto' ? await drive(startCheck(image, model, ending), () => {}) : null
    if (whole?.verdict === 'holds') return { whole, options: ending }
  }
  return { whole: await drive(startCheck(image, model, options), () => {}), options }
}

/** Of the user's, or of this package. */
const sourceText = (path: string) => readSource(path) ?? readSource(packageFile(path))

/** @throws UsageError where the file is no JSON list of texts */
function readList(path: string): string[] {
  try {
    const list: unknown = JSON.parse(new TextDecoder().decode(readFile(path)))
    if (Array.isArray(list) && list.every((one) => typeof one === 'string')) return list
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  throw new UsageError(`${path}: a JSON list of pieces is wanted, as 'piece' in the output of --json`)
}

/** A check, left where it has done so much. */
function driveWithin(check: Check, workMax: number): Promise<CheckResult> {
  return drive(check, ({ events, work = events }) => {
    if (work > workMax) check.stop()
  })
}

function reportOf({ mutant, fate, why }: Judged, origin: Origin, piece: string, given: readonly GivenReason[]): MutantReport {
  const word = fate === 'survived' && why === '' ? given.find((one) => fits(one, mutant.kind, origin)) : undefined
  return { kind: mutant.kind, piece, ...origin, fate, why: word?.reason ?? why, ...(word === undefined ? {} : { given: true }) }
}

function printMutant({ kind, function: name, offset, file, line, fate, why }: MutantReport): void {
  const color = { noticed: chalk.green, equal: chalk.dim, skipped: chalk.dim, survived: why === '' ? chalk.red : chalk.yellow, undecided: chalk.yellow }[fate]
  const where = `${name}+0x${offset.toString(16)}${file && ` (${file}:${line})`}`
  process.stdout.write(`${color(fate.padEnd(10))} ${kind.padEnd(26)} ${where.padEnd(40)} ${fate === 'survived' && why === '' ? 'no reason is known' : why}\n`)
}
