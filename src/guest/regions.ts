/** Turns pieces of memory at any address into regions of whole pages. */
import { EXECUTE, READ, WRITE, type Region } from '../smp/image.ts'
import { PAGE_BYTES } from './addressSpace.ts'

export interface Piece {
  readonly name: string
  readonly address: number
  readonly sizeBytes: number
  /** Contents; shorter than `sizeBytes` where the rest is 0. */
  readonly bytes: Uint8Array
  readonly access: number
}

interface Page {
  access: number
  readonly names: Set<string>
}

/** What lies between pieces of code: INT3, so that a jump into it is an unhandled #BP and not a slide. */
const CODE_FILL = 0xcc

/**
 * Regions that cover the pieces, sorted by address: runs of adjacent pages with equal access. A page that
 * several pieces share has the union of their rights.
 */
export function makeRegions(pieces: readonly Piece[]): Region[] {
  const pages = new Map<number, Page>()
  for (const piece of pieces) {
    if (piece.sizeBytes === 0) continue
    const last = Math.floor((piece.address + piece.sizeBytes - 1) / PAGE_BYTES)
    for (let number = Math.floor(piece.address / PAGE_BYTES); number <= last; number++) {
      const page = pages.get(number) ?? { access: 0, names: new Set() }
      page.access |= piece.access
      page.names.add(piece.name)
      pages.set(number, page)
    }
  }
  const numbers = [...pages.keys()].sort((a, b) => a - b)
  const sorted = pieces.filter((piece) => piece.sizeBytes > 0).sort((a, b) => a.address - b.address)
  const regions: Region[] = []
  for (let from = 0; from < numbers.length;) {
    const { access } = pages.get(numbers[from])!
    let to = from + 1
    while (
      to < numbers.length &&
      numbers[to] === numbers[to - 1] + 1 &&
      pages.get(numbers[to])!.access === access
    )
      to++
    const names = new Set(numbers.slice(from, to).flatMap((number) => [...pages.get(number)!.names]))
    const start = numbers[from] * PAGE_BYTES
    const sizeBytes = (to - from) * PAGE_BYTES
    const bytes = contents(sorted, start, sizeBytes, access)
    regions.push({ name: [...names].join(' '), start, sizeBytes, bytes, access })
    from = to
  }
  return regions
}

function contents(pieces: readonly Piece[], start: number, sizeBytes: number, access: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes)
  const inside = pieces.filter(
    (piece) => piece.address < start + sizeBytes && start < piece.address + piece.sizeBytes,
  )
  if (access & EXECUTE && inside.every((piece) => piece.access & EXECUTE)) bytes.fill(CODE_FILL)
  for (const piece of inside) {
    // A piece may reach over several regions, where its pages have different rights.
    const skip = Math.max(0, start - piece.address)
    const offset = piece.address + skip - start
    const count = Math.min(piece.sizeBytes - skip, sizeBytes - offset)
    bytes.fill(0, offset, offset + count)
    bytes.set(piece.bytes.subarray(skip, skip + count), offset)
  }
  let used = sizeBytes
  while (used > 0 && bytes[used - 1] === 0) used--
  return bytes.slice(0, used)
}

export { READ, WRITE, EXECUTE }
