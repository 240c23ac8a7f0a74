/** Threads, variables and handlers of a litmus test at their addresses, as a machine image. */
import { assemble, AssemblyError } from '../asm/index.ts'
import { AddressSpace, PAGE_BYTES } from '../addressSpace.ts'
import { makeEnvironment, type Actor, type Handler } from '../environment.ts'
import { EXECUTE, makeRegions, READ, WRITE } from '../regions.ts'
import { CR0, CR3, EAX, EBP, EBX, ECX, EDI, EDX, EIP, ESI, ESP } from '../../cpu/registers.ts'
import type { InterruptSource, MachineImage, Region, Symbol32 } from '../../smp/image.ts'
import { LitmusError } from './litmusError.ts'
import { PAGING_SYMBOL, type Variable } from './initialState.ts'
import type { LitmusTest } from './parse.ts'
import { checked } from './operands.ts'
import { CR0_PAGING, entryAddress, pageTables, TABLES_START } from './paging.ts'
import { registerNamed } from './registers.ts'
import { writeThread, type CodeLine, type Thread } from './thread.ts'

/** Registers of the machine that may hold registers of tests. */
export const REGISTER_INDEX: Readonly<Record<string, number>> = { eax: EAX, ebx: EBX, ecx: ECX, edx: EDX, esi: ESI, edi: EDI, ebp: EBP, esp: ESP }

const CODE_START = 0x10_0000
/** Where variables are: an address that no value of a test is likely to be. */
const DATA_START = 0x6d5a_4000
/** Threads and variables each begin a line of every CPU class. */
const LINE_BYTES = 64
/** Enough for what a test can push; more, and every state has more words to hash. */
const STACK_BYTES = 4096
/** Variables and elements of arrays: each is a place of every final state. */
const PLACES_MAX = 4096

export interface Linked {
  readonly image: MachineImage
  /** `P1:l` to its address. */
  readonly labels: ReadonlyMap<string, number>
}

/** @param paged symbols of paging (`PTE.x`, `PA.x`); where there are any, each variable has a page of its own */
export function addressesOf(variables: Iterable<Variable>, paged: readonly string[]): Map<string, number> {
  const addresses = new Map<string, number>()
  const unit = paged.length > 0 ? PAGE_BYTES : LINE_BYTES
  let next = DATA_START + unit
  let places = 0
  for (const { name, sizeBytes, count, line } of variables) {
    places += count
    if (places > PLACES_MAX) throw new LitmusError(line, `more than ${PLACES_MAX} variables and elements`)
    addresses.set(name, next)
    next = align(next + sizeBytes * count, unit)
  }
  if (paged.length > 0 && next - DATA_START > PAGED_MAX) throw new LitmusError(0, `more than ${PAGED_MAX / PAGE_BYTES - 1} pages of variables`)
  for (const symbol of paged) {
    const [, kind, name] = PAGING_SYMBOL.exec(symbol)!
    addresses.set(symbol, kind === 'PTE' ? entryAddress(addresses.get(name)!) : addresses.get(name)!)
  }
  return addresses
}
/** Bytes of variables, where each has a page. */
const PAGED_MAX = 128 * PAGE_BYTES

const align = (address: number, unit: number) => Math.ceil(address / unit) * unit

/** @throws LitmusError */
export function link(test: LitmusTest, threads: readonly Thread[], variables: ReadonlyMap<string, Variable>, addresses: ReadonlyMap<string, number>, paged: boolean): Linked {
  const code = placeCode(threads, addresses)
  const labels = new Map<string, number>()
  for (const { number, labels: names } of threads) for (const [label, name] of names) labels.set(`P${number}:${label}`, code.labels.get(name)!)
  const resolve = (text: string, line: number): number => {
    const address = labels.get(text) ?? addresses.get(text)
    if (address !== undefined) return address
    const [, name, index, offset] = /^(.+?)(?:\[(\d+)\]|\s*\+\s*(0x[\da-f]+|\d+))$/i.exec(text) ?? []
    const start = addresses.get(name)
    if (start !== undefined) return start + (index === undefined ? Number(offset) : Number(index) * (variables.get(name)?.sizeBytes ?? 4))
    if (/^P\d+:/.test(text)) throw new LitmusError(line, `'${text.slice(0, 60)}' is no place in the code`)
    return Number(checked(text, line))
  }

  const handlers = test.handlers.map(({ vector, label, line }): Handler => ({ vector, address: resolve(label, line), name: label, raw: true }))
  const { regions, registers: blocks, symbols } = surroundings(threads.length, handlers)
  const registers = blocks.map((block, k) => {
    const own = block.slice()
    own[EIP] = code.starts[k]
    if (paged) {
      own[CR0] |= CR0_PAGING
      own[CR3] = TABLES_START
    }
    return own
  })
  for (const [place, { value, line }] of test.registers) {
    const [thread, name] = [Number(place.slice(0, place.indexOf(':'))), place.slice(place.indexOf(':') + 1)]
    registers[thread][REGISTER_INDEX[threads[thread].registers.get(registerNamed(name)!.whole)!]] = resolve(value, line)
  }
  const memory = [...regions, code.region, dataRegion(variables, addresses, resolve)]
  const entries = new Map([...test.variables.values()].flatMap(({ name, values, line }) => (name.startsWith('PTE.') && values.length > 0 ? [[addresses.get(name)!, resolve(values[0], line)] as const] : [])))
  return {
    labels,
    image: {
      title: test.name,
      regions: paged ? [...memory, pageTables(memory, DATA_START, entries)].sort((a, b) => a.start - b.start) : memory,
      vcpus: registers.map((block, k) => ({ name: `P${k}`, registers: block })),
      init: null,
      final: null,
      handledVectors: handlers.map(({ vector }) => vector).sort((a, b) => a - b),
      interrupts: test.interrupts.map(({ vcpu, vector, max, name }): InterruptSource => ({ name, vcpu, vector, nmi: vector === NMI_VECTOR, max })),
      sites: [],
      points: [],
      objects: [],
      symbols: symbolsOf(variables, addresses, labels, symbols),
      lines: [],
      sources: {},
      inputs: [],
      linkOptions: [],
    },
  }
}
const NMI_VECTOR = 2

interface Surroundings {
  readonly regions: readonly Region[]
  readonly registers: readonly Int32Array[]
  readonly symbols: readonly Symbol32[]
}

/** Tables and stacks, by number of threads: without handlers they are the same for every test. */
const plain = new Map<number, Surroundings>()

function surroundings(threads: number, handlers: readonly Handler[]): Surroundings {
  const known = handlers.length === 0 ? plain.get(threads) : undefined
  if (known !== undefined) return known
  const space = new AddressSpace()
  space.reserve(0, PAGE_BYTES, 'the null page')
  space.reserve(CODE_START, DATA_START - CODE_START, 'the test')
  const actors = Array.from({ length: threads }, (_, vcpu): Actor => ({ name: `P${vcpu}`, entry: CODE_START, vcpu }))
  const { pieces, registers, symbols } = makeEnvironment(actors, threads, handlers, space, STACK_BYTES)
  const made = { regions: makeRegions(pieces), registers, symbols }
  if (handlers.length === 0) plain.set(threads, made)
  return made
}

function symbolsOf(variables: ReadonlyMap<string, Variable>, addresses: ReadonlyMap<string, number>, labels: ReadonlyMap<string, number>, others: readonly Symbol32[]): Symbol32[] {
  return [
    ...[...variables.values()].map(({ name, sizeBytes, count }): Symbol32 => ({ name, address: addresses.get(name)!, sizeBytes: sizeBytes * count, kind: 'object' })),
    ...[...labels].map(([name, address]): Symbol32 => ({ name, address, sizeBytes: 0, kind: 'label' })),
    ...others,
  ].sort((a, b) => a.address - b.address)
}

/** A value has at most its low 32 bits, extended by its sign. */
function dataRegion(variables: ReadonlyMap<string, Variable>, addresses: ReadonlyMap<string, number>, resolve: (text: string, line: number) => number): Region {
  let end = DATA_START + LINE_BYTES
  for (const { name, sizeBytes, count } of variables.values()) end = align(addresses.get(name)! + sizeBytes * count, LINE_BYTES) + LINE_BYTES
  const bytes = new Uint8Array(end - DATA_START)
  for (const { name, sizeBytes, values, line } of variables.values())
    values.forEach((text, k) => {
      const value = resolve(text, line)
      const at = addresses.get(name)! - DATA_START + k * sizeBytes
      for (let b = 0; b < sizeBytes; b++) bytes[at + b] = b < 4 ? value >>> (b * 8) : value < 0 ? 0xff : 0
    })
  return { name: 'variables', start: DATA_START, sizeBytes: align(bytes.length, PAGE_BYTES), bytes, access: READ | WRITE }
}

interface Code {
  readonly region: Region
  /** Entries of the threads. */
  readonly starts: readonly number[]
  /** By the assembler's names. */
  readonly labels: ReadonlyMap<string, number>
}

function placeCode(threads: readonly Thread[], addresses: ReadonlyMap<string, number>): Code {
  const written = threads.map((thread) => writeThread(thread, { threads, addresses }))
  const starts: number[] = []
  const labels = new Map<string, number>()
  const pieces: { readonly at: number; readonly bytes: Uint8Array }[] = []
  let next = CODE_START
  const add = (lines: readonly CodeLine[], origin: number) => {
    const piece = assembleLines(lines, origin)
    for (const [name, address] of piece.labels) labels.set(name, address - origin + next)
    pieces.push({ at: next, bytes: piece.bytes })
    next = align(next + piece.bytes.length, LINE_BYTES)
  }
  if (written.some(({ codeAddresses }) => codeAddresses === 'foreign')) {
    // Threads that know of each other's code are assembled together.
    add(written.flatMap(({ lines }, k) => [{ text: `align ${LINE_BYTES}`, line: 0 }, { text: `P${k}_start:`, line: 0 }, ...lines]), CODE_START)
    for (const { number } of threads) starts.push(labels.get(`P${number}_start`)!)
  } else
    for (const { lines, codeAddresses } of written) {
      starts.push(next)
      add(lines, codeAddresses === 'own' ? next : 0)
    }
  const bytes = new Uint8Array(align(next - CODE_START, PAGE_BYTES)).fill(FILL)
  for (const piece of pieces) bytes.set(piece.bytes, piece.at - CODE_START)
  return { region: { name: 'code', start: CODE_START, sizeBytes: bytes.length, bytes, access: READ | WRITE | EXECUTE }, starts, labels }
}
/** Between threads: INT3, as between other pieces of code. */
const FILL = 0xcc

interface Assembly {
  readonly bytes: Uint8Array
  readonly labels: ReadonlyMap<string, number>
}

/** Tests of a suite have most of their threads in common: what was assembled once is kept. */
const assembled = new Map<string, Assembly>()
const ASSEMBLED_MAX = 4096
const SOURCE_LENGTH_MAX = 2000

function assembleLines(lines: readonly CodeLine[], origin: number): Assembly {
  const source = lines.map(({ text }) => text).join('\n')
  const key = `${origin}\n${source}`
  const known = assembled.get(key)
  if (known !== undefined) return known
  try {
    const { segments, labels } = assemble(source, { origin })
    const made = { bytes: segments[0].bytes, labels: new Map([...labels.values()].map(({ name, address }) => [name, address])) }
    if (assembled.size === ASSEMBLED_MAX) assembled.clear()
    if (key.length <= SOURCE_LENGTH_MAX) assembled.set(key, made)
    return made
  } catch (error) {
    if (!(error instanceof AssemblyError)) throw error
    const { line, message } = error.problems[0]
    throw new LitmusError(lines[line - 1]?.line ?? 0, `unsupported: ${message}`)
  }
}
