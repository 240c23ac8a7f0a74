/** `xmcheck replay TRACE`: the recorded execution again, checked step by step. */
import type { Command } from 'commander'
import { formatTimeline, timelineOf } from '../replay/timeline.ts'
import { decodeTrace, TraceError } from '../replay/trace.ts'
import { addOutputFlags, type OutputFlags } from './common.ts'
import { EXIT, UsageError } from './errors.ts'
import { readFile } from './files.ts'

export function addReplay(program: Command): void {
  const command = program.command('replay').description('reproduce a trace bit for bit').argument('<trace>', 'trace file (.xmt)')
  addOutputFlags(command).action(replay)
}

function replay(path: string, flags: OutputFlags): void {
  let trace
  try {
    trace = decodeTrace(readFile(path))
  } catch (error) {
    if (error instanceof TraceError) throw new UsageError(`${path}: ${error.message}`)
    throw error
  }
  const timeline = timelineOf(trace)
  const { divergence, violation } = timeline.replay
  const steps = trace.schedule.length
  if (flags.json) process.stdout.write(`${JSON.stringify({ version: 1, command: 'replay', title: trace.image.title, steps, divergence, violation })}\n`)
  else {
    process.stdout.write(`${trace.image.title}\n${formatTimeline(timeline)}\n\n`)
    if (divergence !== null) process.stdout.write(`diverged at step ${divergence.step}: ${divergence.message}\n`)
    else process.stdout.write(`${steps} steps reproduced, every check hash equal; ${violation === null ? 'no violation' : `violated: ${violation.kind}: ${violation.message}`}\n`)
  }
  process.exitCode = divergence !== null ? EXIT.diverged : violation !== null ? EXIT.violated : EXIT.complete
}
