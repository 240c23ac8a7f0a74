/** `xmcheck mutate FILE.o ...`: does the property notice when a piece of the protocol is missing? */
import chalk from 'chalk'
import type { Command } from 'commander'
import { startCheck, type CheckResult } from '../explore/check.ts'
import { loadObjects } from '../guest/loadObjects.ts'
import { mutantsOf, type Mutant } from '../mutation/mutants.ts'
import { makeModel } from '../smp/model.ts'
import { addModelFlags, addOutputFlags, addSearchFlags, checkOptionsOf, drive, knobsOf, saveTrace, wasInterrupted, type ModelFlags, type OutputFlags, type SearchFlags } from './common.ts'
import { EXIT, UsageError } from './errors.ts'
import { readFile, readSource } from './files.ts'

interface Flags extends ModelFlags, OutputFlags, SearchFlags {
  readonly out?: string
}

/** What became of a mutant: `noticed` when it is violated, or when something that was declared is no longer reached. */
export type Fate = 'noticed' | 'survived' | 'undecided'

export interface MutantReport extends Pick<Mutant, 'kind' | 'where'> {
  readonly fate: Fate
  /** Kind of the violation, or why there is none. */
  readonly how: string
}

export function addMutate(program: Command): void {
  const command = program
    .command('mutate')
    .description('take pieces out of the machine code (stores, fences, LOCK, synchronisations, IPIs, checks) and see whether check notices')
    .argument('<objects...>', 'object files, linked together')
    .option('--out <dir>', 'also write a trace of every mutant that is violated')
  addOutputFlags(addModelFlags(addSearchFlags(command))).action(mutate)
}

/** States of one mutant without --states: a mutant may spin through far more than the program does. */
const MUTANT_STATES = 400_000

async function mutate(paths: readonly string[], flags: Flags): Promise<void> {
  const image = loadObjects(paths.map((path) => ({ name: path, bytes: readFile(path) })), { title: paths.join(' '), readSource })
  const model = makeModel(knobsOf(flags))
  const options = checkOptionsOf(flags)
  const whole = await drive(startCheck(image, model, options), () => {})
  if (whole.verdict !== 'holds') throw new UsageError(`${paths.join(' ')}: the program itself does not hold (${whole.violation?.message ?? whole.reasons.join('; ')}): there is nothing to take away`)
  const limits = { states: Math.max(MUTANT_STATES, whole.states * 4), seconds: 60, ...options.limits }
  const reports: MutantReport[] = []
  for (const mutant of mutantsOf(image)) {
    if (wasInterrupted()) break
    const result = await drive(startCheck(mutant.image, model, { ...options, limits }), () => {})
    const report = { kind: mutant.kind, where: mutant.where, ...fateOf(result) }
    reports.push(report)
    if (flags.out !== undefined && result.violation !== null) saveTrace(`${flags.out}/mutant-${reports.length}.xmt`, mutant.image, model, result)
    if (!flags.json) {
      const color = report.fate === 'noticed' ? chalk.green : report.fate === 'survived' ? chalk.red : chalk.yellow
      process.stdout.write(`${color(report.fate.padEnd(10))} ${report.kind.padEnd(30)} ${report.where.padEnd(44)} ${report.how}\n`)
    }
  }
  const count = (fate: Fate) => reports.filter((one) => one.fate === fate).length
  if (flags.json) process.stdout.write(`${JSON.stringify({ version: 1, command: 'mutate', noticed: count('noticed'), survived: count('survived'), undecided: count('undecided'), mutants: reports })}\n`)
  else process.stdout.write(`${reports.length} mutants: ${count('noticed')} noticed, ${count('survived')} survived, ${count('undecided')} undecided\n`)
  process.exitCode = wasInterrupted() ? EXIT.interrupted : count('survived') > 0 ? EXIT.violated : count('undecided') > 0 ? EXIT.open : EXIT.complete
}

function fateOf(result: CheckResult): { fate: Fate; how: string } {
  if (result.violation !== null) return { fate: 'noticed', how: result.violation.kind }
  if (result.vacuous && result.strength === 'complete') return { fate: 'noticed', how: 'something is no longer reached' }
  if (result.verdict === 'holds' && result.strength === 'complete') return { fate: 'survived', how: 'holds, complete' }
  return { fate: 'undecided', how: result.reasons[0] ?? result.strength }
}
