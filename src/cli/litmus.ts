/** `xmcheck litmus FILES|DIRECTORIES`: herd's litmus tests on the machine. */
import { Option, type Command } from 'commander'
import { LitmusError } from '../guest/litmus/litmusError.ts'
import { formatLitmus, resultText } from '../litmus/herdFormat.ts'
import { LITMUS_ENGINES, runLitmus, stateText, type LitmusEngine, type LitmusResult } from '../litmus/run.ts'
import { makeModel } from '../smp/model.ts'
import { addModelFlags, addOutputFlags, knobsOf, numberFlag, secondsFlag, type ModelFlags, type OutputFlags } from './common.ts'
import { EXIT, UsageError } from './errors.ts'
import { filesBelow, readFile } from './files.ts'

interface Flags extends ModelFlags, OutputFlags {
  readonly time?: string
  readonly states?: string
  readonly expected?: string
  readonly engine: LitmusEngine
}

export function addLitmus(program: Command): void {
  const command = program
    .command('litmus')
    .description("run litmus tests in herd's format (X86 and X86_64, narrowed to 32 bits)")
    .argument('<paths...>', 'files, directories (searched for *.litmus), or @FILE: a list of paths')
    .addOption(new Option('--engine <name>', 'classes searches states and classes, dpor makes one execution a class; auto begins with classes').choices(['auto', ...LITMUS_ENGINES]).default('auto'))
    .option('--time <seconds>', `stop each test after so many seconds (${SECONDS_DEFAULT})`)
    .option('--states <n>', 'stop each test after so many states (2 million)')
    .option('--expected <file>', 'compare with recorded final states (JSON lines: path or name, and finalStates, or full_states and sc_full_states)')
  addOutputFlags(addModelFlags(command)).action(litmus)
}

/** A file of a stranger's must not hold up the others. */
const SECONDS_DEFAULT = 60

/** What became of one file. */
interface Outcome {
  readonly exitCode: number
  readonly json: unknown
}

function litmus(paths: readonly string[], flags: Flags): void {
  const model = makeModel(knobsOf(flags))
  const seconds = secondsFlag(flags.time)
  const states = numberFlag('--states', flags.states, 1, 2 ** 31)
  if (flags.engine === 'dpor' && states !== undefined) throw new UsageError('--states: dpor keeps no states; limit it by --time')
  const limits = { seconds: seconds ?? SECONDS_DEFAULT, ...(states === undefined ? {} : { states }) }
  const expected = flags.expected === undefined ? null : readExpected(flags.expected, model.sc)
  const files = paths.flatMap((one) => filesBelow(one, '.litmus'))
  if (files.length === 0) throw new UsageError(`${paths.join(' ')}: no .litmus file is there`)
  const outcomes = files.map((path): Outcome => {
    try {
      const result = runLitmus(new TextDecoder().decode(readFile(path)), model, limits, flags.engine)
      return report(path, result, compare(expected, path, result), flags.json === true)
    } catch (error) {
      if (!(error instanceof LitmusError) && !(error instanceof UsageError)) throw error
      const where = error instanceof LitmusError ? `${path}${error.place}: ` : ''
      process.stderr.write(`xmcheck: ${where}${error.message}\n`)
      return { exitCode: EXIT.usage, json: { path, name: null, result: null, error: where + error.message } }
    }
  })
  if (flags.json) process.stdout.write(`${JSON.stringify({ version: 1, command: 'litmus', models: model.knobs, tests: outcomes.map(({ json }) => json) })}\n`)
  process.exitCode = [EXIT.usage, EXIT.violated, EXIT.open].find((code) => outcomes.some(({ exitCode }) => exitCode === code)) ?? EXIT.complete
}

/** @param difference from what is recorded, '' where there is none; null: nothing is compared */
function report(path: string, result: LitmusResult, difference: string | null, json: boolean): Outcome {
  const asExpected = difference === null ? null : difference === ''
  if (!json) process.stdout.write(`${formatLitmus(result)}\n`)
  for (const reason of result.reasons) process.stderr.write(`xmcheck: ${path}: ${reason}\n`)
  if (asExpected === false) process.stderr.write(`xmcheck: ${path}: not as recorded: ${difference}\n`)
  const exitCode = asExpected === false ? EXIT.violated : result.reasons.length > 0 ? EXIT.open : EXIT.complete
  return { exitCode, json: json ? toJson(path, result, asExpected) : null }
}

function toJson(path: string, result: LitmusResult, asExpected: boolean | null): unknown {
  return {
    path,
    name: result.test.name,
    result: resultText(result.ok),
    observation: result.observation,
    finalStates: finalStates(result),
    executions: result.executions,
    seconds: result.seconds,
    spins: result.spins,
    positive: result.positive,
    negative: result.negative,
    strength: result.reasons.length === 0 ? 'complete' : 'bounded',
    reasons: result.reasons,
    ...(asExpected === null ? {} : { asExpected }),
  }
}

const finalStates = ({ states }: LitmusResult) => states.map((state) => stateText(state.all))

type Expected = ReadonlyMap<string, readonly string[]>

function readExpected(path: string, sc: boolean): Expected {
  const expected = new Map<string, readonly string[]>()
  const lines = new TextDecoder().decode(readFile(path)).split('\n')
  if (lines.every((line) => line.trim() === '')) throw new UsageError(`${path}: it is empty; a line is wanted for each test, as --json has them: {"name": "SB", "finalStates": ["0:EAX=0 ..."]}`)
  lines.forEach((line, k) => {
    if (line.trim() === '') return
    let row: Record<string, unknown>
    try {
      row = JSON.parse(line) as Record<string, unknown>
    } catch {
      throw new UsageError(`${path}:${k + 1}: it is not JSON`)
    }
    const states = row[sc ? 'sc_full_states' : 'full_states'] ?? row.finalStates
    if (!Array.isArray(states)) throw new UsageError(`${path}:${k + 1}: finalStates (or ${sc ? 'sc_full_states' : 'full_states'}) is missing, a list of final states`)
    const names = [row.path, row.name].filter((name) => typeof name === 'string')
    if (names.length === 0) throw new UsageError(`${path}:${k + 1}: it names no test: path or name is missing`)
    // The path is the better name: tests of several folders share theirs.
    expected.set(names[0] as string, states.map(String))
  })
  return expected
}

/** States of a difference that are written out. */
const SHOWN = 2

function compare(expected: Expected | null, path: string, result: LitmusResult): string | null {
  if (expected === null) return null
  const key = [...expected.keys()].find((name) => path === name || path.endsWith(`/${name}`)) ?? result.test.name
  const states = expected.get(key)
  if (states === undefined) return `no record names ${path} or ${result.test.name}`
  const found = finalStates(result)
  const some = (what: string, all: readonly string[]) => (all.length === 0 ? [] : [`${all.length} ${what}: ${all.slice(0, SHOWN).join(', ')}${all.length > SHOWN ? ', ...' : ''}`])
  return [...some('not found', states.filter((one) => !found.includes(one))), ...some('not recorded', found.filter((one) => !states.includes(one)))].join('; ')
}
