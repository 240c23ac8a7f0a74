/**
 * Layout: input sections are gathered into output sections, and these get addresses. Explicitly placed ones
 * first; the others follow by kind (code, read-only data, data, zeroed data), each kind on pages of its own
 * since access rights go by page.
 */
import { AddressSpace, PAGE_BYTES } from '../addressSpace.ts'
import { hex32, InputError } from '../inputError.ts'
import * as elf from './format.ts'
import type { ElfSection, ElfSymbol } from './object.ts'
import { formatPlacement, type Placement } from './placement.ts'
import { isLoaded, type Resolution } from './resolve.ts'

/** Where the program starts when nothing is said: 1 MB, as kernels do. */
const PROGRAM_START = 0x100000
/** All sections together, in bytes. */
const PROGRAM_BYTES_MAX = 64 << 20
/** Different section names, so that the search for free addresses stays short. */
const OUTPUTS_MAX = 4096

export interface OutputSection {
  readonly name: string
  /** SHF_WRITE | SHF_EXECINSTR of any part. */
  flags: number
  align: number
  sizeBytes: number
  /** Whether every part is NOBITS or common. */
  zeroed: boolean
  readonly parts: { readonly section: ElfSection; readonly offset: number }[]
  readonly commons: { readonly symbol: ElfSymbol; readonly offset: number }[]
  /** Linear address of the first byte; -1 before layout. */
  address: number
}

export interface Layout {
  readonly outputs: readonly OutputSection[]
  /** Address of each loaded input section. */
  readonly sectionAddress: ReadonlyMap<ElfSection, number>
  readonly commonAddress: ReadonlyMap<ElfSymbol, number>
}

/** Gathers and places everything. Reserves what it uses in `space`. @throws InputError */
export function layOut(
  resolution: Resolution,
  placements: readonly Placement[],
  space: AddressSpace,
): Layout {
  const { outputs, symbolOutputs } = gather(resolution, placements)
  const total = outputs.reduce((sum, output) => sum + output.sizeBytes, 0)
  if (total > PROGRAM_BYTES_MAX)
    throw new InputError(
      largest(outputs),
      `the program takes ${total} bytes of memory, more than ${PROGRAM_BYTES_MAX >> 20} MB`,
      'make its arrays smaller',
    )
  if (outputs.length > OUTPUTS_MAX)
    throw new InputError(largest(outputs), `the program has more than ${OUTPUTS_MAX} different sections`)
  for (const placement of placements) placeExplicitly(placement, outputs, symbolOutputs, space)
  placeRest(outputs, space)

  const sectionAddress = new Map<ElfSection, number>()
  const commonAddress = new Map<ElfSymbol, number>()
  for (const output of outputs) {
    for (const part of output.parts) sectionAddress.set(part.section, output.address + part.offset)
    for (const common of output.commons) commonAddress.set(common.symbol, output.address + common.offset)
  }
  return { outputs, sectionAddress, commonAddress }
}

function largest(outputs: readonly OutputSection[]): string {
  const output = outputs.reduce((a, b) => (b.sizeBytes > a.sizeBytes ? b : a))
  return output.parts[0]?.section.object.file ?? output.commons[0].symbol.object.file
}

/** `.text.hot` goes to `.text`, `.data.rel.ro.local` to `.data`; other names stand for themselves. */
export function outputName(name: string): string {
  for (const base of ['.text', '.rodata', '.data', '.bss'])
    if (name === base || name.startsWith(`${base}.`)) return base
  return name
}

function gather(resolution: Resolution, placements: readonly Placement[]) {
  const byKey = new Map<string, OutputSection>()
  const output = (key: string, name: string): OutputSection => {
    let found = byKey.get(key)
    if (!found) {
      found = { name, flags: 0, align: 1, sizeBytes: 0, zeroed: true, parts: [], commons: [], address: -1 }
      byKey.set(key, found)
    }
    return found
  }
  const symbolOutputs = new Map<string, { output: OutputSection; offset: number }>()
  const alone = sectionsOfSymbols(resolution, placements)
  const placedNames = new Set(
    placements.flatMap((placement) => ('section' in placement ? [placement.section] : [])),
  )

  for (const object of resolution.objects)
    for (const section of object.sections) {
      if (!isLoaded(section) || resolution.discarded.has(section)) continue
      checkLoadable(section)
      const symbolName = alone.get(section)
      const name = placedNames.has(section.name) ? section.name : outputName(section.name)
      const target =
        symbolName === undefined ? output(name, name) : output(`symbol:${symbolName}`, section.name)
      const offset = alignUp(target.sizeBytes, section.align)
      target.parts.push({ section, offset })
      target.sizeBytes = offset + section.sizeBytes
      target.align = Math.max(target.align, section.align)
      target.flags |= section.flags & (elf.SHF_WRITE | elf.SHF_EXECINSTR)
      if (section.type !== elf.SHT_NOBITS) target.zeroed = false
    }
  for (const [section, symbolName] of alone) {
    const symbol = definitionOf(resolution, symbolName)!
    symbolOutputs.set(symbolName, {
      output: byKey.get(`symbol:${alone.get(section)}`)!,
      offset: symbol.value,
    })
  }
  gatherCommons(resolution, () => output('.bss', '.bss'))
  return { outputs: [...byKey.values()], symbolOutputs }
}

function gatherCommons(resolution: Resolution, bss: () => OutputSection): void {
  for (const symbol of resolution.globals.values()) {
    if (symbol.place !== 'common') continue
    const align = symbol.value
    if (align === 0 || align > 1 << 20 || (align & (align - 1)) !== 0)
      throw new InputError(symbol.object.file, `common symbol '${symbol.name}' has alignment ${align}`)
    const target = bss()
    const offset = alignUp(target.sizeBytes, align)
    target.commons.push({ symbol, offset })
    target.sizeBytes = offset + symbol.sizeBytes
    target.align = Math.max(target.align, align)
    target.flags |= elf.SHF_WRITE
  }
}

function checkLoadable(section: ElfSection): void {
  const file = section.object.file
  if (section.sizeBytes === 0) return
  if (section.flags & elf.SHF_TLS)
    throw new InputError(
      file,
      `has thread-local variables (section ${section.name})`,
      'remove __thread: use the per-vCPU area at %gs, or an array indexed by vCPU',
    )
  if (section.flags & elf.SHF_COMPRESSED) throw new InputError(file, `section ${section.name} is compressed`)
  const constructors = [elf.SHT_INIT_ARRAY, elf.SHT_FINI_ARRAY, elf.SHT_PREINIT_ARRAY]
  if (constructors.includes(section.type))
    throw new InputError(
      file,
      `has constructors or destructors (section ${section.name}), which nothing would run`,
      'call them from a function declared with XM_INIT or XM_FINAL',
    )
}

/** The sections that `symbol:` placements take out of their output section, with the symbol's name. */
function sectionsOfSymbols(
  resolution: Resolution,
  placements: readonly Placement[],
): Map<ElfSection, string> {
  const alone = new Map<ElfSection, string>()
  for (const placement of placements) {
    if (!('symbol' in placement)) continue
    const symbol = definitionOf(resolution, placement.symbol)
    const where = `--place ${formatPlacement(placement)}`
    if (!symbol)
      throw new InputError(where, `no object defines '${placement.symbol}'`, 'check the name with nm')
    if (!symbol.section || !isLoaded(symbol.section))
      throw new InputError(
        where,
        `'${placement.symbol}' is not in a section that is loaded`,
        'define it in one',
      )
    const other = alone.get(symbol.section)
    if (other !== undefined)
      throw new InputError(
        where,
        `'${placement.symbol}' and '${other}' are in one section, ${symbol.section.name}`,
        `give them sections of their own: __attribute__((section(".text.NAME"))), or -ffunction-sections`,
      )
    alone.set(symbol.section, placement.symbol)
  }
  return alone
}

/** The definition of a name: the global one, or a local one where only one object has it. */
export function definitionOf(resolution: Resolution, name: string): ElfSymbol | null {
  const global = resolution.globals.get(name)
  if (global) return global
  let found: ElfSymbol | null = null
  for (const object of resolution.objects)
    for (const symbol of object.symbols) {
      if (symbol.name !== name || symbol.binding !== elf.STB_LOCAL || !symbol.section) continue
      if (symbol.type === elf.STT_SECTION || symbol.type === elf.STT_FILE) continue
      if (found) return null
      found = symbol
    }
  return found
}

function placeExplicitly(
  placement: Placement,
  outputs: readonly OutputSection[],
  symbolOutputs: ReadonlyMap<string, { output: OutputSection; offset: number }>,
  space: AddressSpace,
): void {
  const where = `--place ${formatPlacement(placement)}`
  let output: OutputSection | undefined
  let address = placement.address >>> 0
  if ('symbol' in placement) {
    const found = symbolOutputs.get(placement.symbol)!
    output = found.output
    address -= found.offset
  } else {
    const alone = new Set([...symbolOutputs.values()].map((found) => found.output))
    output = outputs.find(
      (candidate) => candidate.name === placement.section && candidate.address < 0 && !alone.has(candidate),
    )
    if (!output)
      throw new InputError(
        where,
        `there is no section ${placement.section}, or it is placed twice`,
        `sections are ${outputs.map((candidate) => candidate.name).join(' ')}`,
      )
  }
  if (address < 0 || address + output.sizeBytes > 0x100000000)
    throw new InputError(where, `section ${output.name} would wrap round the end of the address space`)
  // The user's address counts, not the section's alignment: misaligned code is what some programs are about.
  output.address = address
  const other = space.reserve(address, output.sizeBytes, output.name)
  if (other !== null)
    throw new InputError(
      where,
      `section ${output.name} (${output.sizeBytes} bytes from ${hex32(address)}) overlaps ${other}`,
      'choose addresses further apart',
    )
}

const KINDS: readonly ((output: OutputSection) => boolean)[] = [
  (output) => (output.flags & elf.SHF_EXECINSTR) !== 0,
  (output) => (output.flags & (elf.SHF_EXECINSTR | elf.SHF_WRITE)) === 0,
  (output) => (output.flags & (elf.SHF_EXECINSTR | elf.SHF_WRITE)) === elf.SHF_WRITE && !output.zeroed,
  (output) => (output.flags & (elf.SHF_EXECINSTR | elf.SHF_WRITE)) === elf.SHF_WRITE && output.zeroed,
]

function placeRest(outputs: readonly OutputSection[], space: AddressSpace): void {
  let from = PROGRAM_START
  for (const belongs of KINDS) {
    for (const output of outputs) {
      if (output.address >= 0 || !belongs(output)) continue
      const start = space.allocate(Math.max(1, output.sizeBytes), output.align, from, output.name)
      if (start === null)
        throw new InputError(
          output.name,
          'no free address range is left for this section',
          'place fewer sections',
        )
      output.address = start
      from = start + output.sizeBytes
    }
    // Zeroed data may share a page with data: the same access.
    if (belongs !== KINDS[2]) from = alignUp(from, PAGE_BYTES)
  }
}

function alignUp(value: number, align: number): number {
  return Math.ceil(value / align) * align
}
