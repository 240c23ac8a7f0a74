/**
 * The way in for compiled code: ELF32 i386 objects with declarations (include/xmcheck.h), linked and put into
 * the environment that the header describes, as a machine image.
 */
import {
  BELIEVED,
  CHECK_POINT_KINDS,
  MODE_POINT,
  STEAL_STRIDE_MAX,
  stealTimeMistake,
  type CheckPoint,
  type Claim,
  type InterruptSource,
  type LineEntry,
  type MachineImage,
  type NamedRange,
  type PatchSite,
  type Symbol32,
  type VcpuImage,
} from '../smp/image.ts'
import { PCPUS_MAX } from '../smp/model.ts'
import { VCPUS_MAX } from '../smp/sharing.ts'
import { AddressSpace, PAGE_BYTES } from './addressSpace.ts'
import { RUNTIME } from './runtime/library.ts'
import { link, type LinkedProgram, type ObjectFile } from './elf/link.ts'
import type { Placement } from './elf/placement.ts'
import { makeEnvironment, type Actor, type Handler } from './environment.ts'
import { hex32, InputError } from './inputError.ts'
import { lineAt, makeLineTable, readSources } from './lineTable.ts'
import { formatLinkOptions } from './linkOptions.ts'
import { MemoryView } from './memoryView.ts'
import * as records from './records.ts'
import type { GuestRecord } from './records.ts'
import { pieceOf } from './linkedPieces.ts'
import { makeRegions } from './regions.ts'

export interface LoadOptions {
  /** One line for reports; the names of the inputs where absent. */
  readonly title?: string
  readonly placements?: readonly Placement[]
  /**
   * Entry functions, one per vCPU, instead of the declared ones (XM_VCPU): any function of the program, global
   * or with a unique name. So one object can hold several variants of a protocol.
   */
  readonly vcpus?: readonly string[]
  /** Instead of the declared XM_INIT and XM_FINAL; null: none. */
  readonly init?: string | null
  readonly final?: string | null
  /** Text of a source file that the line tables name, or null. Called once per file, at most 256 times. */
  readonly readSource?: (path: string) => string | null
}

/**
 * Links the objects, in this order, and builds the machine they declare.
 * @throws InputError where an object or an option cannot be used: file, what, and what to change
 */
export function loadObjects(inputs: readonly ObjectFile[], options: LoadOptions = {}): MachineImage {
  const space = new AddressSpace()
  // Address 0 stays unmapped, so that a null pointer is a wild access; the user may place something there.
  const program = link(inputs, RUNTIME, options.placements ?? [], space)
  space.reserve(0, PAGE_BYTES, 'the null page')
  const memory = new MemoryView(program.sections)
  const declared = records.readRecords(program, memory)
  const file = inputs.length === 1 ? inputs[0].name : inputs.map((input) => input.name).join(' ')

  const vcpus = chooseVcpus(file, program, declared, options.vcpus)
  const init = chooseSingle(program, declared, 'init', options.init)
  const final = chooseSingle(program, declared, 'final', options.final)
  const actors = [...vcpus, ...(init ? [init] : []), ...(final ? [final] : [])]
  const handlers = declared.filter((record) => record.kind === 'handler').map(readHandler(program, memory))
  const environment = makeEnvironment(actors, vcpus.length, uniqueHandlers(handlers), space)
  const lines = makeLineTable(program.lines)
  const claims = declared.flatMap((record) => readClaim(record, memory, vcpus.length))
  const registersOf = (actor: Actor | null) => (actor ? environment.registers[actors.indexOf(actor)] : null)

  const regions = makeRegions([...program.sections.map(pieceOf), ...environment.pieces])
  return {
    title: options.title ?? file,
    regions,
    vcpus: vcpus.map((actor): VcpuImage => ({ name: actor.name, registers: registersOf(actor)! })),
    init: registersOf(init),
    final: registersOf(final),
    handledVectors: [...new Set(handlers.map(({ handler }) => handler.vector))].sort((a, b) => a - b),
    interrupts: declared.flatMap((record) => readSource(record, vcpus.length, handlers)),
    sites: readSites(declared, memory, program.symbols),
    points: declared.flatMap((record) => readPoint(record, lines)),
    ...(claims.length > 0 ? { claims } : {}),
    objects: declared.filter((record) => record.kind === 'object').map(readNamedObject),
    symbols: [...program.symbols.filter((symbol) => !isOurs.test(symbol.name)), ...environment.symbols].sort(
      (a, b) => a.address - b.address,
    ),
    lines,
    sources: readSources(lines, options.readSource),
    inputs: inputs.map(({ name, bytes }) => ({ name, bytes: Uint8Array.from(bytes) })),
    linkOptions: formatLinkOptions(options),
    ...readStealTime(declared, vcpus, regions),
    ...readPcpus(declared),
  }
}

/** Variables of the macros themselves: nothing a report should name. */
const isOurs = /^xm_(record|targets_of|forms_of|calls_of|belief_of|forbidden_in)_/

function describe(record: GuestRecord): string {
  const what = record.text ? `'${record.text}'` : `record at ${hex32(record.address)}`
  return record.line ? `${record.kind} ${what} (line ${record.line})` : `${record.kind} ${what}`
}

function checkCode(record: GuestRecord, memory: MemoryView): void {
  if (!memory.isCode(record.object))
    throw new InputError(
      record.input,
      `${describe(record)}: no code at ${hex32(record.object)}`,
      'name a function',
    )
}

/** Name of the function at an address: its symbol, or else the text of the declaration. */
function nameAt(program: LinkedProgram, address: number, fallback: string): string {
  const named = program.symbols.find((symbol) => symbol.address === address && symbol.kind === 'function')
  return named?.name ?? (fallback || hex32(address))
}

function chooseVcpus(
  file: string,
  program: LinkedProgram,
  declared: readonly GuestRecord[],
  wanted: readonly string[] | undefined,
): Actor[] {
  const entries: { name: string; entry: number }[] = []
  if (wanted) {
    for (const name of wanted) entries.push({ name, entry: functionAddress(program, name, '--vcpus') })
  } else {
    for (const record of declared) {
      if (record.kind !== 'vcpu') continue
      if (record.a < 1 || record.a > VCPUS_MAX)
        throw new InputError(
          record.input,
          `${describe(record)} is for ${record.a} vCPUs`,
          `use 1 to ${VCPUS_MAX}`,
        )
      checkCode(record, new MemoryView(program.sections))
      const name = nameAt(program, record.object, record.text)
      for (let count = 0; count < record.a; count++) entries.push({ name, entry: record.object })
    }
  }
  if (entries.length === 0)
    throw new InputError(
      file,
      'declares no vCPU: there is no entry point',
      'include xmcheck.h and write XM_VCPU(function) at file scope, or name functions with --vcpus',
    )
  if (entries.length > VCPUS_MAX)
    throw new InputError(file, `has ${entries.length} vCPUs`, `at most ${VCPUS_MAX} are possible`)
  return entries.map((entry, vcpu) => ({ ...entry, vcpu }))
}

function functionAddress(program: LinkedProgram, name: string, option: string): number {
  const address = program.addressOf(name)
  if (address !== null && new MemoryView(program.sections).isCode(address)) return address
  const functions = program.symbols
    .filter((symbol) => symbol.kind === 'function')
    .map((symbol) => symbol.name)
  throw new InputError(
    `${option} ${name}`,
    address === null ? 'no object defines this function, or several do' : 'is not a function',
    functions.length ? `functions are ${functions.slice(0, 20).join(' ')}` : 'check the name with nm',
  )
}

function chooseSingle(
  program: LinkedProgram,
  declared: readonly GuestRecord[],
  kind: 'init' | 'final',
  wanted: string | null | undefined,
): Actor | null {
  if (wanted === null) return null
  if (wanted !== undefined)
    return { name: wanted, entry: functionAddress(program, wanted, `--${kind}`), vcpu: 0 }
  const found = declared.filter((record) => record.kind === kind)
  if (found.length > 1)
    throw new InputError(
      found[1].input,
      `${describe(found[1])} is the second ${kind} function; the first is ${describe(found[0])} in ${found[0].input}`,
      'call both from one function',
    )
  if (found.length === 0) return null
  checkCode(found[0], new MemoryView(program.sections))
  return { name: nameAt(program, found[0].object, found[0].text), entry: found[0].object, vcpu: 0 }
}

interface DeclaredHandler {
  readonly handler: Handler
  readonly record: GuestRecord
}

function readHandler(program: LinkedProgram, memory: MemoryView) {
  return (record: GuestRecord): DeclaredHandler => {
    const vector = record.a & 0xffff
    if (vector > 255)
      throw new InputError(record.input, `${describe(record)}: vector ${vector}`, 'use 0 to 255')
    checkCode(record, memory)
    const raw = (record.a & records.HANDLER_RAW) !== 0
    return {
      handler: { vector, address: record.object, name: nameAt(program, record.object, record.text), raw },
      record,
    }
  }
}

/** One handler per vector: the vCPUs share one IDT. */
function uniqueHandlers(declared: readonly DeclaredHandler[]): Handler[] {
  const byVector = new Map<number, DeclaredHandler>()
  for (const next of declared) {
    const { vector, address, raw, name } = next.handler
    const previous = byVector.get(vector)?.handler
    if (previous && (previous.address !== address || previous.raw !== raw))
      throw new InputError(
        next.record.input,
        `vector ${vector} has two handlers, ${previous.name} and ${name}`,
        'the vCPUs share one IDT: use one handler that asks xm_vcpu()',
      )
    byVector.set(vector, next)
  }
  return [...byVector.values()].map((entry) => entry.handler)
}

function readSource(
  record: GuestRecord,
  vcpuCount: number,
  handlers: readonly DeclaredHandler[],
): InterruptSource[] {
  if (record.kind !== 'irq' && record.kind !== 'nmi') return []
  const nmi = record.kind === 'nmi'
  const vector = nmi ? 2 : record.a & 0xffff
  const vcpu = record.a >>> 16
  const fail = (what: string, remedy: string): never => {
    throw new InputError(record.input, `${describe(record)}: ${what}`, remedy)
  }
  if (!nmi && (vector < 32 || vector > 255))
    fail(`vector ${vector} cannot be an interrupt`, '0 to 31 are exceptions: use 32 to 255')
  const owner = handlers.find(({ handler }) => handler.vector === vector)
  if (!owner) fail(`vector ${vector} has no handler`, `declare one with XM_HANDLER(${vector}, function)`)
  if (vcpu !== records.EVERY_VCPU && vcpu >= vcpuCount)
    fail(`there is no vCPU ${vcpu}`, `the program has ${vcpuCount}: 0 to ${vcpuCount - 1}`)
  const one = (target: number): InterruptSource => ({
    name: nmi ? `NMI ${owner!.handler.name}` : `${owner!.handler.name} (vector ${vector})`,
    vcpu: target,
    vector,
    nmi,
    max: record.b,
  })
  return vcpu === records.EVERY_VCPU ? Array.from({ length: vcpuCount }, (_, n) => one(n)) : [one(vcpu)]
}

function readSites(declared: readonly GuestRecord[], memory: MemoryView, symbols: readonly Symbol32[]): PatchSite[] {
  const sites = declared.flatMap((record) =>
    record.kind === 'site' ? [readSite(record, memory)] : record.kind === 'forms' ? [readForms(record, memory, symbols)] : [],
  )
  for (const record of declared) {
    if (record.kind !== 'calls') continue
    const at = sites.findIndex((site) => site.address >>> 0 === record.object >>> 0)
    if (at < 0) throw new InputError(record.input, `${describe(record)}: there is no site`, 'declare it with XM_SITE or XM_FORMS too')
    sites[at] = { ...sites[at], calls: readList(record, memory, 'functions', 'list the functions that it may call') }
  }
  return sites
}

function readSite(record: GuestRecord, memory: MemoryView): PatchSite {
  return { ...readSiteHead(record, memory), targets: readList(record, memory, 'targets', 'list where the site may lead') }
}

function readForms(record: GuestRecord, memory: MemoryView, symbols: readonly Symbol32[]): PatchSite {
  const head = readSiteHead(record, memory)
  const forms = readList(record, memory, 'forms', 'list the byte strings that may stand there').map((address) => {
    const bytes = memory.bytes(address, head.sizeBytes)
    if (bytes === null)
      throw new InputError(record.input, `${describe(record)}: no bytes at ${hex32(address)}`, 'a form is an array of as many bytes as the site')
    return { name: symbols.find((symbol) => symbol.address >>> 0 === address >>> 0)?.name ?? hex32(address), bytes }
  })
  return { ...head, targets: [], forms }
}

function readSiteHead(record: GuestRecord, memory: MemoryView) {
  checkCode(record, memory)
  const sizeBytes = record.a & 0xffff
  if (sizeBytes < 1 || sizeBytes > 64)
    throw new InputError(
      record.input,
      `${describe(record)} has ${sizeBytes} bytes`,
      'a site has 1 to 64 bytes',
    )
  return { name: record.text, address: record.object, sizeBytes, int3: (record.a & records.SITE_INT3) !== 0 }
}

/** The words at `record.b` up to a 0. */
function readList(record: GuestRecord, memory: MemoryView, what: string, remedy: string): number[] {
  const list: number[] = []
  for (let at = record.b; ; at += 4) {
    const word = memory.word(at)
    if (word === null)
      throw new InputError(record.input, `${describe(record)}: its ${what} do not end with 0`, 'add a 0')
    if (word === 0) break
    list.push(word)
    if (list.length > records.TARGETS_MAX)
      throw new InputError(record.input, `${describe(record)} has more than ${records.TARGETS_MAX} ${what}`)
  }
  if (list.length === 0) throw new InputError(record.input, `${describe(record)} has no ${what}`, remedy)
  return list
}

function readPoint(record: GuestRecord, lines: readonly LineEntry[]): CheckPoint[] {
  const { address, kind, text } = record
  // Assemblers do not know the line of a macro call: there the record names the code, and the line table the line.
  const { file, line } = record.line === 0 && record.object !== 0 ? lineAt(lines, record.object) : record
  const known = CHECK_POINT_KINDS.find((one) => one === kind)
  if (known === undefined) return []
  const point = { id: address, kind: known, text, file, line }
  return kind === 'forbids' ? [point, { ...point, id: address + MODE_POINT, kind: 'mode' }] : [point]
}

/** What is said of memory at file scope (smp/image.ts). */
function readClaim(record: GuestRecord, memory: MemoryView, vcpuCount: number): Claim[] {
  const { kind, text, object } = record
  if (kind !== 'belief' && kind !== 'own' && kind !== 'forbids' && kind !== 'dirty') return []
  const head = { id: record.address, name: text, address: object }
  const fail = (what: string, remedy: string): never => {
    throw new InputError(record.input, `${describe(record)}: ${what}`, remedy)
  }
  if (kind === 'forbids') return [{ ...head, kind, sizeBytes: 0, functions: readList(record, memory, 'functions', 'list what is not to be executed in the mode') }]
  const sizeBytes = kind === 'own' ? record.b >>> 0 : kind === 'dirty' ? record.a >>> 0 : record.a >>> 16
  if (sizeBytes < 1 || memory.bytes(object, sizeBytes) === null) fail(`no memory at ${hex32(object)}`, 'name a variable')
  if (kind === 'dirty') return [{ ...head, kind, sizeBytes }]
  const vcpu = record.a & 0xffff
  if (vcpu >= vcpuCount) fail(`there is no vCPU ${vcpu}`, `the program has ${vcpuCount}: 0 to ${vcpuCount - 1}`)
  if (kind === 'own') return [{ ...head, kind, sizeBytes, vcpu }]
  const [what, how, bits, value] = [0, 4, 8, 12].map((offset) => memory.word(record.b + offset) ?? -1)
  if (![1, 2, 4].includes(sizeBytes) || object % sizeBytes !== 0) fail(`has ${sizeBytes} bytes at ${hex32(object)}`, 'a belief is a variable of 1, 2 or 4 bytes at a multiple of its size')
  if (BELIEVED[what] === undefined) fail(`is about number ${what}`, 'use XM_IS_CR0 and the like')
  return [{ ...head, kind, sizeBytes, vcpu, what: BELIEVED[what], bits: bits | 0, value: how === records.BELIEF_SAME ? null : value | 0, mayBe: how === records.BELIEF_MAY }]
}

function readStealTime(declared: readonly GuestRecord[], vcpus: readonly unknown[], regions: MachineImage['regions']): Pick<MachineImage, 'stealTime'> {
  const [record, other] = declared.filter(({ kind }) => kind === 'steal')
  if (record === undefined) return {}
  const stealTime = { address: record.object, strideBytes: record.a }
  const fail = (what: string, remedy: string): never => {
    throw new InputError(record.input, `${describe(record)} ${what}`, remedy)
  }
  if (other !== undefined) fail('is declared twice', 'declare it once')
  if (record.a < 1 || record.a > STEAL_STRIDE_MAX) fail(`has ${record.a} bytes a vCPU`, `use 1 to ${STEAL_STRIDE_MAX}`)
  const vcpu = record.b === 0 ? stealTimeMistake({ stealTime, vcpus, regions }) : Math.floor(record.b / record.a)
  if (vcpu >= 0 && vcpu < vcpus.length) fail(`has no byte that can be written for vCPU ${vcpu}`, `declare an array of ${vcpus.length}`)
  return { stealTime }
}

function readPcpus(declared: readonly GuestRecord[]): Pick<MachineImage, 'knobs'> {
  const [first, ...others] = declared.filter((record) => record.kind === 'pcpus')
  if (first === undefined) return {}
  const different = others.find((record) => record.a !== first.a)
  if (different !== undefined)
    throw new InputError(different.input, `${describe(different)} is for ${different.a} pCPUs; ${first.a} are declared in ${first.input}`, 'declare them once')
  if (first.a < 1 || first.a > PCPUS_MAX) throw new InputError(first.input, `${describe(first)} is for ${first.a} pCPUs`, `use 1 to ${PCPUS_MAX}`)
  return { knobs: { pcpus: first.a } }
}

function readNamedObject(record: GuestRecord): NamedRange {
  return { name: record.text, address: record.object, sizeBytes: record.a }
}
