/**
 * Mutants of a program, made mechanically from its machine code: what a protocol is made of is taken away, one piece at a time, in place, so
 * that nothing else moves. A protocol whose mutant still holds has a piece that it does not need, or a property that does not see it.
 *
 * | piece | what the mutant has instead |
 * |---|---|
 * | store, by any instruction | NOPs |
 * | two stores with nothing but work on registers between them | the other order |
 * | LOCK prefix | a DS prefix |
 * | XCHG with memory, which is locked without one | only its store; only its load |
 * | fence (MFENCE, LFENCE, SFENCE, a locked operation on the own stack) | NOPs |
 * | core synchronisation (CPUID, IRET to the next instruction), WBINVD | NOPs |
 * | flush of translations (INVLPG, MOV to a control register) | NOPs |
 * | IPI, NMI, kick, INT to a hypervisor or scheduler, call of a function, CLI, STI | NOPs |
 * | conditional jump (a check, a recheck, a wait) | never taken; always taken |
 *
 * Pieces are instructions that some execution reaches while the vCPUs run (observe.ts). So code that is never reached has none, nor
 * has what prepares the program or judges its end; of the rest, lines with assertions and the like are the property and not the protocol.
 */
import { CREG, IMM, MEM, REG, type Op } from '../cpu/decode.ts'
import { ESP } from '../cpu/registers.ts'
import { writesRegister } from '../cpu/registerEffects.ts'
import { GUEST_CALLS } from '../smp/guestCalls.ts'
import { ENVIRONMENT, type MachineImage } from '../smp/image.ts'
import { symbolAt } from '../smp/symbols.ts'
import { guestCallOf, patched, type Instruction } from './code.ts'
import type { Observation, Place } from './observe.ts'

export interface Mutant {
  /** `store removed`, `LOCK removed`, ... */
  readonly kind: string
  /** The instruction that is changed; of two stores the first. */
  readonly place: Place
  /** What was there, and what stands there instead. */
  readonly original: Instruction
  readonly replacement: Uint8Array
  /** Of two stores the second. */
  readonly other?: Place
}

/** Where an instruction comes from, for people. */
export interface Origin {
  /** The innermost function; '' where none is known. */
  readonly function: string
  readonly offset: number
  /** Name of the file without folders; '' where it is not known. */
  readonly file: string
  readonly line: number
  /** The source line. */
  readonly text: string
}

const NOP = 0x90
const DS_PREFIX = 0x3e
const LOCK_PREFIX = 0xf0
const PREFIXES: readonly number[] = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]
/** Instructions that are pieces by themselves. */
const PIECES: ReadonlySet<string> = new Set(['mfence', 'lfence', 'sfence', 'wbinvd', 'clflush', 'invlpg', 'cpuid', 'int', 'cli', 'sti'])
const SENDS: ReadonlyMap<number, string> = new Map([
  [GUEST_CALLS.ipi, 'IPI'],
  [GUEST_CALLS.nmi, 'NMI'],
  [GUEST_CALLS.kick, 'kick'],
])
/** What these write is a stack, wherever it is. */
const PUSHES: ReadonlySet<string> = new Set(['push', 'pusha', 'pushf', 'call', 'enter', 'int', 'int3', 'into'])
/** They change what their operands say, and flags, and nothing else. */
const REGISTER_WORK: ReadonlySet<string> = new Set(['mov', 'movzx', 'movsx', 'lea', 'add', 'sub', 'and', 'or', 'xor', 'inc', 'dec', 'neg', 'not', 'shl', 'shr', 'sar', 'cmp', 'test'])

/** Every mutant of `image`, in the order of their addresses. */
export function mutantsOf(image: MachineImage, observation: Observation): Mutant[] {
  const places = [...observation.places.values()].filter((place) => isPiece(image, observation, place)).sort((a, b) => a.address - b.address)
  const byAddress = new Map(places.map((place) => [place.address, place]))
  const after = (place: Place) => byAddress.get(place.address + place.bytes.length)
  const targets = new Set(places.flatMap(({ address, op }) => (op.row?.mnemonic.startsWith('j') && op.a.kind === IMM ? [(address + op.length + op.a.value) >>> 0] : [])))
  return places.flatMap((place) => {
    const make = (kind: string, replacement: Uint8Array): Mutant => ({ kind, place, original: place, replacement })
    const removed = (what: string) => make(`${what} removed`, new Uint8Array(place.bytes.length).fill(NOP))
    const { op } = place
    const name = op.row!.mnemonic
    const send = SENDS.get(guestCallOf(op))
    const sync = synchronization(place, after)
    if (sync !== null) return [{ ...make('core synchronisation removed', new Uint8Array(sync.bytes.length).fill(NOP)), original: sync }]
    if (op.lock) return [storesToMemory(observation, place) ? make('LOCK removed', withoutLock(place.bytes)) : removed('fence')]
    if (name === 'xchg' && op.a.kind === MEM) return [make('XCHG: only its store', recoded(place, 0x88)), make('XCHG: only its load', recoded(place, 0x8a))]
    if (PIECES.has(name)) return [removed(name.toUpperCase())]
    if (name === 'mov' && op.a.kind === CREG) return [removed(`MOV to CR${op.a.value}`)]
    if (send !== undefined) return [removed(send)]
    if (name === 'call' && op.a.kind === IMM) return [removed('call')]
    if (isConditional(op)) return [make('branch never taken', new Uint8Array(place.bytes.length).fill(NOP)), make('branch always taken', always(place))]
    if (!isStore(observation, place)) return []
    const swap = swapped(observation, place, after, targets)
    return [removed('store'), ...(swap === null ? [] : [swap])]
  })
}

/** The program with the mutant in it. */
export function imageOf(image: MachineImage, { original, replacement }: Mutant): MachineImage {
  return patched(image, original.address, replacement)
}

export function originOf(image: MachineImage, address: number): Origin {
  const found = symbolAt(image, address)
  const entry = image.lines.findLast((one) => one.address <= address)
  const known = entry !== undefined && entry.line > 0
  return {
    function: found?.symbol.name ?? '',
    offset: found?.offset ?? 0,
    file: known ? entry.file.split('/').pop()! : '',
    line: known ? entry.line : 0,
    text: known ? (image.sources[entry.file]?.[entry.line - 1]?.trim() ?? '') : '',
  }
}

/** It is the program's own, neither rewritten while it may run nor part of the property. */
function isPiece(image: MachineImage, { touched }: Observation, { address, bytes }: Place): boolean {
  if (image.regions.some(({ name, start, sizeBytes }) => name.startsWith(ENVIRONMENT) && address >= start && address < start + sizeBytes)) return false
  if (image.sites.some((site) => address < site.address + site.sizeBytes && site.address < address + bytes.length)) return false
  for (let b = 0; b < bytes.length; b++) if ((touched.get(address + b)?.writers ?? 0) !== 0) return false
  const { file, line } = originOf(image, address)
  return file === '' || !image.points.some((point) => point.line === line && point.file.split('/').pop() === file)
}

/** It writes memory that is more than the stack of its own vCPU. */
function storesToMemory({ onOwnStack }: Observation, { writes, op }: Place): boolean {
  return op.base !== ESP && [...writes].some((byte) => !onOwnStack(byte))
}

function isStore(observation: Observation, place: Place): boolean {
  return !PUSHES.has(place.op.row!.mnemonic) && storesToMemory(observation, place)
}

const isPrefix = (byte: number) => PREFIXES.includes(byte)
const opcodeAt = (bytes: Uint8Array) => bytes.findIndex((byte) => !isPrefix(byte))

function withoutLock(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte, b) => (byte === LOCK_PREFIX && b < opcodeAt(bytes) ? DS_PREFIX : byte))
}

/** XCHG of either size as a MOV with that opcode for bytes. */
function recoded({ bytes }: Place, opcode: number): Uint8Array {
  const out = bytes.slice()
  const at = opcodeAt(bytes)
  out[at] = opcode | (bytes[at] & 1)
  return out
}

function isConditional(op: Op): boolean {
  const name = op.row!.mnemonic
  return ((name.startsWith('j') && name !== 'jmp') || name.startsWith('loop')) && op.a.kind === IMM
}

/** Jcc rel8 becomes JMP rel8; Jcc rel32 (6 bytes) NOP and JMP rel32. */
function always({ op, bytes }: Instruction): Uint8Array {
  const out = bytes.slice()
  if (op.length >= 6) {
    out[out.length - 6] = NOP
    out[out.length - 5] = 0xe9
  } else out[out.length - 2] = 0xeb
  return out
}

/** PUSHF; PUSH CS; PUSH $next; IRET from `place` on, as one piece; null where there is none. */
function synchronization(place: Place, after: (place: Place) => Place | undefined): Instruction | null {
  const part: Place[] = []
  for (let next: Place | undefined = place; next !== undefined && part.length < 4; next = after(next)) part.push(next)
  if (part.map((one) => one.op.row!.mnemonic).join(' ') !== 'pushf push push iret') return null
  const bytes = Uint8Array.from(part.flatMap((one) => [...one.bytes]))
  return part[2].op.a.kind === IMM && part[2].op.a.value >>> 0 === (place.address + bytes.length) >>> 0 ? { ...place, bytes } : null
}

/** The store of `place` behind the next one; null: nothing but work on registers that it does not need stands between, and nobody jumps there. */
function swapped(observation: Observation, place: Place, after: (place: Place) => Place | undefined, targets: ReadonlySet<number>): Mutant | null {
  const isMove = ({ op }: Place) => op.row!.mnemonic === 'mov' && op.a.kind === MEM
  if (!isMove(place)) return null
  const needs = [place.op.base, place.op.index, place.op.b.kind === REG ? registerOf(place.op) : -1].filter((register) => register >= 0)
  const between: Place[] = []
  for (let next = after(place); next !== undefined && !targets.has(next.address); next = after(next)) {
    if (isMove(next) && isStore(observation, next)) {
      if ([...next.writes].some((byte) => place.writes.has(byte))) return null
      const bytes = (...places: readonly Place[]) => Uint8Array.from(places.flatMap((one) => [...one.bytes]))
      const original = { ...place, bytes: bytes(place, ...between, next) }
      return { kind: 'stores swapped', place, original, replacement: bytes(...between, next, place), other: next }
    }
    const { op } = next
    const plain = REGISTER_WORK.has(op.row!.mnemonic) && [op.a, op.b, op.c].every(({ kind }) => kind !== MEM || op.row!.mnemonic === 'lea')
    if (!plain || op.a.kind !== REG || needs.some((register) => writesRegister(op, register))) return null
    between.push(next)
  }
  return null
}

/** The general register that holds the second operand; AH to BH are parts of the first four. */
const registerOf = ({ b }: Op) => (b.size === 1 ? b.value & 3 : b.value)
