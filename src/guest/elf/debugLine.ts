/**
 * The line tables of an object (DWARF 2 to 5, section .debug_line), with its relocations applied. They only
 * serve reports, so what is damaged or unknown in them is skipped and never an error.
 */
import { InputError } from '../inputError.ts'
import * as elf from './format.ts'
import { decodeText, type ElfObject, type ElfSection } from './object.ts'
import { relocate, type SymbolAddress } from './relocate.ts'

export interface LineRow {
  readonly address: number
  /** Path as the compiler recorded it, with its directory. */
  readonly file: string
  readonly line: number
  /** The row marks the first address behind a stretch of code. */
  readonly end: boolean
}

const DW_LNCT_path = 1
const DW_LNCT_directory_index = 2

/** Directories or files of one table, and rows of one object: hostile counts end here. */
const ENTRIES_MAX = 65536
const ROWS_MAX = 2_000_000

/** Every row of the object's line tables whose code was loaded. */
export function readLines(
  object: ElfObject,
  sectionAddress: ReadonlyMap<ElfSection, number>,
  addressOf: SymbolAddress,
): LineRow[] {
  const rows: LineRow[] = []
  const strings = (name: string) =>
    object.sections.find((section) => section.name === name)?.bytes ?? new Uint8Array(0)
  for (const section of object.sections) {
    if (section.name !== '.debug_line' || section.flags & elf.SHF_COMPRESSED) continue
    // Debugging sections have no address: references between them are offsets, those into code addresses.
    const debugAddress: SymbolAddress = (symbol) => {
      if (symbol.section && !(symbol.section.flags & elf.SHF_ALLOC)) return symbol.value
      if (symbol.section && !sectionAddress.has(symbol.section)) return GONE
      return addressOf(symbol) ?? GONE
    }
    try {
      const bytes = relocate(section, 0, debugAddress)
      readTables(bytes, strings('.debug_str'), strings('.debug_line_str'), rows)
    } catch (error) {
      if (!(error instanceof DamagedTable || error instanceof InputError)) throw error
    }
  }
  return rows
}

/** Stands for the address of code that was not loaded (a COMDAT function that another object supplied). */
const GONE = 0xffffffff

class DamagedTable extends Error {}

/** Reads numbers and strings from `bytes`, from `at` up to `end`. */
class Cursor {
  at: number
  end: number
  private readonly bytes: Uint8Array
  private readonly view: DataView

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.at = 0
    this.end = bytes.length
  }

  take(count: number): number {
    const at = this.at
    if (count < 0 || at + count > this.end) throw new DamagedTable()
    this.at += count
    return at
  }
  u8 = () => this.view.getUint8(this.take(1))
  s8 = () => this.view.getInt8(this.take(1))
  u16 = () => this.view.getUint16(this.take(2), true)
  u32 = () => this.view.getUint32(this.take(4), true)
  /** LEB128, its low 32 bits. */
  uleb(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.u8()
      if (shift < 32) value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
  }
  sleb(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.u8()
      if (shift < 32) value |= (byte & 0x7f) << shift
      if (byte < 0x80) return shift + 7 < 32 && byte & 0x40 ? value | (-1 << (shift + 7)) : value
    }
  }
  text(): string {
    const start = this.at
    const end = this.bytes.indexOf(0, start)
    if (end < 0 || end >= this.end) throw new DamagedTable()
    this.at = end + 1
    return decodeText(this.bytes.subarray(start, end))
  }
}

interface FileEntry {
  readonly name: string
  readonly directory: number
}

interface TableHeader {
  readonly version: number
  readonly minInstructionBytes: number
  readonly lineBase: number
  readonly lineRange: number
  readonly opcodeBase: number
  readonly operandCounts: readonly number[]
  /** Path of a file register's value; the first file is 1 up to DWARF 4, 0 from DWARF 5 on. */
  readonly pathOf: (file: number) => string
}

function readTables(bytes: Uint8Array, strings: Uint8Array, lineStrings: Uint8Array, rows: LineRow[]): void {
  const cursor = new Cursor(bytes)
  while (cursor.at + 4 <= bytes.length) {
    const length = cursor.u32()
    if (length >= 0xfffffff0) throw new DamagedTable() // 64-bit DWARF: not for i386
    const next = cursor.at + length
    if (next > bytes.length) throw new DamagedTable()
    cursor.end = next
    const header = readHeader(cursor, strings, lineStrings)
    if (header) runProgram(cursor, header, rows)
    cursor.at = next
    cursor.end = bytes.length
  }
}

function readHeader(cursor: Cursor, strings: Uint8Array, lineStrings: Uint8Array): TableHeader | null {
  const version = cursor.u16()
  if (version < 2 || version > 5) return null
  if (version >= 5) {
    const addressBytes = cursor.u8()
    cursor.take(1) // segment selector size
    if (addressBytes !== 4) return null
  }
  const headerBytes = cursor.u32()
  const programStart = cursor.at + headerBytes
  const minInstructionBytes = cursor.u8()
  if (version >= 4) cursor.take(1) // operations per instruction: 1 but for VLIW
  cursor.take(1) // default of is_stmt: rows that are no statement still say where code comes from
  const lineBase = cursor.s8()
  const lineRange = cursor.u8()
  const opcodeBase = cursor.u8()
  if (lineRange === 0 || opcodeBase === 0) throw new DamagedTable()
  const operandCounts = [0]
  for (let opcode = 1; opcode < opcodeBase; opcode++) operandCounts.push(cursor.u8())
  let directories: string[]
  let files: FileEntry[]
  if (version >= 5) {
    directories = readEntries(cursor, strings, lineStrings).map((entry) => entry.name)
    files = readEntries(cursor, strings, lineStrings)
  } else {
    directories = ['']
    for (let name = cursor.text(); name !== ''; name = cursor.text()) directories.push(name)
    files = [{ name: '', directory: 0 }]
    for (let name = cursor.text(); name !== ''; name = cursor.text()) {
      files.push({ name, directory: cursor.uleb() })
      cursor.uleb() // time of modification
      cursor.uleb() // length
    }
  }
  cursor.at = programStart
  cursor.take(0)
  const paths = new Map<number, string>()
  const pathOf = (file: number) => {
    let path = paths.get(file)
    if (path === undefined) paths.set(file, (path = joinPath(directories, files[file])))
    return path
  }
  return { version, minInstructionBytes, lineBase, lineRange, opcodeBase, operandCounts, pathOf }
}

/** A list of DWARF 5 directory or file entries: a format, then a count, then values in that format. */
function readEntries(cursor: Cursor, strings: Uint8Array, lineStrings: Uint8Array): FileEntry[] {
  const format: [content: number, form: number][] = []
  for (let left = cursor.u8(); left > 0; left--) format.push([cursor.uleb(), cursor.uleb()])
  const count = cursor.uleb()
  if (count > ENTRIES_MAX || (format.length === 0 && count > 0)) throw new DamagedTable()
  const entries: FileEntry[] = []
  for (let index = 0; index < count; index++) {
    let name = ''
    let directory = 0
    for (const [content, form] of format) {
      const value = readForm(cursor, form, strings, lineStrings)
      if (content === DW_LNCT_path) name = String(value)
      if (content === DW_LNCT_directory_index) directory = Number(value)
    }
    entries.push({ name, directory })
  }
  return entries
}

/** A value in one of the forms that line tables use (DWARF 5, 6.2.4.1). */
function readForm(
  cursor: Cursor,
  form: number,
  strings: Uint8Array,
  lineStrings: Uint8Array,
): string | number {
  switch (form) {
    case 0x08: // string
      return cursor.text()
    case 0x0e: // strp
      return stringAt(strings, cursor.u32())
    case 0x1f: // line_strp
      return stringAt(lineStrings, cursor.u32())
    case 0x0b: // data1
      return cursor.u8()
    case 0x05: // data2
      return cursor.u16()
    case 0x06: // data4
      return cursor.u32()
    case 0x07: // data8
      return cursor.take(8)
    case 0x0f: // udata
      return cursor.uleb()
    case 0x1e: // data16: an MD5
      return cursor.take(16)
    case 0x09: // block
      return cursor.take(cursor.uleb())
    default:
      throw new DamagedTable()
  }
}

/** Longest path, in bytes. */
const PATH_BYTES_MAX = 4096

function stringAt(table: Uint8Array, offset: number): string {
  const end = offset < table.length ? table.subarray(0, offset + PATH_BYTES_MAX).indexOf(0, offset) : -1
  if (end < 0) throw new DamagedTable()
  return decodeText(table.subarray(offset, end))
}

function joinPath(directories: readonly string[], file: FileEntry | undefined): string {
  if (!file || !file.name) return ''
  const absolute = (path: string) => path.startsWith('/') || /^[A-Za-z]:[\\/]/.test(path)
  let path = file.name
  for (const directory of [directories[file.directory], directories[0]])
    if (directory && !absolute(path) && !path.startsWith(`${directory}/`)) path = `${directory}/${path}`
  return path.replace(/^(\.\/+)+/, '').replaceAll('/./', '/')
}

const EXTENDED_END_SEQUENCE = 1
const EXTENDED_SET_ADDRESS = 2

/** The line number program (DWARF 5, 6.2.5). Each opcode takes a byte or more and appends at most one row. */
function runProgram(cursor: Cursor, header: TableHeader, rows: LineRow[]): void {
  const { minInstructionBytes, lineBase, lineRange, opcodeBase } = header
  let address = 0
  let file = 1
  let line = 1
  let gone = false
  const emit = (end: boolean) => {
    if (rows.length >= ROWS_MAX) throw new DamagedTable()
    if (!gone) rows.push({ address: address >>> 0, file: header.pathOf(file), line: line >>> 0, end })
  }
  while (cursor.at < cursor.end) {
    const opcode = cursor.u8()
    if (opcode >= opcodeBase) {
      const adjusted = opcode - opcodeBase
      address += Math.floor(adjusted / lineRange) * minInstructionBytes
      line += lineBase + (adjusted % lineRange)
      emit(false)
      continue
    }
    switch (opcode) {
      case 0: {
        const length = cursor.uleb()
        const next = cursor.take(length) + length
        if (length === 0) break
        cursor.at = next - length
        const extended = cursor.u8()
        if (extended === EXTENDED_END_SEQUENCE) {
          emit(true)
          address = 0
          file = 1
          line = 1
          gone = false
        } else if (extended === EXTENDED_SET_ADDRESS && length === 5) {
          address = cursor.u32()
          gone = address === GONE
        }
        cursor.at = next
        break
      }
      case 1: // copy
        emit(false)
        break
      case 2: // advance_pc
        address += cursor.uleb() * minInstructionBytes
        break
      case 3: // advance_line
        line += cursor.sleb()
        break
      case 4: // set_file
        file = cursor.uleb()
        break
      case 8: // const_add_pc
        address += Math.floor((255 - opcodeBase) / lineRange) * minInstructionBytes
        break
      case 9: // fixed_advance_pc
        address += cursor.u16()
        break
      default: // set_column, negate_stmt, set_basic_block, prologue, epilogue, set_isa and what is newer
        for (let left = header.operandCounts[opcode]; left > 0; left--) cursor.uleb()
    }
  }
}
