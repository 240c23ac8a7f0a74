/**
 * The declarations of a guest program: section `.xmcheck`, an array of 32-byte records that the macros of
 * include/xmcheck.h, xmcheck.inc and xmcheck.S.inc emit. Little-endian 32-bit words:
 *
 * ```
 *  0  tag      0x584D0100 + kind ("XM", format version 1)
 *  4  order    records of one file are taken in ascending order; equal ones as they stand
 *  8  text     address of a NUL-terminated string: a name, or the text of a condition; 0 none
 * 12  file     address of a NUL-terminated string: source file; 0 none
 * 16  line     source line; 0 unknown
 * 20  object   address of a function, patch site or object
 * 24  a        by kind, see `RECORD_KINDS`
 * 28  b        by kind
 * ```
 */
import { hex32, InputError } from './inputError.ts'
import type { LinkedProgram } from './elf/link.ts'
import type { MemoryView } from './memoryView.ts'

export const RECORD_BYTES = 32
export const RECORD_TAG = 0x584d0100
export const RECORD_SECTION = '.xmcheck'

/** Every kind, by number. The headers spell the same numbers; a test holds them against this table. */
export const RECORD_KINDS = {
  /** object: function that runs alone before the vCPUs start. */
  init: 1,
  /** object: entry function; a: how many vCPUs run it. */
  vcpu: 2,
  /** object: function that runs alone when every vCPU has ended. */
  final: 3,
  /** object: handler; a: vector, plus `HANDLER_RAW` where the gate leads straight to it. */
  handler: 4,
  /** An interrupt that may arrive. a: vector | vCPU << 16 (`EVERY_VCPU`: one source each); b: how many, 0 any number. */
  irq: 5,
  /** An NMI that may arrive. a: vCPU << 16; b: how many. */
  nmi: 6,
  /** object: patch site; a: size in bytes, plus `SITE_INT3`; b: address of its targets, a list that ends with 0. */
  site: 7,
  /** object: named memory; a: size in bytes. */
  object: 8,
  /** Check points: the record's own address is the id that the guest passes in EDX. object: where `line` is 0, its code. */
  assert: 9,
  assume: 10,
  choose: 11,
  progress: 12,
  reach: 13,
  /** object: patch site; a: size in bytes, plus `SITE_INT3`; b: address of the addresses of its forms, of so many bytes each; 0 ends. */
  forms: 14,
  /** Check point that no execution may reach. */
  fail: 15,
  /** object: patch site that is declared as `site` or `forms`; b: address of the functions of which each pass calls one, a list that ends with 0. */
  calls: 16,
  /** a: pCPUs that the vCPUs share, where --set pcpus=N does not say otherwise. */
  pcpus: 17,
  /** object: a word; a: vCPU | size in bytes << 16; b: address of four words: which of BELIEVED, how (BELIEF_...), bits, value. */
  belief: 18,
  /** object: memory of one vCPU; a: the vCPU; b: size in bytes. */
  own: 19,
  /** object: what names a mode; b: address of the functions that are not executed in it, a list that ends with 0. */
  forbids: 20,
  /** object: where the hypervisor says who has no pCPU; a: bytes a vCPU; b: bytes in all, 0: not said. */
  steal: 21,
  /** object: entries of page tables; a: size in bytes. */
  dirty: 22,
} as const
export type RecordKind = keyof typeof RECORD_KINDS

export const HANDLER_RAW = 0x10000
export const SITE_INT3 = 0x10000
/** How a word says what a register is: the word itself; bits that are set or clear; bits that are clear. */
export const [BELIEF_SAME, BELIEF_IF, BELIEF_MAY] = [0, 1, 2]
export const EVERY_VCPU = 0xffff
/** Targets of one site, and declarations of one program. */
export const TARGETS_MAX = 1024
const RECORDS_MAX = 65536

export interface GuestRecord {
  readonly kind: RecordKind
  readonly address: number
  /** Input file whose section holds it, for messages. */
  readonly input: string
  readonly text: string
  readonly file: string
  readonly line: number
  readonly object: number
  readonly a: number
  readonly b: number
}

const KIND_NAMES: ReadonlyMap<number, RecordKind> = new Map(
  Object.entries(RECORD_KINDS).map(([name, number]) => [number, name as RecordKind]),
)

/** Every record of the program, in the order of inputs and of their `order` words. @throws InputError */
export function readRecords(program: LinkedProgram, memory: MemoryView): GuestRecord[] {
  const parts = program.partsOf(RECORD_SECTION)
  const total = parts.reduce((sum, part) => sum + part.sizeBytes, 0)
  if (total > RECORDS_MAX * RECORD_BYTES)
    throw new InputError(parts[0].file, `the program has more than ${RECORDS_MAX} declarations`)
  return parts.flatMap((part) => {
    if (part.sizeBytes % RECORD_BYTES !== 0)
      throw new InputError(
        part.file,
        `section ${RECORD_SECTION} has ${part.sizeBytes} bytes, not a multiple of ${RECORD_BYTES}`,
        'use the macros of include/xmcheck.h',
      )
    const found: { order: number; record: GuestRecord }[] = []
    for (let offset = 0; offset < part.sizeBytes; offset += RECORD_BYTES)
      found.push(readRecord(memory, part.address + offset, part.file))
    return found.sort((x, y) => x.order - y.order).map((entry) => entry.record)
  })
}

function readRecord(memory: MemoryView, address: number, input: string) {
  const word = (n: number) => memory.word(address + n * 4) ?? 0
  const tag = word(0)
  const where = `record at ${hex32(address)} of section ${RECORD_SECTION}`
  const remedy = 'compile against the include/xmcheck.h of this xmcheck'
  if ((tag & 0xffffff00) >>> 0 !== RECORD_TAG)
    throw new InputError(
      input,
      `${where} begins with ${hex32(tag)} instead of ${hex32(RECORD_TAG)} + kind`,
      remedy,
    )
  const kind = KIND_NAMES.get(tag & 0xff)
  if (!kind) throw new InputError(input, `${where} has unknown kind ${tag & 0xff}`, remedy)
  const string = (pointer: number, what: string) => {
    const text = pointer === 0 ? '' : memory.string(pointer)
    if (text === null) throw new InputError(input, `${where}: no ${what} at ${hex32(pointer)}`, remedy)
    return text
  }
  const record: GuestRecord = {
    kind,
    address,
    input,
    text: string(word(2), 'text'),
    file: string(word(3), 'file name'),
    line: word(4),
    object: word(5),
    a: word(6),
    b: word(7),
  }
  return { order: word(1), record }
}
