/** The command. stdout is data, stderr is progress; exit codes are in errors.ts. */
import chalk from 'chalk'
import { Command, CommanderError } from 'commander'
import { InputError } from '../guest/inputError.ts'
import { ScheduleError } from '../replay/schedule.ts'
import { KnobError } from '../smp/model.ts'
import { DivergedError, EXIT, UsageError } from './errors.ts'
import { packageFile, readSource } from './files.ts'

if (process.env.NO_COLOR || process.argv.includes('--no-color')) chalk.level = 0

/** Only the subcommand that is named is loaded: starting costs more than many a check. */
const COMMANDS: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  relink: async () => (await import('./relink.ts')).addRelink,
  check: async () => (await import('./check.ts')).addCheck,
  catalogue: async () => (await import('./catalogue.ts')).addCatalogue,
  cost: async () => (await import('./cost.ts')).addCost,
  mutate: async () => (await import('./mutate.ts')).addMutate,
  replay: async () => (await import('./replay.ts')).addReplay,
  minimize: async () => (await import('./minimize.ts')).addMinimize,
  explain: async () => (await import('./explain.ts')).addExplain,
  merge: async () => (await import('./merge.ts')).addMerge,
  litmus: async () => (await import('./litmus.ts')).addLitmus,
  run: async () => (await import('./run.ts')).addRun,
  bench: async () => (await import('./bench.ts')).addBench,
  list: async () => (await import('./list.ts')).addList,
}
const [, , named] = process.argv
const wanted = Object.keys(COMMANDS).filter((name) => !Object.hasOwn(COMMANDS, named ?? '') || name === named)

const program = new Command('xmcheck')
  .description('explores the interleavings of real i386 machine code on several vCPUs')
  .version(JSON.parse(readSource(packageFile('package.json'))!).version, '--version', 'print the version')
  .showHelpAfterError('(xmcheck help shows what there is)')
  .exitOverride()
for (const name of wanted) (await COMMANDS[name]())(program)
for (const command of program.commands) command.exitOverride()
// The reader of a pipe may leave early (`| head`): what is not known by then is no success.
process.stdout.on('error', () => process.exit(process.exitCode ?? EXIT.interrupted))

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.complete : EXIT.usage
  else if (error instanceof UsageError || error instanceof InputError || error instanceof KnobError || error instanceof ScheduleError) {
    process.stderr.write(`xmcheck: ${error.message}\n`)
    process.exitCode = EXIT.usage
  } else if (error instanceof DivergedError) {
    process.stderr.write(`xmcheck: ${error.message}\n`)
    process.exitCode = EXIT.diverged
  } else {
    process.stderr.write(`xmcheck: internal error, please report it: ${error instanceof Error ? error.stack : String(error)}\n`)
    process.exitCode = EXIT.internal
  }
}
