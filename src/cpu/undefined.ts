/**
 * What the manual leaves undefined after an instruction (SDM vol. 2, "Flags Affected"), by mnemonic; each row of the table carries
 * its rule (isa.ts). Masked in comparisons with real parts, never because something was seen to differ; chosen by a knob.
 */
import { AF, CF, OF, PF, SF, ZF } from './registers.ts'

export const ARITHMETIC_FLAGS = CF | PF | AF | ZF | SF | OF

export interface Undefined {
  readonly flags: number
  /** The destination itself is undefined. */
  readonly result: boolean
}

export const NOTHING: Undefined = { flags: 0, result: false }

export interface UndefinedRule {
  /** As docs/isa.md says it. */
  readonly doc: string
  /** @param count shift count, masked to 5 bits (0 where there is none) @param bits width of the destination @param zero the source is 0 */
  readonly of: (count: number, bits: number, zero: boolean) => Undefined
}

const always = (flags: number, doc: string): UndefinedRule => {
  const undefinedFlags = { flags, result: false }
  return { doc, of: () => undefinedFlags }
}
const rotate: UndefinedRule = { doc: 'OF unless the count is 1', of: (count) => ({ flags: count > 1 ? OF : 0, result: false }) }
const shift = (carry: boolean): UndefinedRule => ({
  doc: `AF; OF unless the count is 1${carry ? '; CF when the count reaches the width' : ''}`,
  of: (count, bits) => (count === 0 ? NOTHING : { flags: AF | (count === 1 ? 0 : OF) | (carry && count >= bits ? CF : 0), result: false }),
})
const doubleShift: UndefinedRule = {
  doc: 'AF; OF unless the count is 1; everything when the count exceeds the width',
  of: (count, bits) => (count === 0 ? NOTHING : count > bits ? { flags: ARITHMETIC_FLAGS, result: true } : { flags: AF | (count === 1 ? 0 : OF), result: false }),
}
const scan: UndefinedRule = {
  doc: 'CF, OF, SF, AF, PF; the destination when the source is 0',
  of: (_count, _bits, zero) => ({ flags: CF | OF | SF | AF | PF, result: zero }),
}
const logical = always(AF, 'AF')
const multiply = always(SF | ZF | AF | PF, 'SF, ZF, AF, PF')
const divide = always(ARITHMETIC_FLAGS, 'CF, OF, SF, ZF, AF, PF')
const bit = always(OF | SF | AF | PF, 'OF, SF, AF, PF')

export const UNDEFINED: Readonly<Record<string, UndefinedRule>> = {
  and: logical, or: logical, xor: logical, test: logical,
  mul: multiply, imul: multiply, div: divide, idiv: divide,
  bt: bit, bts: bit, btr: bit, btc: bit, bsf: scan, bsr: scan,
  rol: rotate, ror: rotate, rcl: rotate, rcr: rotate,
  shl: shift(true), sal: shift(true), shr: shift(true), sar: shift(false),
  shld: doubleShift, shrd: doubleShift,
  aaa: always(OF | SF | ZF | PF, 'OF, SF, ZF, PF'), aas: always(OF | SF | ZF | PF, 'OF, SF, ZF, PF'),
  aam: always(OF | AF | CF, 'OF, AF, CF'), aad: always(OF | AF | CF, 'OF, AF, CF'),
  daa: always(OF, 'OF'), das: always(OF, 'OF'),
  bswap: { doc: 'the destination with a 16-bit operand', of: (_count, bits) => ({ flags: 0, result: bits === 16 }) },
}
