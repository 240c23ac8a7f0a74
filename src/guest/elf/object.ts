/**
 * Reader of ELF32 i386 relocatable objects. The file is untrusted: every offset, count and index is checked
 * before use, time and memory are linear in its size, and anything wrong is an InputError.
 */
import { compileCommand } from '../compileCommand.ts'
import { InputError } from '../inputError.ts'
import * as elf from './format.ts'

/** Largest object file, in bytes. */
const FILE_BYTES_MAX = 64 << 20
/** Total length of all names of one object: overlapping names could otherwise cost far more than the file has bytes. */
const NAME_BYTES_MAX = 16 << 20
/** Sections of one object (the format's own limit without extended numbering). */
const SECTIONS_MAX = elf.SHN_LORESERVE
/** Alignment of a section, in bytes. */
const ALIGN_MAX = 1 << 20

export interface Relocation {
  /** Offset of the field in its section, in bytes. */
  readonly offset: number
  readonly type: number
  readonly symbol: ElfSymbol
}

export interface ElfSection {
  readonly object: ElfObject
  readonly index: number
  readonly name: string
  readonly type: number
  readonly flags: number
  /** Contents; empty where the section has none in the file (NOBITS). */
  readonly bytes: Uint8Array
  readonly sizeBytes: number
  /** Power of two, at least 1. */
  readonly align: number
  readonly relocations: Relocation[]
}

export interface ElfSymbol {
  readonly object: ElfObject
  readonly name: string
  /** Offset in its section; alignment where common; the value itself where absolute. */
  readonly value: number
  readonly sizeBytes: number
  readonly binding: number
  readonly type: number
  /** Null where undefined, absolute or common: see `place`. */
  readonly section: ElfSection | null
  readonly place: 'section' | 'undefined' | 'absolute' | 'common'
}

/** A COMDAT group: of all groups with one signature, the linker keeps the first. */
export interface ElfGroup {
  readonly signature: string
  readonly members: readonly ElfSection[]
}

export interface ElfObject {
  readonly file: string
  readonly sections: readonly ElfSection[]
  readonly symbols: readonly ElfSymbol[]
  readonly groups: readonly ElfGroup[]
}

interface Header {
  readonly nameOffset: number
  readonly type: number
  readonly flags: number
  readonly offset: number
  readonly sizeBytes: number
  readonly link: number
  readonly info: number
  readonly align: number
}

/** Reads one object. @throws InputError */
export function readObject(file: string, bytes: Uint8Array): ElfObject {
  return new ObjectReader(file, bytes).read()
}

class ObjectReader {
  private readonly file: string
  private readonly bytes: Uint8Array
  private readonly view: DataView
  private headers: Header[] = []
  private nameBudget = NAME_BYTES_MAX

  constructor(file: string, bytes: Uint8Array) {
    this.file = file
    // A plain view of the same memory: a Node Buffer's `slice` would not copy.
    this.bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  read(): ElfObject {
    this.checkIdentity()
    this.readHeaders()
    const sections: ElfSection[] = []
    const symbols: ElfSymbol[] = []
    const groups: ElfGroup[] = []
    const object: ElfObject = { file: this.file, sections, symbols, groups }
    this.readSections(object, sections)
    const tableIndex = this.readSymbols(object, symbols)
    for (let index = 0; index < this.headers.length; index++) {
      const header = this.headers[index]
      if (header.type === elf.SHT_REL) this.readRelocations(object, index, tableIndex)
      if (header.type === elf.SHT_RELA) this.rejectRela(sections, header)
      if (header.type === elf.SHT_GROUP) this.readGroup(object, groups, index, tableIndex)
    }
    return object
  }

  private fail(what: string, remedy: string = ''): never {
    throw new InputError(this.file, what, remedy)
  }

  private checkIdentity(): void {
    const { bytes, view } = this
    if (bytes.length > FILE_BYTES_MAX) this.fail(`is larger than ${FILE_BYTES_MAX >> 20} MB`)
    if (bytes.length < 4 || view.getUint32(0) !== 0x7f454c46) {
      const text = String.fromCharCode(...bytes.subarray(0, 8))
      if (text === '!<arch>\n')
        this.fail('is an archive', 'extract the objects (ar x) and give those you need')
      if (text.startsWith('BC\xc0\xde')) this.fail('is LLVM bitcode', 'compile without -flto')
      this.fail('is not an ELF file', compileCommand(this.file))
    }
    if (bytes.length < elf.HEADER_BYTES) this.fail('is cut short inside the ELF header')
    if (bytes[4] === 2) this.fail('is a 64-bit object', 'compile with gcc -m32 (nasm -f elf32, as --32)')
    if (bytes[4] !== 1) this.fail(`has unknown ELF class ${bytes[4]}`)
    if (bytes[5] !== 1) this.fail('is a big-endian object', 'compile for i386 with gcc -m32')
    const machine = view.getUint16(18, true)
    if (machine !== elf.EM_386)
      this.fail(`is for ELF machine ${machine}, not for i386 (${elf.EM_386})`, 'compile with gcc -m32')
    const type = view.getUint16(16, true)
    if (type === 2 || type === 3)
      this.fail('is a linked program, not a relocatable object', 'compile with -c and give the .o files')
    if (type !== elf.ET_REL) this.fail(`has ELF type ${type}, not a relocatable object`, 'compile with -c')
  }

  private readHeaders(): void {
    const { view } = this
    const start = view.getUint32(32, true)
    const entryBytes = view.getUint16(46, true)
    const count = view.getUint16(48, true)
    if (count === 0 || count > SECTIONS_MAX) this.fail('has no section headers, or more than 65279')
    if (entryBytes !== elf.SECTION_HEADER_BYTES)
      this.fail(`has section headers of ${entryBytes} bytes instead of ${elf.SECTION_HEADER_BYTES}`)
    if (start + count * entryBytes > this.bytes.length)
      this.fail('is cut short: its section headers lie beyond the end of the file')
    for (let index = 0; index < count; index++) {
      const at = start + index * entryBytes
      const word = (n: number) => view.getUint32(at + n * 4, true)
      const header: Header = {
        nameOffset: word(0),
        type: word(1),
        flags: word(2),
        offset: word(4),
        sizeBytes: word(5),
        link: word(6),
        info: word(7),
        align: Math.max(1, word(8)),
      }
      const inFile = header.type !== elf.SHT_NOBITS && header.type !== elf.SHT_NULL
      if (inFile && header.offset + header.sizeBytes > this.bytes.length)
        this.fail(`is cut short: section ${index} lies beyond the end of the file`)
      this.headers.push(header)
    }
  }

  private readSections(object: ElfObject, sections: ElfSection[]): void {
    const names = this.strings(this.view.getUint16(50, true), 'section names')
    for (let index = 0; index < this.headers.length; index++) {
      const header = this.headers[index]
      const inFile = header.type !== elf.SHT_NOBITS && header.type !== elf.SHT_NULL
      const name = header.type === elf.SHT_NULL ? '' : this.name(names, header.nameOffset)
      const { align } = header
      if (header.flags & elf.SHF_ALLOC && (align > ALIGN_MAX || (align & (align - 1)) !== 0))
        this.fail(`section ${name} has alignment ${align}: not a power of two up to ${ALIGN_MAX}`)
      sections.push({
        object,
        index,
        name,
        type: header.type,
        flags: header.flags,
        bytes: inFile ? this.contents(header) : new Uint8Array(0),
        sizeBytes: header.type === elf.SHT_NULL ? 0 : header.sizeBytes,
        align,
        relocations: [],
      })
    }
  }

  /** Reads the symbol table, if there is one, and returns its section number (0: none). */
  private readSymbols(object: ElfObject, symbols: ElfSymbol[]): number {
    const tables = this.headers.flatMap((header, index) => (header.type === elf.SHT_SYMTAB ? [index] : []))
    if (tables.length === 0) return 0
    if (tables.length > 1) this.fail('has several symbol tables')
    const header = this.headers[tables[0]]
    const table = this.contents(header)
    const view = new DataView(table.buffer, table.byteOffset, table.byteLength)
    const names = this.strings(header.link, 'symbol names')
    if (table.length % elf.SYMBOL_BYTES !== 0) this.fail('has a symbol table that ends inside a symbol')
    for (let at = 0; at < table.length; at += elf.SYMBOL_BYTES) {
      const info = view.getUint8(at + 12)
      const sectionIndex = view.getUint16(at + 14, true)
      const type = info & 15
      const inSection = sectionIndex !== elf.SHN_UNDEF && sectionIndex < elf.SHN_LORESERVE
      if (inSection && sectionIndex >= object.sections.length)
        this.fail(`symbol ${symbols.length} is in section ${sectionIndex}, which does not exist`)
      const section = inSection ? object.sections[sectionIndex] : null
      const name =
        type === elf.STT_SECTION && section ? section.name : this.name(names, view.getUint32(at, true))
      const value = view.getUint32(at + 4, true)
      if (section && value > section.sizeBytes && type !== elf.STT_FILE)
        this.fail(`symbol '${name}' lies beyond the end of its section ${section.name}`)
      symbols.push({
        object,
        name,
        value,
        sizeBytes: view.getUint32(at + 8, true),
        binding: info >> 4,
        type,
        section,
        place: inSection ? 'section' : this.placeOf(name, sectionIndex),
      })
    }
    return tables[0]
  }

  private placeOf(name: string, sectionIndex: number): ElfSymbol['place'] {
    if (sectionIndex === elf.SHN_UNDEF) return 'undefined'
    if (sectionIndex === elf.SHN_ABS) return 'absolute'
    if (sectionIndex === elf.SHN_COMMON) return 'common'
    return this.fail(`symbol '${name}' has the reserved section number ${sectionIndex}`)
  }

  private readRelocations(object: ElfObject, index: number, tableIndex: number): void {
    const header = this.headers[index]
    const target = object.sections[header.info]
    if (!target || header.info === 0)
      this.fail(`section ${index} relocates section ${header.info}, which does not exist`)
    if (tableIndex === 0 || header.link !== tableIndex)
      this.fail(`the relocations of section ${target.name} have no symbol table`)
    const table = this.contents(header)
    const view = new DataView(table.buffer, table.byteOffset, table.byteLength)
    if (table.length % elf.REL_BYTES !== 0)
      this.fail(`the relocations of section ${target.name} end inside a relocation`)
    for (let at = 0; at < table.length; at += elf.REL_BYTES) {
      const offset = view.getUint32(at, true)
      const info = view.getUint32(at + 4, true)
      const symbol = object.symbols[info >>> 8]
      if (!symbol)
        this.fail(`a relocation of section ${target.name} names symbol ${info >>> 8}, which does not exist`)
      if (offset >= target.bytes.length)
        this.fail(`a relocation of section ${target.name} lies beyond its end, at offset ${offset}`)
      target.relocations.push({ offset, type: info & 0xff, symbol })
    }
  }

  private rejectRela(sections: readonly ElfSection[], header: Header): void {
    const target = sections[header.info]
    if (target && target.flags & elf.SHF_ALLOC && header.sizeBytes > 0)
      this.fail(
        `section ${target.name} has relocations with addends (RELA)`,
        'i386 objects use REL: assemble for elf32-i386',
      )
  }

  private readGroup(object: ElfObject, groups: ElfGroup[], index: number, tableIndex: number): void {
    const header = this.headers[index]
    const table = this.contents(header)
    const view = new DataView(table.buffer, table.byteOffset, table.byteLength)
    const symbol = object.symbols[header.info]
    if (
      tableIndex === 0 ||
      header.link !== tableIndex ||
      !symbol ||
      table.length % 4 !== 0 ||
      table.length < 4
    )
      this.fail(`section group ${index} is damaged`)
    if (view.getUint32(0, true) !== elf.GRP_COMDAT) return
    const members: ElfSection[] = []
    for (let at = 4; at < table.length; at += 4) {
      const member = object.sections[view.getUint32(at, true)]
      if (!member) this.fail(`section group '${symbol.name}' names a section that does not exist`)
      members.push(member)
    }
    groups.push({ signature: symbol.name, members })
  }

  private contents(header: Header): Uint8Array {
    return this.bytes.subarray(header.offset, header.offset + header.sizeBytes)
  }

  private strings(index: number, what: string): Uint8Array {
    const header = this.headers[index]
    if (!header || header.type !== elf.SHT_STRTAB) this.fail(`has no table of ${what}`)
    return this.contents(header)
  }

  private name(table: Uint8Array, offset: number): string {
    if (offset === 0) return ''
    const end = offset < table.length ? table.indexOf(0, offset) : -1
    if (end < 0) this.fail('has a name that lies beyond the end of its table')
    this.nameBudget -= end - offset + 1
    if (this.nameBudget < 0) this.fail(`has more than ${NAME_BYTES_MAX >> 20} MB of names`)
    return decodeText(table.subarray(offset, end))
  }
}

const decoder = new TextDecoder('utf-8')

/** Text of a name or string: UTF-8, undecodable bytes as U+FFFD. */
export function decodeText(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}
