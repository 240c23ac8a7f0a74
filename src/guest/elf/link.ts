/**
 * The static linker: objects in, a program at fixed addresses out. Knows nothing of vCPUs or declarations.
 */
import type { Symbol32 } from '../../smp/image.ts'
import { AddressSpace } from '../addressSpace.ts'
import { InputError } from '../inputError.ts'
import { readLines, type LineRow } from './debugLine.ts'
import * as elf from './format.ts'
import { definitionOf, layOut, type Layout, type OutputSection } from './layout.ts'
import { readObject, type ElfObject, type ElfSection, type ElfSymbol } from './object.ts'
import type { Placement } from './placement.ts'
import { relocate, type SymbolAddress } from './relocate.ts'
import { isLoaded, resolveSymbols, type LibraryMember, type Resolution } from './resolve.ts'

/** Most objects of one program. */
const OBJECTS_MAX = 256

export interface ObjectFile {
  /** What messages, traces and reports call it: the path as the user gave it. */
  readonly name: string
  readonly bytes: Uint8Array
}

/** A section of the linked program. */
export interface LinkedSection {
  readonly name: string
  readonly address: number
  readonly sizeBytes: number
  /** Contents; shorter than `sizeBytes` where the rest is 0. */
  readonly bytes: Uint8Array
  /** SHF_WRITE | SHF_EXECINSTR */
  readonly flags: number
}

export interface LinkedProgram {
  /** Sorted by address. */
  readonly sections: readonly LinkedSection[]
  /** Every named symbol with an address, sorted by address. */
  readonly symbols: readonly Symbol32[]
  /** Rows of the line tables, in no order. */
  readonly lines: readonly LineRow[]
  /** Address of a global symbol, or of a local one whose name is unique; null where there is none. */
  addressOf(name: string): number | null
  /** Where sections named `name` came to lie, in the order of the inputs. */
  partsOf(
    name: string,
  ): readonly { readonly file: string; readonly address: number; readonly sizeBytes: number }[]
}

/**
 * Links objects.
 * @param space addresses already in use; the program's are added
 * @throws InputError
 */
export function link(
  inputs: readonly ObjectFile[],
  library: readonly LibraryMember[],
  placements: readonly Placement[],
  space: AddressSpace,
): LinkedProgram {
  if (inputs.length === 0)
    throw new InputError('(no file)', 'there is nothing to link', 'give an object file')
  if (inputs.length > OBJECTS_MAX)
    throw new InputError(inputs[0].name, `is one of more than ${OBJECTS_MAX} objects`)
  const objects = inputs.map((input) => readObject(input.name, input.bytes))
  const resolution = resolveSymbols(objects, library)
  const layout = layOut(resolution, placements, space)
  const addressOf = makeAddressOf(resolution, layout)
  checkResolved(resolution, addressOf)

  const sections = layout.outputs
    .map((output) => buildSection(output, addressOf))
    .sort((a, b) => a.address - b.address)
  return {
    sections,
    symbols: listSymbols(resolution, addressOf),
    lines: resolution.objects.flatMap((object) => readLines(object, layout.sectionAddress, addressOf)),
    addressOf(name) {
      const symbol = definitionOf(resolution, name)
      return symbol && addressOf(symbol)
    },
    partsOf: (name) =>
      layout.outputs.flatMap((output) =>
        output.parts
          .filter(({ section }) => section.name === name)
          .map(({ section, offset }) => ({
            file: section.object.file,
            address: output.address + offset,
            sizeBytes: section.sizeBytes,
          })),
      ),
  }
}

function makeAddressOf(resolution: Resolution, layout: Layout): SymbolAddress {
  const bounds = sectionBounds(layout.outputs)
  const direct = (symbol: ElfSymbol): number | null => {
    // Symbol 0 has neither name nor place: a relocation against it is against address 0.
    if (symbol.place === 'absolute' || (symbol.place === 'undefined' && symbol.name === ''))
      return symbol.value
    if (symbol.place === 'common') return layout.commonAddress.get(symbol) ?? null
    const base = symbol.section ? layout.sectionAddress.get(symbol.section) : undefined
    return base === undefined ? null : (base + symbol.value) >>> 0
  }
  return (symbol) => {
    if (symbol.binding === elf.STB_LOCAL) return direct(symbol)
    const definition = resolution.globals.get(symbol.name)
    if (definition) return direct(definition)
    const bound = bounds.get(symbol.name)
    if (bound !== undefined) return bound
    return symbol.binding === elf.STB_WEAK ? 0 : null
  }
}

/** `__start_NAME` and `__stop_NAME` of every section whose name is a C identifier. */
function sectionBounds(outputs: readonly OutputSection[]): Map<string, number> {
  const bounds = new Map<string, number>()
  for (const output of outputs) {
    if (!/^[A-Za-z_]\w*$/.test(output.name)) continue
    bounds.set(`__start_${output.name}`, output.address)
    bounds.set(`__stop_${output.name}`, output.address + output.sizeBytes)
  }
  return bounds
}

function checkResolved(resolution: Resolution, addressOf: SymbolAddress): void {
  /** Missing name -> the first place that refers to it. */
  const missing = new Map<string, () => string>()
  let file = ''
  for (const object of resolution.objects)
    for (const section of object.sections) {
      if (!isLoaded(section) || resolution.discarded.has(section)) continue
      for (const { symbol, offset } of section.relocations) {
        if (addressOf(symbol) !== null || missing.has(symbol.name)) continue
        // The reader of the message wants the relocation's own complaint first: PIC code refers to this name.
        if (symbol.name === '_GLOBAL_OFFSET_TABLE_')
          throw new InputError(object.file, 'is position-independent code', 'compile with -fno-pic -fno-pie')
        file ||= object.file
        missing.set(symbol.name, () => `${functionAt(object, section, offset)} in ${object.file}`)
      }
    }
  if (missing.size === 0) return
  const shown = [...missing].slice(0, 8).map(([name, from]) => `'${name}' (from ${from()})`)
  if (missing.size > shown.length) shown.push(`and ${missing.size - shown.length} more`)
  const remedies = new Set([...missing.keys()].map(remedyFor))
  throw new InputError(file, `unresolved symbol ${shown.join(', ')}`, [...remedies].join('; '))
}

function remedyFor(name: string): string {
  if (name.startsWith('__stack_chk')) return 'compile with -fno-stack-protector'
  if (/^(__atomic_|__sync_)/.test(name))
    return `'${name}' means that the CPU of -march= lacks the instruction: compile with -march=i586 or later`
  if (/^(mcount|__fentry__|__gcov|__asan|__ubsan|__tsan|__sanitizer)/.test(name))
    return 'compile without -pg, --coverage and -fsanitize'
  if (/^__(add|sub|mul|div|float|fix|eq|ne|lt|le|gt|ge|extend|trunc).*[sdxt]f/.test(name))
    return 'floating-point helpers are not supplied: compile with -mhard-float, or use integers'
  if (name === '_GLOBAL_OFFSET_TABLE_' || name === '__tls_get_addr') return 'compile with -fno-pic -fno-pie'
  if (name.startsWith('xm_')) return 'xmcheck supplies the building blocks that include/xmpatch.inc lists: check the name'
  return 'give the object that defines it too; there is no C library, only mem* and the integer helpers of libgcc'
}

function functionAt(object: ElfObject, section: ElfSection, offset: number): string {
  const symbol = object.symbols.find(
    (candidate) =>
      candidate.section === section &&
      candidate.type === elf.STT_FUNC &&
      candidate.value <= offset &&
      offset < candidate.value + candidate.sizeBytes,
  )
  return symbol ? `${symbol.name}()` : `section ${section.name}`
}

/** Fill between the functions of different objects: INT3, so that running into it is a violation. */
const CODE_FILL = 0xcc

function buildSection(output: OutputSection, addressOf: SymbolAddress): LinkedSection {
  const { name, address, sizeBytes, flags } = output
  if (output.zeroed) return { name, address, sizeBytes, flags, bytes: new Uint8Array(0) }
  const bytes = new Uint8Array(sizeBytes)
  if (flags & elf.SHF_EXECINSTR) bytes.fill(CODE_FILL)
  for (const { section, offset } of output.parts) {
    bytes.fill(0, offset, offset + section.sizeBytes)
    bytes.set(relocate(section, address + offset, addressOf), offset)
  }
  return { name, address, sizeBytes, flags, bytes }
}

function listSymbols(resolution: Resolution, addressOf: SymbolAddress): Symbol32[] {
  const found: Symbol32[] = []
  for (const object of resolution.objects) {
    const reaches = reachesOf(object)
    for (const symbol of object.symbols) {
      if (!symbol.name || symbol.place === 'undefined' || symbol.place === 'absolute') continue
      if (symbol.type === elf.STT_SECTION || symbol.type === elf.STT_FILE) continue
      if (symbol.section && !isLoaded(symbol.section)) continue
      // A definition that lost against another one is not part of the program.
      if (symbol.binding !== elf.STB_LOCAL && resolution.globals.get(symbol.name) !== symbol) continue
      const address = addressOf(symbol)
      if (address === null || symbol.name.startsWith('.L')) continue
      found.push({ name: symbol.name, address, sizeBytes: symbol.sizeBytes || (reaches.get(symbol) ?? 0), kind: kindOf(symbol) })
    }
  }
  return found.sort((a, b) => a.address - b.address || b.sizeBytes - a.sizeBytes)
}

/** Labels of assembly have no size: they reach up to the next symbol of the section, or its end. Inside something that has a size they are one place. */
function reachesOf({ symbols }: ElfObject): ReadonlyMap<ElfSymbol, number> {
  const reaches = new Map<ElfSymbol, number>()
  const named = symbols.filter((one) => one.section !== null && one.name !== '' && !one.name.startsWith('.L'))
  named.sort((a, b) => a.section!.index - b.section!.index || a.value - b.value)
  let covered = 0
  for (let k = 0, next = 0; k < named.length; k++) {
    const { section, value, sizeBytes } = named[k]
    if (named[k - 1]?.section !== section) covered = 0
    while (next < named.length && named[next].section === section && named[next].value <= value) covered = Math.max(covered, named[next].value + named[next++].sizeBytes)
    const end = named[next]?.section === section ? named[next].value : section!.sizeBytes
    if (sizeBytes === 0 && covered <= value) reaches.set(named[k], end - value)
  }
  return reaches
}

function kindOf(symbol: ElfSymbol): Symbol32['kind'] {
  if (symbol.type === elf.STT_FUNC) return 'function'
  return symbol.type === elf.STT_OBJECT || symbol.place === 'common' ? 'object' : 'label'
}
