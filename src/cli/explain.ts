/** `xmcheck explain TRACE`: one column a vCPU, and the choice that decides. */
import type { Command } from 'commander'
import { explain as explainTrace, formatExplanation } from '../replay/explain.ts'
import { addOutputFlags, loadSoundTrace, terminalWidth, type OutputFlags } from './common.ts'
import { EXIT } from './errors.ts'

interface Flags extends OutputFlags {
  readonly text?: boolean
}

/** Columns of `--text`, for mailing lists. */
const TEXT_WIDTH = 72

export function addExplain(program: Command): void {
  const command = program
    .command('explain')
    .description('an execution with one column a vCPU, the choice whose change alone makes it pass, and both runs from there')
    .argument('<trace>', 'trace file (.xmt)')
    .option('--text', 'plain, 72 columns, ready for a mailing list; ends in a line for xmcheck check --schedule')
  addOutputFlags(command).action(explain)
}

function explain(path: string, flags: Flags): void {
  const explanation = explainTrace(loadSoundTrace(path))
  const width = flags.text ? TEXT_WIDTH : terminalWidth()
  if (flags.json) process.stdout.write(`${JSON.stringify({ version: 1, command: 'explain', ...explanation })}\n`)
  else process.stdout.write(`${formatExplanation(explanation, width)}\n`)
  process.exitCode = EXIT.complete
}
