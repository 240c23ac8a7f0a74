/** Addresses as people write them: `name+0x12`. */
import type { MachineImage, Symbol32 } from './image.ts'

/** The innermost symbol that covers `address`; null: none does. */
export function symbolAt(image: MachineImage, address: number): { symbol: Symbol32; offset: number } | null {
  let best: { symbol: Symbol32; offset: number } | null = null
  for (const symbol of image.symbols) {
    const offset = (address >>> 0) - (symbol.address >>> 0)
    if (offset < 0 || offset >= Math.max(symbol.sizeBytes, 1)) continue
    if (best === null || offset < best.offset) best = { symbol, offset }
  }
  return best
}

/** `name+0x12`, or the bare address. */
export function symbolize(image: MachineImage, address: number): string {
  const found = symbolAt(image, address)
  if (found === null) return `0x${(address >>> 0).toString(16)}`
  return found.offset === 0 ? found.symbol.name : `${found.symbol.name}+0x${found.offset.toString(16)}`
}

/** The address that `name+0x12` or `0x100012` stands for in `image`; null: it has no such symbol, or several. */
export function addressOf(image: MachineImage, text: string): number | null {
  const match = /^(.+?)(?:\+0x([0-9a-f]{1,8}))?$/i.exec(text)
  if (match === null) return null
  const offset = match[2] === undefined ? 0 : parseInt(match[2], 16)
  if (/^0x[0-9a-f]{1,8}$/i.test(match[1])) return parseInt(match[1], 16) + offset
  const found = image.symbols.filter((symbol) => symbol.name === match[1])
  if (found.length === 0 || found.some((symbol) => symbol.address !== found[0].address)) return null
  return (found[0].address >>> 0) + offset
}

/** `file:line` of the code at `address`; empty: unknown. */
export function sourceOf(image: MachineImage, address: number): string {
  const lines = image.lines
  let low = 0
  let high = lines.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (lines[middle].address >>> 0 <= address >>> 0) low = middle + 1
    else high = middle
  }
  const entry = lines[low - 1]
  return entry === undefined || entry.line === 0 ? '' : `${entry.file.split('/').pop()}:${entry.line}`
}
