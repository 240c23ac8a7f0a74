/** The trace file of a run: image, options, slices, checks and how it ended. */
import { CPU_CLASSES, classOf } from '../cpu/classes.ts'
import { FIXED_FLAGS, formatUndefinedFlags, parseUndefinedFlags, type UndefinedFlags } from '../cpu/undefinedFlags.ts'
import { InputError } from '../guest/inputError.ts'
import { KIND_RUN, openTrace, sealTrace, TRACE_BYTES_MAX, TraceError, type Fields } from '../replay/trace.ts'
import type { BootFile } from './boot.ts'
import type { Outcome, Recording } from './run.ts'
import type { SystemOptions } from './system.ts'

export interface RunTrace {
  readonly options: SystemOptions
  readonly recording: Recording
  readonly outcome: { readonly kind: string; readonly status: number; readonly instructions: number; readonly hash: number }
}

/** Limits of what a trace may ask for. */
const MEMORY_BYTES_MAX = 1 << 30
const VCPUS_MAX = 64
const SLICES_MAX = 4_000_000
const FILE_BYTES_MAX = 64 << 20

/** Bytes of a slice and its check in the file, and of everything else but the images. */
const SLICE_BYTES = 12
const HEAD_BYTES = 1 << 16

/** Slices that a trace of a run of these images can hold. @throws InputError where the images alone are too large */
export function recordedSlicesMax({ image, modules, commandLine }: SystemOptions): number {
  const images = [image, ...modules].reduce((sum, { bytes }) => sum + bytes.length, HEAD_BYTES + commandLine.length)
  const slices = Math.floor((TRACE_BYTES_MAX - images) / SLICE_BYTES)
  if (slices < 1) throw new InputError(image.name, `${images} bytes of images do not fit into a trace of at most ${TRACE_BYTES_MAX}`, 'run it without --record')
  return Math.min(SLICES_MAX, slices)
}

export function encodeRunTrace(options: SystemOptions, recording: Recording, outcome: Outcome): Uint8Array {
  const words = (values: readonly number[]) => new Uint8Array(Int32Array.from(values).buffer)
  return sealTrace(KIND_RUN, {
    options: { ...options, cpu: options.cpu.name, undefinedFlags: formatUndefinedFlags(options.undefinedFlags) },
    slices: words(recording.slices),
    checks: words(recording.checks),
    outcome: { kind: outcome.exit.kind, status: outcome.exit.status, instructions: outcome.instructions, hash: outcome.hash },
  })
}

/** @throws TraceError */
export function decodeRunTrace(file: Uint8Array): RunTrace {
  const { kind, fields } = openTrace(file)
  if (kind !== KIND_RUN) throw new TraceError('it does not record a booted image')
  const options = fields.fields('options')
  const outcome = fields.fields('outcome')
  const slices = [...fields.words('slices', 2 * SLICES_MAX)]
  const checks = [...fields.words('checks', SLICES_MAX)]
  if (slices.length !== 2 * checks.length) throw new TraceError(`${slices.length / 2} slices, but ${checks.length} check hashes`)
  const memoryBytes = options.integer('memoryBytes', 4096, MEMORY_BYTES_MAX)
  if (memoryBytes % 4096 !== 0) throw new TraceError('memoryBytes in options is not whole pages')
  return {
    options: {
      image: readFile(options.fields('image')),
      rom: options.raw('rom') === true,
      vcpus: options.integer('vcpus', 1, VCPUS_MAX),
      commandLine: options.text('commandLine'),
      modules: options.list('modules', 64).map(readFile),
      cpu: classOf(options.oneOf('cpu', Object.keys(CPU_CLASSES))),
      undefinedFlags: readUndefinedFlags(options),
      memoryBytes,
      postPort: options.integer('postPort', 0, 0xffff),
      asciiPort: options.integer('asciiPort', 0, 0xffff),
      exitPort: options.integer('exitPort', 0, 0xffff),
    },
    recording: { slices, checks },
    outcome: {
      kind: outcome.text('kind'),
      status: outcome.integer('status', 0, 255),
      instructions: outcome.integer('instructions', 0, Number.MAX_SAFE_INTEGER),
      hash: outcome.integer('hash', -0x80000000, 0xffffffff),
    },
  }
}

/** Recordings that do not say have what there was before there was a choice. */
function readUndefinedFlags(options: Fields): UndefinedFlags {
  if (options.raw('undefinedFlags') === undefined) return FIXED_FLAGS
  const choice = parseUndefinedFlags(options.text('undefinedFlags'))
  if (choice === null) throw new TraceError('undefinedFlags in options is not fixed, zero or random:SEED')
  return choice
}

function readFile(fields: Fields): BootFile {
  return { name: fields.text('name'), bytes: fields.bytes('bytes', FILE_BYTES_MAX) }
}
