/** One instruction statement to bytes: prefixes, NOPs of a given length, and the rest by the ISA table. */
import { makeConcrete } from './concrete.ts'
import { encode } from './encode.ts'
import { integer, type Scope } from './expressions.ts'
import { PREFIXES } from './parse.ts'
import { operand } from './parseOperand.ts'
import { mistake } from './problems.ts'
import type { Body, Operand } from './syntax.ts'

export interface StatementContext {
  readonly scope: Scope
  readonly bits: 16 | 32
  readonly minimumBytes: number
  readonly column: number
}

/** Prefix words that say a size, in bytes. */
const OPERAND_SIZES: ReadonlyMap<string, number> = new Map([['o16', 2], ['o32', 4]]) // prettier-ignore
const ADDRESS_SIZES: ReadonlyMap<string, number> = new Map([['a16', 2], ['a32', 4]]) // prettier-ignore

const DECIMAL = operand({ expression: { kind: 'number', value: 10n, column: 0 } })

const NOP_BYTES_MAX = 4096

/** Recommended multi-byte NOPs, SDM vol. 2B, NOP, table 4-12: index is the length. */
const NOPS: readonly (readonly number[])[] = [
  [],
  [0x90],
  [0x66, 0x90],
  [0x0f, 0x1f, 0x00],
  [0x0f, 0x1f, 0x40, 0x00],
  [0x0f, 0x1f, 0x44, 0x00, 0x00],
  [0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
  [0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
  [0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
  [0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
]

export function encodeStatement(body: Body & { kind: 'instruction' }, context: StatementContext): Uint8Array {
  const { scope, bits, minimumBytes, column } = context
  const sizes = body.prefixes.map((word) => OPERAND_SIZES.get(word) ?? 0)
  const widths = body.prefixes.map((word) => ADDRESS_SIZES.get(word) ?? 0)
  const prefixes = body.prefixes
    .filter((word) => !OPERAND_SIZES.has(word) && !ADDRESS_SIZES.has(word))
    .map((word) => PREFIXES.get(word)!)
  if (body.mnemonic === '') return Uint8Array.from(body.prefixes, (word) => PREFIXES.get(word)!)
  const [first] = body.operands
  if (body.mnemonic === 'nop' && body.operands.length === 1 && first.kind === 'immediate')
    return nops(first, context)
  return encode({
    mnemonic: body.mnemonic,
    prefixes,
    operandBytes: Math.max(0, ...sizes),
    addressBytes: Math.max(0, ...widths),
    operands: withDefaults(body).map((written) => makeConcrete(written, scope, bits)),
    bits,
    address: scope.here,
    minimumBytes,
    column,
  })
}

/** Operands that assembly leaves out: `imul eax, 5` is `imul eax, eax, 5`; AAM and AAD are decimal. */
function withDefaults({ mnemonic, operands }: Body & { kind: 'instruction' }): readonly Operand[] {
  const [first, second] = operands
  if (mnemonic === 'imul' && operands.length === 2 && second.kind === 'immediate')
    return [first, first, second]
  return (mnemonic === 'aam' || mnemonic === 'aad') && operands.length === 0 ? [DECIMAL] : operands
}

/** `nop 5`: one instruction up to 9 bytes, several beyond. */
function nops(count: Operand, { scope, bits }: StatementContext): Uint8Array {
  const total = integer(count.expression!, scope, 'The length of a nop', 1, NOP_BYTES_MAX)
  if (bits === 16 && total > 1) mistake(count.column, 'Multi-byte NOPs are for 32-bit code: use times n nop.')
  const bytes: number[] = []
  for (let left = total; left > 0; left -= NOPS.length - 1)
    bytes.push(...NOPS[Math.min(left, NOPS.length - 1)])
  return Uint8Array.from(bytes)
}
