/** `xmcheck catalogue [ID|SECTION ...]`: real protocols and bugs as guest code, held against what is known of them. */
import chalk from 'chalk'
import { Command } from 'commander'
import { createTwoFilesPatch } from 'diff'
import { agrees, readExpectations, type Expectation, type Outcome } from '../catalogue/compare.ts'
import { measure, measurementOf } from '../catalogue/measure.ts'
import { readScenario, ScenarioError, sourceOf, type Scenario, type ScenarioVariant } from '../catalogue/scenario.ts'
import { formatCount } from '../cost/format.ts'
import { startCheck, type CheckResult } from '../explore/check.ts'
import { loadObjects } from '../guest/loadObjects.ts'
import { formatLadder, type Ladder } from '../patching/ladder.ts'
import { programKey } from '../mutation/key.ts'
import { counted } from '../replay/columns.ts'
import type { MachineImage } from '../smp/image.ts'
import { makeModel } from '../smp/model.ts'
import { addModelFlags, addOutputFlags, addSearchFlags, checkOptionsOf, drive, knobsOf, paragraph, saveTrace, verdictJson, wasInterrupted, type ModelFlags, type OutputFlags, type SearchFlags } from './common.ts'
import { EXIT, UsageError } from './errors.ts'
import { filesBelow, packageFile, readFile, readSource, writeFile } from './files.ts'
import { climb } from './ladder.ts'

interface Flags extends OutputFlags {
  readonly ladder: boolean
  readonly trace: boolean
  readonly out: string
  readonly export?: string
  readonly list?: boolean
  readonly keys?: boolean
  readonly diff?: boolean
}

type VariantFlags = ModelFlags & SearchFlags

interface CaseReport {
  readonly variant: ScenarioVariant
  readonly image: MachineImage
  /** Null: measured, not explored. */
  readonly result: CheckResult | null
  readonly outcome: Outcome
  readonly trace: string | null
  readonly ladder: Ladder | null
}

interface VariantReport {
  readonly name: string
  readonly expected: string
  readonly ok: boolean
  readonly cases: readonly CaseReport[]
}

/** What is expected: of the catalogue's entries, and of those that we add. */
const DATA = ['catalogue.json', 'own.json']

export function addCatalogue(program: Command): void {
  const command = program
    .command('catalogue')
    .description('real protocols and bugs as guest code: every variant explored and held against its expected verdict')
    .argument('[ids...]', 'entries (A05) or sections (A); without: all')
    .option('--no-ladder', 'do not climb the fetch ladder where code is rewritten')
    .option('--no-trace', 'write no traces of violations')
    .option('--diff', 'show how the sources of the variants differ')
    .option('--list', 'list entries and variants with their options, explore nothing')
    .option('--keys', 'with --list --json: a key of each program, as xmcheck mutate --key gives it')
    .option('--export <dir>', 'write each variant as object file, source and options; explore nothing')
    .option('--out <dir>', 'where traces of violations go', 'out/catalogue')
  addOutputFlags(command).action(catalogue)
}

async function catalogue(ids: readonly string[], flags: Flags): Promise<void> {
  const expectations = DATA.flatMap((file) => readExpectations(JSON.parse(new TextDecoder().decode(readFile(packageFile('catalogue', file))))))
  const chosen = expectations.filter((entry) => ids.length === 0 || ids.some((id) => id.toUpperCase() === entry.id || id.toUpperCase() === entry.id[0]))
  const unknown = ids.filter((id) => !expectations.some((entry) => id.toUpperCase() === entry.id || id.toUpperCase() === entry.id[0]))
  if (unknown.length > 0) throw new UsageError(`catalogue ${unknown.join(' ')}: there is no such entry or section; xmcheck catalogue --list shows them`)
  const scenarios = readScenarios()
  if (flags.list) return list(chosen, scenarios, flags)
  if (flags.export !== undefined) return exportVariants(flags.export, chosen, scenarios)
  const documents: unknown[] = []
  let missing = 0
  let wrong = 0
  for (const entry of chosen) {
    const scenario = scenarios.get(entry.id)
    if (scenario === undefined) {
      missing++
      documents.push({ id: entry.id, title: entry.title, ok: false, missing: true, variants: [] })
      if (!flags.json) line(`${entry.id}  ${chalk.yellow('no scenario yet')}  ${chalk.dim(entry.title)}`)
      continue
    }
    if (!flags.json) line(paragraph(`${chalk.bold(entry.id)}  ${entry.title}`, 5))
    if (flags.diff && !flags.json) printDifferences(scenario)
    const reports: VariantReport[] = []
    for (const { name, verdict } of entry.variants) {
      const cases: CaseReport[] = []
      for (const variant of scenario.variants.filter((one) => one.name === name)) {
        if (wasInterrupted()) break
        cases.push(await runCase(scenario, variant, flags))
      }
      const report = { name, expected: verdict, ok: agrees(verdict, cases.map((one) => one.outcome)), cases }
      if (!report.ok) wrong++
      reports.push(report)
      if (!flags.json) printVariant(report)
    }
    documents.push({ id: entry.id, title: entry.title, source: scenario.source, ok: reports.every((report) => report.ok), variants: reports.map(variantJson) })
    if (wasInterrupted()) break
  }
  if (flags.json) line(JSON.stringify({ version: 1, command: 'catalogue', entries: documents }))
  else line(`${counted(chosen.length - missing, 'entry', 'entries')}, ${wrong === 0 ? chalk.green('every variant as expected') : chalk.red(`${counted(wrong, 'variant')} not as expected`)}${missing > 0 ? `; ${missing} without a scenario` : ''}`)
  process.exitCode = wasInterrupted() ? EXIT.interrupted : wrong > 0 ? EXIT.violated : missing > 0 ? EXIT.open : EXIT.complete
}

const line = (text: string): void => void process.stdout.write(`${text}\n`)

/** Every scenario there is, by entry. */
function readScenarios(): Map<string, Scenario> {
  const root = packageFile('catalogue')
  const scenarios = filesBelow(root, '.c').map((path) => {
    try {
      return readScenario(path.slice(root.length + 1), readSource(path) ?? '')
    } catch (error) {
      throw error instanceof ScenarioError ? new UsageError(error.message) : error
    }
  })
  return new Map(scenarios.map((scenario) => [scenario.id, scenario]))
}

function imageOf(scenario: Scenario, variant: ScenarioVariant): MachineImage {
  const path = packageFile('catalogue', variant.object)
  const title = `${scenario.id} ${variant.name}${variant.case && ` (${variant.case})`}: ${scenario.title}`
  return loadObjects([{ name: `catalogue/${variant.object}`, bytes: readFile(path) }], { title, readSource: (name) => readSource(packageFile(name)) })
}

function flagsOf(scenario: Scenario, { name, options }: ScenarioVariant): VariantFlags {
  const command = addModelFlags(addSearchFlags(new Command())).exitOverride().configureOutput({ writeErr: () => {} })
  try {
    return command.parse([...options], { from: 'user' }).opts<VariantFlags>()
  } catch {
    throw new UsageError(`${scenario.file}: variant ${name}: '${options.join(' ')}' are no options of xmcheck check`)
  }
}

async function runCase(scenario: Scenario, variant: ScenarioVariant, flags: Flags): Promise<CaseReport> {
  const measurement = measurementOf(variant)
  const image = imageOf(scenario, variant)
  if (measurement !== null) return { variant, image, result: null, outcome: measured(measure(image, measurement)), trace: null, ladder: null }
  const variantFlags = flagsOf(scenario, variant)
  const options = checkOptionsOf(variantFlags)
  const knobs = knobsOf(variantFlags, image)
  const model = makeModel(knobs)
  const result = await drive(startCheck(image, model, options), () => {})
  const trace = flags.trace && result.verdict === 'violated' ? `${flags.out}/${nameOf(scenario, variant)}.xmt` : null
  if (trace !== null) saveTrace(trace, image, model, result)
  // Where nobody fetches code that is written, every rung is the same.
  const ladder = flags.ladder && result.sharing.codeShared && !wasInterrupted() ? await climb(image, knobs, options, result) : null
  const { limits } = options
  const stated: Record<string, number> = limits?.preemptions === undefined ? {} : { preemptions: limits.preemptions }
  return { variant, image, result, outcome: { ...result, stated, metrics: {} }, trace, ladder }
}

const measured = (metrics: Record<string, number>): Outcome => ({ verdict: 'unknown', strength: 'sampled', bounds: {}, stated: {}, metrics })

const nameOf = ({ id }: Scenario, variant: ScenarioVariant) => [id, variant.name, variant.case].filter((part) => part !== '').join('.')

function printVariant({ name, expected, ok, cases }: VariantReport): void {
  const mark = ok ? chalk.green('ok') : chalk.red(`expected ${expected}`)
  if (cases.length === 0) return line(`  ${name.padEnd(26)} ${chalk.yellow('not built yet')}, expected ${expected}`)
  cases.forEach(({ variant, result, trace, ladder, outcome }) => {
    if (result === null) {
      line(`  ${(variant.case ? `${name}/${variant.case}` : name).padEnd(26)} ${'measured'.padEnd(26)} ${mark}`)
      for (const [metric, value] of Object.entries(outcome.metrics)) line(`      ${metric.padEnd(40)} ${formatCount(value).padStart(12)}`)
      return
    }
    const what = result.violation ? `violated: ${result.violation.kind}` : `${result.verdict}, ${result.strength}`
    const label = variant.case ? `${name}/${variant.case}` : name
    line(`  ${label.padEnd(26)} ${what.padEnd(26)} ${mark} ${chalk.dim(`${counted(result.states, 'state')}, ${result.seconds.toFixed(2)} s`)}`)
    if (result.violation) line(paragraph(`      ${result.violation.message}`, 6))
    for (const reason of result.reasons) line(paragraph(`      ${reason}`, 6))
    if (ladder !== null) line(paragraph(`      ${formatLadder(ladder)}`, 6))
    if (trace !== null) line(chalk.dim(`      xmcheck explain ${trace}`))
  })
}

function variantJson({ name, expected, ok, cases }: VariantReport): unknown {
  return {
    name, expected, ok,
    cases: cases.map(({ variant, image, result, trace, ladder, outcome }) => ({
      case: variant.case, defines: variant.defines, options: variant.options, ...(result === null ? {} : verdictJson(result, image, trace)), ladder, metrics: outcome.metrics,
    })),
  }
}

/** How each variant's source differs from the one before it. */
function printDifferences(scenario: Scenario): void {
  const text = readSource(packageFile('catalogue', scenario.file)) ?? ''
  const [first, ...others] = scenario.variants
  for (const other of others) {
    const [a, b] = [first, other].map((variant) => sourceOf(text, scenario, variant))
    if (a === b) {
      line(chalk.dim(`      ${other.name}: the same code, ${other.options.join(' ') || 'default options'}`))
      continue
    }
    const patch = createTwoFilesPatch(first.name, other.name, a, b, '', '', { context: 1 })
    for (const row of patch.split('\n').slice(1, -1)) line(`      ${row.startsWith('+') ? chalk.green(row) : row.startsWith('-') ? chalk.red(row) : row}`)
  }
}

function list(chosen: readonly Expectation[], scenarios: ReadonlyMap<string, Scenario>, flags: Flags): void {
  if (flags.json) {
    const keyOf = (scenario: Scenario, one: ScenarioVariant) => {
      const image = imageOf(scenario, one)
      return programKey(image, makeModel(knobsOf(flagsOf(scenario, one), image)))
    }
    const withKey = (scenario: Scenario) => scenario.variants.map((one) => (flags.keys && measurementOf(one) === null ? { ...one, key: keyOf(scenario, one) } : one))
    const entries = chosen.map(({ id, title, kind, variants }) => {
      const scenario = scenarios.get(id)
      return { id, title, kind, expected: variants, file: scenario?.file ?? null, variants: scenario === undefined ? [] : withKey(scenario) }
    })
    return line(JSON.stringify({ version: 1, command: 'catalogue', entries }))
  }
  for (const { id, title, variants } of chosen) {
    line(`${id}  ${title}`)
    for (const { name, verdict } of variants) {
      const cases = scenarios.get(id)?.variants.filter((one) => one.name === name) ?? []
      if (cases.length === 0) line(`      ${name.padEnd(32)} ${verdict.padEnd(9)} not built yet`)
      for (const one of cases) line(`      ${(one.case ? `${name}/${one.case}` : name).padEnd(32)} ${verdict.padEnd(9)} ${[...one.defines, ...one.options].join(' ')}`)
    }
  }
}

/** What a user starts from: objects, sources as each variant sees them, and the commands that give the same verdicts. */
function exportVariants(dir: string, chosen: readonly Expectation[], scenarios: ReadonlyMap<string, Scenario>): void {
  const commands: string[] = []
  for (const { id } of chosen) {
    const scenario = scenarios.get(id)
    if (scenario === undefined) continue
    const text = readSource(packageFile('catalogue', scenario.file)) ?? ''
    for (const variant of scenario.variants) {
      const name = nameOf(scenario, variant)
      writeFile(`${dir}/${name}.o`, readFile(packageFile('catalogue', variant.object)))
      writeFile(`${dir}/${name}.c`, new TextEncoder().encode(`/* ${id}  ${scenario.title}\n   ${scenario.source} */\n${sourceOf(text, scenario, variant)}`))
      const { options } = variant
      commands.push(options[0] === 'measure' ? `xmcheck cost run ${name}.o` : ['xmcheck check', `${name}.o`, ...options].join(' '))
    }
  }
  writeFile(`${dir}/commands.txt`, new TextEncoder().encode(`${commands.join('\n')}\n`))
  line(`${commands.length} variants in ${dir}; ${dir}/commands.txt has the command of each`)
}
