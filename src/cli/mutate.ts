/** `xmcheck mutate FILE.o ...`: does the property notice when a piece of the protocol is missing? */
import chalk from 'chalk'
import type { Command } from 'commander'
import { startCheck, type Check, type CheckResult } from '../explore/check.ts'
import { loadObjects } from '../guest/loadObjects.ts'
import { Campaign, FATES, type Fate, type Judged } from '../mutation/judge.ts'
import { programKey } from '../mutation/key.ts'
import { imageOf, originOf, type Origin } from '../mutation/mutants.ts'
import { fits, givenReasons } from '../mutation/survivors.ts'
import type { MachineImage } from '../smp/image.ts'
import { makeModel } from '../smp/model.ts'
import { addModelFlags, addOutputFlags, addSearchFlags, checkOptionsOf, drive, knobsOf, saveTrace, wasInterrupted, type ModelFlags, type OutputFlags, type SearchFlags } from './common.ts'
import { EXIT, UsageError } from './errors.ts'
import { packageFile, readFile, readSource } from './files.ts'

interface Flags extends ModelFlags, OutputFlags, SearchFlags {
  readonly out?: string
  readonly unless?: string
}

/** One mutant in the JSON output. */
interface MutantReport extends Origin {
  readonly kind: string
  readonly fate: Fate
  /** As Judged.why; of a survivor that no fact explains the reason in the source, or ''. */
  readonly why: string
  /** The reason is somebody's word. */
  readonly given?: true
}

export function addMutate(program: Command): void {
  const command = program
    .command('mutate')
    .description('take pieces out of the machine code (stores, fences, LOCK, synchronisations, IPIs, checks) and see whether check notices; say why what holds does (docs/mutants.md)')
    .argument('<objects...>', 'object files, linked together')
    .option('--out <dir>', 'also write a trace of every mutant that is violated')
    .option('--unless <key>', 'do nothing where the program is the one that --json gave this key')
  addOutputFlags(addModelFlags(addSearchFlags(command))).action(mutate)
}

async function mutate(paths: readonly string[], flags: Flags): Promise<void> {
  const image = loadObjects(paths.map((path) => ({ name: path, bytes: readFile(path) })), { title: paths.join(' '), readSource: sourceText })
  const model = makeModel(knobsOf(flags))
  const options = checkOptionsOf(flags)
  const key = programKey(image, model)
  if (flags.unless === key) {
    if (flags.json) process.stdout.write(`${JSON.stringify({ version: 2, command: 'mutate', key, unchanged: true })}\n`)
    return
  }
  const whole = await drive(startCheck(image, model, options), () => {})
  if (whole.verdict !== 'holds') throw new UsageError(`${paths.join(' ')}: the program itself does not hold (${whole.violation?.message ?? whole.reasons.join('; ')}): there is nothing to take away`)
  const campaign = new Campaign(image, model, options, whole)
  const given = givenReasons(Object.fromEntries(Object.keys(image.sources).map((path) => [path, sourceText(path) ?? ''])))
  const reports: MutantReport[] = []
  for (const mutant of campaign.mutants) {
    if (wasInterrupted()) break
    const judged = await campaign.judge(mutant, driveWithin)
    const report = reportOf(image, judged, given)
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
    process.stdout.write(`${unreached} of ${instructions} instructions are reached by no execution and were left alone\n`)
    for (const reason of unseen) process.stdout.write(`not all executions were seen, so pieces may be missing, and reasons: ${reason}\n`)
  }
  process.exitCode = wasInterrupted() ? EXIT.interrupted : unexplained > 0 ? EXIT.violated : counts.undecided > 0 ? EXIT.open : EXIT.complete
}

/** Of the user's, or of this package. */
const sourceText = (path: string) => readSource(path) ?? readSource(packageFile(path))

/** A check, left where it has taken so many events. */
function driveWithin(check: Check, eventsMax: number): Promise<CheckResult> {
  return drive(check, ({ events }) => {
    if (events > eventsMax) check.stop()
  })
}

function reportOf(image: MachineImage, { mutant, fate, why }: Judged, given: ReturnType<typeof givenReasons>): MutantReport {
  const origin = originOf(image, mutant.place.address)
  const word = fate === 'survived' && why === '' ? given.find((one) => fits(one, mutant.kind, origin)) : undefined
  return { kind: mutant.kind, ...origin, fate, why: word?.reason ?? why, ...(word === undefined ? {} : { given: true }) }
}

function printMutant({ kind, function: name, offset, file, line, fate, why }: MutantReport): void {
  const color = { noticed: chalk.green, equal: chalk.dim, survived: why === '' ? chalk.red : chalk.yellow, undecided: chalk.yellow }[fate]
  const where = `${name}+0x${offset.toString(16)}${file && ` (${file}:${line})`}`
  process.stdout.write(`${color(fate.padEnd(10))} ${kind.padEnd(26)} ${where.padEnd(40)} ${fate === 'survived' && why === '' ? 'no reason is known' : why}\n`)
}
