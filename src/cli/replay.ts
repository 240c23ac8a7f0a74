/** `xmcheck replay TRACE`: the recorded execution again, checked step by step. */
import type { Command } from 'commander'
import { parseLinkOptions } from '../guest/linkOptions.ts'
import { loadProgram } from '../guest/loadProgram.ts'
import { makeModel } from '../smp/model.ts'
import { reapply } from '../replay/reapply.ts'
import { makeMachine } from '../replay/record.ts'
import { formatSchedule } from '../replay/schedule.ts'
import { addOutputFlags, isRun, loadSoundTrace, loadTimeline, loadTrace, terminalWidth, type OutputFlags } from './common.ts'
import { EXIT } from './errors.ts'
import { replayRun } from './run.ts'
import { readFile, readSource } from './files.ts'

interface Flags extends OutputFlags {
  readonly with?: readonly string[]
}

export function addReplay(program: Command): void {
  const command = program
    .command('replay')
    .description('reproduce a trace bit for bit')
    .argument('<trace>', 'trace file (.xmt)')
    .option('--with <objects...>', 're-apply the schedule, by symbol and offset, to these object files instead of the recorded ones')
  addOutputFlags(command).action(replay)
}

async function replay(path: string, flags: Flags): Promise<void> {
  if (flags.with !== undefined) return replayWith(path, flags.with, flags)
  if (isRun(path)) return replayRun(path, flags)
  const trace = loadTrace(path)
  const { describeCycle, formatTimeline, timelineOf } = await loadTimeline()
  const timeline = timelineOf(trace)
  const { divergence, violation } = timeline.replay
  const steps = trace.schedule.length
  if (flags.json) process.stdout.write(`${JSON.stringify({ version: 1, command: 'replay', title: trace.image.title, steps, cycleFrom: trace.cycleFrom, divergence, violation })}\n`)
  else {
    process.stdout.write(`${trace.image.title}\n${formatTimeline(timeline, terminalWidth())}\n\n`)
    if (trace.cycleFrom !== null) process.stdout.write(`${describeCycle({ from: trace.cycleFrom + 1, to: steps })}\n`)
    if (divergence !== null) process.stdout.write(`diverged at step ${divergence.step}: ${divergence.message}\n`)
    else process.stdout.write(`${steps} steps reproduced, every check hash equal; ${violation === null ? 'no violation' : `violated: ${violation.kind}: ${violation.message}`}\n`)
  }
  process.exitCode = divergence !== null ? EXIT.diverged : violation !== null ? EXIT.violated : EXIT.complete
}

async function replayWith(path: string, objects: readonly string[], flags: Flags): Promise<void> {
  const trace = loadSoundTrace(path)
  const inputs = objects.map((name) => ({ name, bytes: readFile(name) }))
  const image = loadProgram(inputs, { ...parseLinkOptions(trace.image.linkOptions), title: objects.join(' '), readSource })
  const result = reapply(trace, image)
  const { outcome, violation, stuck, extra } = result
  if (flags.json)
    process.stdout.write(`${JSON.stringify({ version: 1, command: 'replay', title: image.title, outcome, stuck, extra, violation, schedule: formatSchedule(result.schedule) })}\n`)
  else {
    const { formatTimeline, linesOf } = await loadTimeline()
    const lines = linesOf((observe) => makeMachine(image, makeModel(trace.knobs), result.sharing, observe), result.schedule)
    process.stdout.write(`${image.title}, by the schedule of ${path}\n${formatTimeline({ lines }, terminalWidth())}\n\n`)
    const verdict = {
      fails: `still fails: ${violation?.kind}: ${violation?.message}`,
      passes: 'passes: the recorded schedule was re-applied to its end, without a violation (one execution: check explores the others)',
      'no-longer-applies': `no longer possible with the changed code, from step ${(stuck?.step ?? 0) + 1} on: ${stuck?.message}.\nThat proves nothing yet, other schedules may fail: xmcheck check ${objects.join(' ')}`,
    }[outcome]
    process.stdout.write(`${verdict}\n`)
    if (extra > 0 && outcome !== 'no-longer-applies') process.stdout.write(`${extra} events are not in the recording\n`)
  }
  process.exitCode = { fails: EXIT.violated, passes: EXIT.complete, 'no-longer-applies': EXIT.diverged }[outcome]
}
