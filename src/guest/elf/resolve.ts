/**
 * Symbol resolution over several objects, with the rules of a static linker: one strong definition, weak and
 * common ones give way, of COMDAT groups with one signature the first stays, and runtime objects are taken
 * in only for what nothing else defines (like members of an archive).
 */
import { InputError } from '../inputError.ts'
import * as elf from './format.ts'
import type { ElfObject, ElfSection, ElfSymbol } from './object.ts'

/** A library member: an object that is linked only when one of the symbols it defines is needed. */
export interface LibraryMember {
  readonly defines: readonly string[]
  read(): ElfObject
}

export interface Resolution {
  readonly objects: readonly ElfObject[]
  /** The definition that each global name stands for. */
  readonly globals: ReadonlyMap<string, ElfSymbol>
  /** Sections of COMDAT groups that another object's group replaces. */
  readonly discarded: ReadonlySet<ElfSection>
}

/** Sections that take part in the link: what the program needs in memory, and nothing for unwinders. */
export function isLoaded(section: ElfSection): boolean {
  return (
    (section.flags & elf.SHF_ALLOC) !== 0 &&
    section.type !== elf.SHT_NOTE &&
    section.name !== '.eh_frame' &&
    !section.name.startsWith('.note')
  )
}

/** @throws InputError where a name has two strong definitions */
export function resolveSymbols(inputs: readonly ElfObject[], library: readonly LibraryMember[]): Resolution {
  const objects: ElfObject[] = []
  const globals = new Map<string, ElfSymbol>()
  const discarded = new Set<ElfSection>()
  const groups = new Set<string>()
  const wanted = new Set<string>()

  const add = (object: ElfObject) => {
    objects.push(object)
    for (const group of object.groups) {
      if (groups.has(group.signature)) for (const member of group.members) discarded.add(member)
      groups.add(group.signature)
    }
    for (const symbol of object.symbols)
      if (symbol.binding !== elf.STB_LOCAL && symbol.place !== 'undefined') define(globals, discarded, symbol)
    for (const section of object.sections)
      if (isLoaded(section) && !discarded.has(section))
        for (const { symbol } of section.relocations)
          if (symbol.place === 'undefined' && symbol.binding !== elf.STB_WEAK) wanted.add(symbol.name)
  }
  for (const object of inputs) add(object)

  // A member may need another: `wanted` grows while it is walked, and a Set then visits what was added.
  for (const name of wanted) {
    if (globals.has(name)) continue
    const member = library.find((candidate) => candidate.defines.includes(name))
    if (member) add(member.read())
  }
  return { objects, globals, discarded }
}

function define(
  globals: Map<string, ElfSymbol>,
  discarded: ReadonlySet<ElfSection>,
  symbol: ElfSymbol,
): void {
  if (symbol.section && discarded.has(symbol.section)) return
  const previous = globals.get(symbol.name)
  if (!previous || rank(symbol) > rank(previous)) {
    globals.set(symbol.name, symbol)
  } else if (rank(symbol) === rank(previous) && rank(symbol) === STRONG) {
    throw new InputError(
      symbol.object.file,
      `defines '${symbol.name}', which ${previous.object.file} defines too`,
      'make one of them static, or give only one of the files',
    )
  } else if (
    symbol.place === 'common' &&
    previous.place === 'common' &&
    symbol.sizeBytes > previous.sizeBytes
  ) {
    globals.set(symbol.name, symbol)
  }
}

const STRONG = 3
function rank(symbol: ElfSymbol): number {
  if (symbol.binding === elf.STB_WEAK) return 1
  return symbol.place === 'common' ? 2 : STRONG
}
