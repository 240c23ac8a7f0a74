/** Relocation: writes the addresses of symbols into section contents. */
import { hex32, InputError } from '../inputError.ts'
import * as elf from './format.ts'
import type { ElfSection, ElfSymbol, Relocation } from './object.ts'

/** Address of a symbol; null where nothing defines it. */
export type SymbolAddress = (symbol: ElfSymbol) => number | null

/**
 * A copy of the section's contents with every relocation applied, as if its first byte lay at `address`.
 * `addressOf` must not return null: unresolved names are reported beforehand.
 * @throws InputError for a type that is not supported, a field beyond the end, or a value that does not fit
 */
export function relocate(section: ElfSection, address: number, addressOf: SymbolAddress): Uint8Array {
  const bytes = section.bytes.slice()
  const view = new DataView(bytes.buffer)
  for (const relocation of section.relocations) {
    const kind = kindOf(section, relocation)
    const { offset, symbol } = relocation
    if (offset + kind.widthBytes > bytes.length)
      throw new InputError(
        section.object.file,
        `a relocation of section ${section.name} reaches beyond its end, at offset ${offset}`,
      )
    const target = addressOf(symbol) ?? 0
    const base = kind.relative ? address + offset : 0
    if (kind.widthBytes === 4) {
      view.setUint32(offset, view.getUint32(offset, true) + target - base, true)
      continue
    }
    const addend = kind.widthBytes === 2 ? view.getInt16(offset, true) : view.getInt8(offset)
    const value = (addend + target - base) | 0
    const limit = 2 ** (kind.widthBytes * 8)
    // Absolute fields may be read as signed or unsigned; a displacement is signed.
    if (value < -limit / 2 || value >= (kind.relative ? limit / 2 : limit))
      throw new InputError(
        section.object.file,
        `${kind.name} against '${symbol.name}' in section ${section.name} at offset ${offset}: ` +
          `${hex32(value)} does not fit into ${kind.widthBytes} byte${kind.widthBytes > 1 ? 's' : ''}`,
        'place the sections closer together, or use a 32-bit field',
      )
    if (kind.widthBytes === 2) view.setUint16(offset, value, true)
    else view.setUint8(offset, value)
  }
  return bytes
}

function kindOf(section: ElfSection, relocation: Relocation): elf.RelocationKind {
  const kind = elf.RELOCATIONS.get(relocation.type)
  if (kind) return kind
  const [name, remedy] = elf.UNSUPPORTED_RELOCATIONS.get(relocation.type) ?? [
    `type ${relocation.type}`,
    'the file may be damaged',
  ]
  throw new InputError(
    section.object.file,
    `relocation ${name} against '${relocation.symbol.name}' in section ${section.name} is not supported`,
    remedy,
  )
}
