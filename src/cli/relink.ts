/** `xmcheck relink`: the founding question, for every alignment class and every rung. */
import chalk from 'chalk'
import type { Command } from 'commander'
import { makeModel, rungLegend, RUNGS } from '../smp/model.ts'
import { answer } from '../patching/relinkAnswer.ts'
import { LAYOUTS, NEW_TARGET, OLD_TARGET, startCell, type Cell, type RelinkLayout } from '../patching/relink.ts'
import { wrap } from '../replay/columns.ts'
import type { Trace } from '../replay/trace.ts'
import {
  addModelFlags, addOutputFlags, addSearchFlags, checkOptionsOf, drive, knobsOf, loadTimeline, saveTrace, verdictJson, wasInterrupted,
  type ModelFlags, type OutputFlags, type SearchFlags,
} from './common.ts'
import { EXIT, UsageError } from './errors.ts'
import { packageFile, readFile } from './files.ts'
import { showProgress } from './progress.ts'

interface JudgedCell {
  readonly cell: Cell
  readonly trace: string | null
}

interface Flags extends ModelFlags, OutputFlags, SearchFlags {
  readonly at?: string
  readonly from?: string
  readonly to?: string
  readonly out: string
}

const VCPUS = [2, 3, 4]
/** Columns of what is printed. */
const WIDTH = 80
/** Random walks of one cell, where that engine is asked for: its loops are short. */
const WALKS = { executions: 60, stepsMax: 150 }

export function addRelink(program: Command): void {
  const command = program
    .command('relink')
    .description('can a call whose offset is rewritten by one store reach anything but the old or the new function?')
    .option('--at <address>', 'address of the first offset byte (default: every alignment class)')
    .option('--from <address>', 'address of the old function')
    .option('--to <address>', 'address of the new function')
    .option('--out <dir>', 'where traces of violated cells go', 'out/relink')
  addOutputFlags(addModelFlags(addSearchFlags(command))).action(relink)
}

async function relink(flags: Flags): Promise<void> {
  const options = { ...WALKS, ...checkOptionsOf(flags) }
  const layouts = layoutsOf(flags)
  const knobs = knobsOf(flags)
  makeModel(knobs)
  const rungs = flags.fetch === undefined && knobs.fetch === undefined ? RUNGS : [String(knobs.fetch)]
  const objects = [{ name: 'relink.o', bytes: readFile(packageFile('examples', 'relink.o')) }]
  const progress = process.stderr.isTTY && !flags.quiet
  const total = layouts.length * rungs.length * VCPUS.length
  const cells: JudgedCell[] = []
  let first: Trace | null = null
  for (const layout of layouts)
    for (const fetch of rungs)
      for (const vcpus of VCPUS) {
        if (wasInterrupted()) continue
        if (progress) showProgress(`${cells.length}/${total} cells`)
        const start = startCell(objects, layout, vcpus, { ...knobs, fetch }, options)
        const cell = start.judge(await drive(start.check, () => {}))
        let trace: string | null = null
        if (cell.result.verdict === 'violated') {
          trace = `${flags.out}/${layout.name.replace(/[^a-z0-9]+/g, '-')}-${fetch.replace(':', '')}-${vcpus}.xmt`
          const saved = saveTrace(trace, cell.image, cell.model, cell.result)
          first ??= saved
        }
        cells.push({ cell, trace })
      }
  if (progress) process.stderr.write(`\r${total} cells done\n`)
  if (flags.json) process.stdout.write(`${JSON.stringify(toJson(cells))}\n`)
  else await print(cells, first)
  process.exitCode = wasInterrupted() ? EXIT.interrupted : cells.every(({ cell }) => cell.ok) ? EXIT.complete : EXIT.violated
}

function layoutsOf(flags: Flags): readonly RelinkLayout[] {
  if (flags.at === undefined) {
    if (flags.from !== undefined || flags.to !== undefined) throw new UsageError('--from and --to need --at, the address of the offset bytes')
    return LAYOUTS
  }
  const offset = address('--at', flags.at)
  const from = flags.from === undefined ? OLD_TARGET : address('--from', flags.from)
  const to = flags.to === undefined ? NEW_TARGET : address('--to', flags.to)
  if (from === to) throw new UsageError('--from and --to are the same address: there is nothing to relink')
  return [{ name: `offset at 0x${offset.toString(16)}`, offset, from, to, writer: 'patcher' }]
}

function address(flag: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0x1000 || value > 0xffffefff) throw new UsageError(`${flag} ${text}: an address from 0x1000 to 0xffffefff is wanted`)
  return value
}

function toJson(cells: readonly JudgedCell[]): unknown {
  return {
    version: 1,
    command: 'relink',
    cells: cells.map(({ cell, trace }) => ({
      layout: cell.layout.name,
      fetch: cell.fetch,
      vcpus: cell.vcpus,
      expected: cell.expected,
      ok: cell.ok,
      ...verdictJson(cell.result, cell.image, trace),
    })),
  }
}

const row = (verdict: string, ...numbers: readonly string[]) => verdict.padEnd(20) + numbers.map((one) => one.padStart(13)).join('')

async function print(cells: readonly JudgedCell[], firstTrace: Trace | null): Promise<void> {
  const out = (text: string) => process.stdout.write(`${text}\n`)
  /** A paragraph, indented by `indent` from its second line on. */
  const hang = (text: string, indent: number) => wrap(text, WIDTH, indent).forEach(out)
  const all = cells.map(({ cell }) => cell)
  const rungs = [...new Set(all.map((cell) => cell.fetch))]
  out(`of ${VCPUS.join('/')} vCPUs`.padEnd(18) + row('verdict', 'states', 'paths', 'ms'))
  for (const layout of new Set(all.map((cell) => cell.layout))) {
    const here = all.filter((cell) => cell.layout === layout)
    out(layout.name)
    for (const rung of rungs) {
      const group = here.filter((cell) => cell.fetch === rung)
      const each = (of: (cell: Cell) => number) => group.map(of).join('/')
      const verdicts = [...new Set(group.map(({ result }) => `${result.verdict} ${result.strength}`))].join('/')
      const color = group.some(({ ok }) => !ok) ? chalk.red : group.every(({ result }) => result.verdict === 'holds') ? chalk.green : chalk.yellow
      const numbers = [({ result }: Cell) => result.states, ({ result }: Cell) => result.executions, ({ result }: Cell) => Math.round(result.seconds * 1000)].map(each)
      out(color(`  ${rung.padEnd(16)}${row(verdicts, ...numbers)}`))
    }
  }
  const wrong = all.filter(({ ok }) => !ok)
  const violated = cells.filter(({ cell }) => cell.result.verdict === 'violated')
  out('')
  out(`${cells.length} cells: ${cells.length - violated.length} hold, ${violated.length} violated; ${wrong.length === 0 ? 'all as the model predicts' : chalk.red(`${wrong.length} not as the model predicts`)}.`)
  out('The bytes of one executed instruction are, on the rungs of the fetch ladder:')
  for (const line of rungLegend(rungs)) hang(`  ${line}`, 18)
  const [first] = violated
  if (firstTrace !== null && first !== undefined) {
    const { cell } = first
    const { formatTimeline, timelineOf } = await loadTimeline()
    out('')
    hang(`First violation (${cell.layout.name}, ${cell.fetch}, ${cell.vcpus} vCPUs): ${cell.result.violation!.message}`, 2)
    out(formatTimeline(timelineOf(firstTrace), WIDTH))
    out(`Replay it:  npx xmcheck replay ${first.trace}`)
    out(`Explain it: npx xmcheck explain ${first.trace}`)
  }
  out('')
  for (const line of answer(all)) hang(line, line.startsWith(' ') ? 4 : 0)
}
