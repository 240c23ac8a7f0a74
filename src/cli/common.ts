/** Flags that several subcommands share, and what they mean. */
import { Option, type Command } from 'commander'
import type { CheckResult } from '../explore/check.ts'
import { formatChoice } from '../smp/choice.ts'
import { CPU_CLASSES } from '../cpu/classes.ts'
import type { KnobValue } from '../smp/model.ts'
import { recordTrace } from '../replay/record.ts'
import { encodeTrace } from '../replay/trace.ts'
import type { MachineImage } from '../smp/image.ts'
import type { Model } from '../smp/model.ts'
import { EXIT, UsageError } from './errors.ts'
import { writeFile } from './files.ts'

export interface ModelFlags {
  readonly memory?: string
  readonly fetch?: string
  readonly cpu?: string
  readonly set?: readonly string[]
}

export interface OutputFlags {
  readonly json?: boolean
  readonly quiet?: boolean
  readonly color: boolean
}

export function addOutputFlags(command: Command): Command {
  return command
    .option('--json', 'one JSON document on stdout, nothing else there')
    .option('--quiet', 'no progress on stderr')
    .option('--no-color', 'plain text (NO_COLOR does the same)')
}

export function addModelFlags(command: Command, withFetch = true): Command {
  command
    .addOption(new Option('--memory <model>', 'data memory').choices(['tso', 'sc']))
    .addOption(new Option('--cpu <class>', 'CPU class').choices(Object.keys(CPU_CLASSES)))
    .option('--set <knob=value>', 'any knob of `xmcheck list` (repeatable)', (value: string, all: string[] = []) => [...all, value])
  return withFetch ? command.option('--fetch <rung>', 'rung of the fetch ladder: coherent, single, ordered:16, independent:8, byte, strict') : command
}

/** Knobs that the flags name. @throws UsageError on `--set` without `=` */
export function knobsOf(flags: ModelFlags): Record<string, KnobValue> {
  const knobs: Record<string, KnobValue> = {}
  for (const text of flags.set ?? []) {
    const equals = text.indexOf('=')
    if (equals <= 0) throw new UsageError(`--set ${text}: write KNOB=VALUE; xmcheck list shows the knobs`)
    knobs[text.slice(0, equals)] = text.slice(equals + 1)
  }
  if (flags.memory !== undefined) knobs.memory = flags.memory
  if (flags.cpu !== undefined) knobs.cpu = flags.cpu
  if (flags.fetch !== undefined) knobs.fetch = flags.fetch
  return knobs
}

/** A whole number in `low`..`high` from the command line. @throws UsageError */
export function numberFlag(name: string, text: string | undefined, low: number, high: number): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!Number.isInteger(value) || value < low || value > high) throw new UsageError(`${name} ${text}: a whole number from ${low} to ${high} is wanted`)
  return value
}

export function saveTrace(path: string, image: MachineImage, model: Model, result: CheckResult): void {
  writeFile(path, encodeTrace(recordTrace(image, model, result.sharing, result.schedule ?? [])))
}

/** The machine-readable form of a verdict. */
export function verdictJson(result: CheckResult, trace: string | null): Record<string, unknown> {
  const { sharing: _, schedule, violation, ...rest } = result
  return {
    ...rest,
    schedule: schedule === null ? null : schedule.map(formatChoice).join(' '),
    violation: violation === null ? null : { kind: violation.kind, message: violation.message, vcpu: violation.vcpu, eip: violation.eip, trace },
  }
}

export function exitCodeOf(result: CheckResult): number {
  if (result.verdict === 'violated') return EXIT.violated
  return result.verdict === 'holds' && result.strength === 'complete' ? EXIT.complete : EXIT.open
}
