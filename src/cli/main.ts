/** The command. stdout is data, stderr is progress; exit codes are in errors.ts. */
import chalk from 'chalk'
import { Command, CommanderError } from 'commander'
import { InputError } from '../guest/inputError.ts'
import { addRun } from './run.ts'
import { ScheduleError } from '../replay/schedule.ts'
import { KnobError } from '../smp/model.ts'
import { addBench } from './bench.ts'
import { addCatalogue } from './catalogue.ts'
import { addCheck } from './check.ts'
import { DivergedError, EXIT, UsageError } from './errors.ts'
import { addCost } from './cost.ts'
import { addExplain } from './explain.ts'
import { addList } from './list.ts'
import { addLitmus } from './litmus.ts'
import { addMerge } from './merge.ts'
import { addMinimize } from './minimize.ts'
import { addMutate } from './mutate.ts'
import { addRelink } from './relink.ts'
import { addReplay } from './replay.ts'

if (process.env.NO_COLOR || process.argv.includes('--no-color')) chalk.level = 0

const program = new Command('xmcheck')
  .description('explores the interleavings of real i386 machine code on several vCPUs')
  .showHelpAfterError('(xmcheck help shows what there is)')
  .exitOverride()
const COMMANDS = [
  addRelink,
  addCheck,
  addCatalogue,
  addCost,
  addMutate,
  addReplay,
  addMinimize,
  addExplain,
  addMerge,
  addLitmus,
  addRun,
  addBench,
  addList,
]
for (const add of COMMANDS) add(program)
for (const command of program.commands) command.exitOverride()
// The reader of a pipe may leave early (`| head`).
process.stdout.on('error', () => process.exit())

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
