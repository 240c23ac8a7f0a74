/** `xmcheck merge FILE ...`: the verdict of a search whose parts were explored by several machines. */
import type { Command } from 'commander'
import { withoutVacuity } from '../explore/check.ts'
import { encodeCheckpoint, type Checkpoint } from '../explore/checkpoint.ts'
import { mergeParts } from '../explore/parallel/merge.ts'
import { noTotals } from '../explore/parallel/taskRun.ts'
import { counted } from '../replay/columns.ts'
import { addOutputFlags, type OutputFlags } from './common.ts'
import { EXIT, UsageError } from './errors.ts'
import { replaceFile } from './files.ts'
import { loadCheckpoint } from './tasks.ts'

interface Flags extends OutputFlags {
  readonly teach?: boolean
}

export function addMerge(program: Command): void {
  const command = program
    .command('merge')
    .description('put together what `xmcheck check --shard i/n --resume FILE` has explored')
    .argument('<files...>', 'the file of every part')
    .option('--teach', 'where the parts have learnt different things: write what all know into the files, so that they can be run again')
  addOutputFlags(command).action(merge)
}

function merge(paths: readonly string[], flags: Flags): void {
  const parts = paths.map(loadCheckpoint)
  const result = mergeParts(parts.map((part, k) => ({ name: paths[k], part })))
  if ('mistake' in result) throw new UsageError(result.mistake)
  const { totals, learnt, waitPlaces, agreed } = result
  const verdict = withoutVacuity(result.verdict, parts[0].declared, totals)
  if (!agreed && flags.teach === true)
    parts.forEach((part: Checkpoint, k) => {
      const state = { tasks: [], totals: noTotals(), learnt, waitPlaces, done: 0, seconds: 0, found: null, fresh: true }
      replaceFile(paths[k], encodeCheckpoint({ ...part, state }))
    })
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ version: 1, command: 'merge', ...verdict, models: parts[0].knobs, coverage: { cut: totals.cutByAssumption } })}\n`)
  else {
    const what = verdict.violation === null ? `, ${verdict.strength}` : `: ${verdict.violation.kind}: ${verdict.violation.message}`
    process.stdout.write(`${verdict.verdict}${what}\n`)
    for (const reason of verdict.reasons) process.stdout.write(`  ${reason}\n`)
    process.stdout.write(`${counted(verdict.executions, 'class', 'classes')}, ${counted(verdict.events, 'event')} in ${counted(parts.length, 'part')}, ${verdict.seconds.toFixed(2)} s (dpor)\n`)
    process.stdout.write(`  besides ${totals.discarded} executions discarded in a failed turn of a loop, ${totals.cut} cut, ${totals.redundant} redundant${totals.endless === 0 ? '' : `, ${totals.endless} that do not end`}\n`)
    process.stdout.write(`rests on: ${Object.entries(parts[0].knobs).map(([name, value]) => `${name}=${value}`).join(' ')}\n`)
  }
  process.exitCode =
    verdict.verdict === 'violated' ? EXIT.violated : verdict.verdict === 'holds' && verdict.strength === 'complete' ? EXIT.complete : EXIT.open
}
