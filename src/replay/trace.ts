/**
 * A trace: one execution, with everything needed to run it again for ever: the image, the knobs, what the
 * exploration knew to be shared (which decides where steps end), the schedule, a check hash for every step
 * and the verdict. msgpack without records, so that any language can read it.
 *
 * A trace is untrusted input: `decodeTrace` checks every field and bounds what it allocates.
 */
import { Packr, Unpackr } from 'msgpackr'
import { REGISTER_WORDS } from '../cpu/registers.ts'
import { BELIEVED, CHECK_POINT_KINDS, STEAL_STRIDE_MAX, stealTimeMistake, type Claim, type MachineImage, type NamedRange, type Region } from '../smp/image.ts'
import { makeModel, type KnobValue } from '../smp/model.ts'
import type { Violation } from '../smp/monitor.ts'
import { VCPUS_MAX } from '../smp/sharing.ts'

export const TRACE_MAGIC = 'xmcheck-trace'
/** Version of the format that is written, and the oldest reader that understands it: 3 where the run goes round, 4 where vCPUs see who has a pCPU, or take interrupts and no NMIs. */
export const TRACE_VERSION = 5
export const TRACE_READER_MIN = 2
const TRACE_READER_OF_CYCLES = 3
/** First one that knows of steal time, and of vCPUs that take only interrupts or only NMIs. */
const TRACE_READER_OF_STEAL_TIME = 4
/** Largest trace file, total memory of an image, and longest schedule that are read. */
export const TRACE_BYTES_MAX = 64 << 20
const MEMORY_BYTES_MAX = 256 << 20
const STEPS_MAX = 10_000_000
/** Words of the list of pages whose translations can be stale. */
const PAGES_MAX = 1 << 16
/** Lines that are accessed past the caches, and pages of tables. */
const LINES_MAX = 1 << 12

/** Of `SharingRecord.interruptible`. */
export const HOW_SHIFT = 8
const VCPU_BITS = 0xff

/** What an exploration learnt about sharing, as lists (smp/sharing.ts). */
export interface SharingRecord {
  readonly shared: readonly number[]
  /** Granule and mask of fetching vCPUs, alternating. */
  readonly fetchers: readonly number[]
  /** Numbers of vCPUs, with what they take (BY_INTERRUPT, BY_NMI) from bit HOW_SHIFT on; 0 there: both. */
  readonly interruptible: readonly number[]
  /** Where translations can be stale: linear page number and mask of the vCPUs that access it, alternating. */
  readonly pages: readonly number[]
  /** Physical addresses of lines that are accessed past the caches, ascending. */
  readonly uncached: readonly number[]
  /** Pages of memory that hold tables in which entries are read with A clear, by number (smp/walksAhead.ts). */
  readonly tables: readonly number[]
}

export const NOTHING_SHARED: SharingRecord = { shared: [], fetchers: [], interruptible: [], pages: [], uncached: [], tables: [] }

export interface Trace {
  readonly image: MachineImage
  readonly knobs: Readonly<Record<string, KnobValue>>
  readonly sharing: SharingRecord
  /** Packed choices (smp/choice.ts), from the start. */
  readonly schedule: Int32Array
  /** Check hash (checkHash.ts) after each step. */
  readonly checks: Int32Array
  readonly violation: Violation | null
  /** The violation is that from this choice of the schedule on it goes round for ever (explore/liveness/lasso.ts); null: it does not. */
  readonly cycleFrom: number | null
}

/** A file that is not a trace, or a damaged one; `message` says what is wrong. */
export class TraceError extends Error {}

const packr = new Packr({ useRecords: false, variableMapSize: true })

export function encodeTrace(trace: Trace): Uint8Array {
  const words = (array: Int32Array) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
  const { knobs: _, ...image } = trace.image
  return sealTrace(KIND_EXECUTION, {
    image: {
      ...image,
      regions: image.regions.map(withoutZeros),
      vcpus: image.vcpus.map((vcpu) => ({ name: vcpu.name, registers: words(vcpu.registers) })),
      init: image.init && words(image.init),
      final: image.final && words(image.final),
    },
    knobs: trace.knobs,
    sharing: trace.sharing,
    schedule: words(trace.schedule),
    checks: words(trace.checks),
    violation: trace.violation,
    ...(trace.cycleFrom === null ? {} : { cycleFrom: trace.cycleFrom, readerMin: TRACE_READER_OF_CYCLES }),
    ...(image.stealTime === undefined && trace.sharing.interruptible.every((one) => one <= VCPU_BITS) ? {} : { readerMin: TRACE_READER_OF_STEAL_TIME }),
  })
}

/** Stacks are used at their end: the zeros in front are counted, not stored. */
function withoutZeros(region: Region): Region & { skip: number } {
  const first = region.bytes.findIndex((byte) => byte !== 0)
  const skip = first < 0 ? region.bytes.length : first
  return { ...region, skip, bytes: region.bytes.subarray(skip) }
}

/** What a trace file records: an execution that was explored, or a booted image that ran. */
export const KIND_EXECUTION = 'execution'
export const KIND_RUN = 'run'

/** The head of a trace file, checked. @throws TraceError */
export function openTrace(file: Uint8Array): { kind: string; fields: Fields } {
  if (file.length > TRACE_BYTES_MAX) throw new TraceError(`it has ${file.length} bytes; traces have at most ${TRACE_BYTES_MAX}`)
  let fields: Fields
  try {
    fields = new Fields(new Unpackr({ useRecords: false, mapsAsObjects: true }).unpack(file), 'the trace')
  } catch (error) {
    if (error instanceof TraceError) throw error
    throw new TraceError('it is not an xmcheck trace, or it is cut short')
  }
  if (fields.raw('magic') !== TRACE_MAGIC) throw new TraceError('it is not an xmcheck trace')
  const readerMin = fields.integer('readerMin', 0, 1e6)
  if (readerMin > TRACE_VERSION)
    throw new TraceError(`it needs a reader of format ${readerMin}; this one reads up to ${TRACE_VERSION}`)
  checkSum(file, fields.integer('version', 0, 1e6))
  return { kind: fields.raw('kind') === undefined ? KIND_EXECUTION : fields.oneOf('kind', [KIND_EXECUTION, KIND_RUN]), fields }
}

/** A trace file of `kind` with these fields, after the head that all have. */
export function sealTrace(kind: string, fields: Readonly<Record<string, unknown>>): Uint8Array {
  const file = Uint8Array.from(packr.pack({ magic: TRACE_MAGIC, version: TRACE_VERSION, readerMin: TRACE_READER_MIN, features: [], kind, sum: new Uint8Array(SUM_BYTES), ...fields }))
  const at = sumAt(file)
  new DataView(file.buffer).setUint32(at, sumOf(file, at))
  return file
}

const SUM_BYTES = 4
/** From this version on traces have a sum. */
const SUM_VERSION = 5
/** The key `sum` and the head of 4 bytes behind it, as MessagePack. */
const SUM_KEY = [0xa3, 0x73, 0x75, 0x6d, 0xc4, SUM_BYTES]
/** The head is shorter. */
const HEAD_BYTES_MAX = 256

/** Where the sum stands; -1: there is none. */
function sumAt(file: Uint8Array): number {
  for (let at = 0; at < Math.min(file.length, HEAD_BYTES_MAX); at++) if (SUM_KEY.every((byte, k) => file[at + k] === byte)) return at + SUM_KEY.length
  return -1
}

/** FNV-1a over the file, with 0 for the sum itself. */
function sumOf(file: Uint8Array, at: number): number {
  let hash = 0x811c9dc5
  for (let k = 0; k < file.length; k++) hash = Math.imul(hash ^ (k >= at && k < at + SUM_BYTES ? 0 : file[k]), 0x01000193)
  return hash >>> 0
}

/** @throws TraceError where the contents are not what the sum says; older traces have none */
function checkSum(file: Uint8Array, version: number): void {
  const at = sumAt(file)
  if (at < 0 && version < SUM_VERSION) return
  if (at < 0 || at + SUM_BYTES > file.length || new DataView(file.buffer, file.byteOffset).getUint32(at) !== sumOf(file, at)) throw new TraceError('it is damaged: its sum is not that of its contents')
}

/** @throws TraceError on anything that is not a sound trace */
export function decodeTrace(file: Uint8Array): Trace {
  const { kind, fields: top } = openTrace(file)
  if (kind !== KIND_EXECUTION) throw new TraceError('it records a booted image: replay runs it; there is no schedule to minimise or explain')
  const image = readImage(top.fields('image'))
  const sharing = top.fields('sharing')
  const schedule = top.words('schedule', STEPS_MAX)
  const checks = top.words('checks', STEPS_MAX)
  if (checks.length !== schedule.length)
    throw new TraceError(`${schedule.length} choices, but ${checks.length} check hashes`)
  const knobs = top.fields('knobs').value as Record<string, KnobValue>
  makeModel(knobs)
  const granules = image.regions.reduce((sum, region) => sum + region.sizeBytes / 4, 0)
  const violation = top.raw('violation')
  return {
    image,
    knobs,
    sharing: {
      shared: sharing.integers('shared', granules),
      fetchers: sharing.integers('fetchers', 2 * granules),
      interruptible: sharing.integers('interruptible', VCPUS_MAX).map((one) => one & (VCPU_BITS | (3 << HOW_SHIFT))),
      pages: sharing.raw('pages') === undefined ? [] : sharing.integers('pages', PAGES_MAX),
      uncached: sharing.raw('uncached') === undefined ? [] : sharing.integers('uncached', LINES_MAX),
      tables: sharing.raw('tables') === undefined ? [] : sharing.integers('tables', LINES_MAX),
    },
    schedule,
    checks,
    violation: violation === null ? null : readViolation(top.fields('violation')),
    cycleFrom: top.raw('cycleFrom') === undefined || violation === null ? null : top.integer('cycleFrom', 0, schedule.length),
  }
}

function readViolation(fields: Fields): Violation {
  return {
    kind: fields.text('kind'),
    message: fields.text('message'),
    vcpu: fields.integer('vcpu', 0, VCPUS_MAX - 1),
    eip: fields.integer('eip', -0x80000000, 0xffffffff),
  }
}

function readImage(fields: Fields): MachineImage {
  let memory = 0
  const regions = fields.list('regions', 4096).map((region): Region => {
    const sizeBytes = region.integer('sizeBytes', 0, MEMORY_BYTES_MAX)
    const skip = region.raw('skip') === undefined ? 0 : region.integer('skip', 0, sizeBytes)
    const stored = region.bytes('bytes', sizeBytes - skip)
    const bytes = new Uint8Array(skip + stored.length)
    bytes.set(stored, skip)
    const start = region.integer('start', 0, 0xffffffff)
    memory += sizeBytes
    if (memory > MEMORY_BYTES_MAX) throw new TraceError(`its memory exceeds ${MEMORY_BYTES_MAX >> 20} MB`)
    if (start % 4096 !== 0 || sizeBytes % 4096 !== 0 || start + sizeBytes > 2 ** 32)
      throw new TraceError(`region ${region.text('name')} is not made of whole pages below 4 GB`)
    return { name: region.text('name'), start, sizeBytes, bytes, access: region.integer('access', 0, 7) }
  })
  const vcpus = fields.list('vcpus', VCPUS_MAX).map((vcpu) => ({ name: vcpu.text('name'), registers: vcpu.registers('registers') }))
  if (vcpus.length === 0) throw new TraceError('it has no vCPU')
  const range = (item: Fields) => ({
    name: item.text('name'),
    address: item.integer('address', -0x80000000, 0xffffffff),
    sizeBytes: item.integer('sizeBytes', 0, 0xffffffff),
  })
  const steal = fields.raw('stealTime') === undefined ? undefined : fields.fields('stealTime')
  const stealTime = steal && { address: steal.integer('address', -0x80000000, 0xffffffff), strideBytes: steal.integer('strideBytes', 1, STEAL_STRIDE_MAX) }
  const without = stealTimeMistake({ stealTime, vcpus, regions })
  if (without >= 0) throw new TraceError(`stealTime has no byte that can be written for vCPU ${without}`)
  const LISTED = 1 << 20
  return {
    title: fields.text('title'),
    regions,
    vcpus,
    init: fields.raw('init') === null ? null : fields.registers('init'),
    final: fields.raw('final') === null ? null : fields.registers('final'),
    handledVectors: fields.integers('handledVectors', 256),
    interrupts: fields.list('interrupts', 256).map((item) => ({
      name: item.text('name'),
      vcpu: item.integer('vcpu', 0, vcpus.length - 1),
      vector: item.integer('vector', 0, 255),
      nmi: item.raw('nmi') === true,
      max: item.integer('max', 0, 1e9),
    })),
    sites: fields.list('sites', 65536).map((item) => ({
      ...range(item),
      targets: item.integers('targets', 4096),
      int3: item.raw('int3') === true,
      ...(item.raw('forms') === undefined ? {} : { forms: item.list('forms', 64).map((form) => ({ name: form.text('name'), bytes: form.bytes('bytes', 64) })) }),
      ...(item.raw('calls') === undefined ? {} : { calls: item.integers('calls', 4096) }),
    })),
    points: fields.list('points', 65536).map((item) => ({
      id: item.integer('id', -0x80000000, 0xffffffff),
      kind: item.oneOf('kind', CHECK_POINT_KINDS),
      text: item.text('text'),
      file: item.text('file'),
      line: item.integer('line', 0, 1e9),
    })),
    ...(fields.raw('claims') === undefined ? {} : { claims: fields.list('claims', 65536).map((item) => readClaim(item, range(item), vcpus.length)) }),
    objects: fields.list('objects', 65536).map(range),
    symbols: fields.list('symbols', LISTED).map((item) => ({
      ...range(item),
      kind: item.oneOf('kind', ['function', 'object', 'label'] as const),
    })),
    lines: fields.list('lines', LISTED).map((item) => ({
      address: item.integer('address', -0x80000000, 0xffffffff),
      file: item.text('file'),
      line: item.integer('line', 0, 1e9),
    })),
    sources: readSources(fields.fields('sources')),
    inputs: fields.list('inputs', 256).map((item) => ({ name: item.text('name'), bytes: item.bytes('bytes', TRACE_BYTES_MAX) })),
    linkOptions: fields.texts('linkOptions', 65536),
    ...(stealTime && { stealTime }),
  }
}

function readClaim(item: Fields, range: NamedRange, vcpus: number): Claim {
  const kind = item.oneOf('kind', ['belief', 'own', 'forbids', 'dirty'] as const)
  const head = { ...range, id: item.integer('id', -0x80000000, 0xffffffff) }
  if (kind === 'forbids') return { ...head, kind, functions: item.integers('functions', 4096) }
  if (kind === 'dirty') return { ...head, kind }
  const vcpu = item.integer('vcpu', 0, vcpus - 1)
  if (kind === 'own') return { ...head, kind, vcpu }
  if (![1, 2, 4].includes(head.sizeBytes) || head.address % head.sizeBytes !== 0) throw new TraceError(`claim ${head.name} has ${head.sizeBytes} bytes at a place that a word does not have`)
  return {
    ...head, kind, vcpu, what: item.oneOf('what', BELIEVED), bits: item.integer('bits', -0x80000000, 0xffffffff),
    value: item.raw('value') === null ? null : item.integer('value', -0x80000000, 0xffffffff), mayBe: item.raw('mayBe') === true,
  }
}

function readSources(fields: Fields): Record<string, readonly string[]> {
  const sources: Record<string, readonly string[]> = Object.create(null)
  for (const name of Object.keys(fields.value)) sources[name] = fields.texts(name, 1 << 20)
  return sources
}

/** An object of unknown shape, read field by field; every method throws a TraceError that names the field. */
export class Fields {
  readonly value: Readonly<Record<string, unknown>>
  readonly #where: string

  constructor(value: unknown, where: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value))
      throw new TraceError(`${where} is not a map`)
    this.value = value as Record<string, unknown>
    this.#where = where
  }

  raw(name: string): unknown {
    return Object.hasOwn(this.value, name) ? this.value[name] : undefined
  }
  integer(name: string, low: number, high: number): number {
    const value = this.raw(name)
    if (!Number.isInteger(value) || (value as number) < low || (value as number) > high) throw this.#wrong(name, 'a number in range')
    return value as number
  }
  text(name: string): string {
    const value = this.raw(name)
    if (typeof value !== 'string') throw this.#wrong(name, 'a text')
    return value
  }
  oneOf<T extends string>(name: string, allowed: readonly T[]): T {
    const value = this.text(name)
    const found = allowed.find((other) => other === value)
    if (found === undefined) throw this.#wrong(name, `one of ${allowed.join(', ')}`)
    return found
  }
  fields(name: string): Fields {
    return new Fields(this.raw(name), name)
  }
  list(name: string, max: number): Fields[] {
    return this.#array(name, max).map((item) => new Fields(item, name))
  }
  integers(name: string, max: number): number[] {
    return this.#array(name, max).map((item) => {
      if (!Number.isInteger(item)) throw this.#wrong(name, 'a list of whole numbers')
      return item as number
    })
  }
  texts(name: string, max: number): string[] {
    return this.#array(name, max).map((item) => {
      if (typeof item !== 'string') throw this.#wrong(name, 'a list of texts')
      return item
    })
  }
  bytes(name: string, max: number): Uint8Array {
    const value = this.raw(name)
    if (!(value instanceof Uint8Array) || value.length > max) throw this.#wrong(name, `at most ${max} bytes`)
    return value
  }
  words(name: string, max: number): Int32Array {
    const bytes = this.bytes(name, max * 4)
    if (bytes.length % 4 !== 0) throw this.#wrong(name, 'whole 32-bit words')
    // A copy: what msgpack hands out is a view, aligned by chance.
    return new Int32Array(Uint8Array.from(bytes).buffer)
  }
  registers(name: string): Int32Array {
    const words = this.words(name, REGISTER_WORDS)
    if (words.length !== REGISTER_WORDS) throw this.#wrong(name, `${REGISTER_WORDS} registers`)
    return words
  }
  #array(name: string, max: number): unknown[] {
    const value = this.raw(name)
    if (!Array.isArray(value) || value.length > max) throw this.#wrong(name, `a list of at most ${max}`)
    return value
  }
  #wrong(name: string, what: string): TraceError {
    return new TraceError(`${name} in ${this.#where} is not ${what}`)
  }
}
