/** Sections of a linked program as pieces of memory. */
import { SHF_EXECINSTR, SHF_WRITE } from './elf/format.ts'
import type { LinkedSection } from './elf/link.ts'
import { EXECUTE, READ, WRITE, type Piece } from './regions.ts'

/** Code may be written (nothing protects it with paging off, and patching is what it is for); constants may not. */
export function pieceOf(section: LinkedSection): Piece {
  const { name, address, sizeBytes, bytes, flags } = section
  const access = READ | (flags & SHF_WRITE ? WRITE : 0) | (flags & SHF_EXECINSTR ? WRITE | EXECUTE : 0)
  return { name, address, sizeBytes, bytes, access }
}
