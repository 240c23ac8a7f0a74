/**
 * Placements: where the user wants a section or a symbol. Spelled `SECTION=ADDRESS` or `symbol:NAME=ADDRESS`
 * (on the command line after `--place`), addresses in C notation.
 */
import { hex32, InputError } from '../inputError.ts'

export type Placement =
  /** The input sections of this name, from this address on; for .text .rodata .data .bss the whole merged section. */
  | { readonly section: string; readonly address: number }
  /** The input section that holds the symbol, alone, such that the symbol comes to lie at this address. */
  | { readonly symbol: string; readonly address: number }

export function formatPlacement(placement: Placement): string {
  const what = 'symbol' in placement ? `symbol:${placement.symbol}` : placement.section
  return `${what}=${hex32(placement.address)}`
}

/** The inverse of `formatPlacement`. @throws InputError */
export function parsePlacement(text: string): Placement {
  const match = /^(symbol:)?([^=]+)=(0[xX][0-9a-fA-F]{1,8}|\d{1,10})$/.exec(text)
  const address = match ? Number(match[3]) : NaN
  if (!match || !(address <= 0xffffffff))
    throw new InputError(
      `--place ${text}`,
      'is not a placement',
      'write SECTION=ADDRESS or symbol:NAME=ADDRESS, as in .text.site=0x101003',
    )
  return match[1] ? { symbol: match[2], address } : { section: match[2], address }
}
