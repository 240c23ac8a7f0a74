/** The ISA table as the encoder reads it: the forms of each mnemonic. */
import { ISA } from '../../cpu/isa.ts'
import type { Concrete } from './concrete.ts'
import { parseCode } from './operandCodes.ts'
import { operandLists, spellingsOf } from './spellings.ts'

export interface Form {
  readonly mnemonic: string
  /** Mandatory prefix (66, F2, F3); 0: none. */
  readonly prefix: number
  readonly opcode: readonly number[]
  /** ModRM.reg where it belongs to the opcode; -1: an operand's. */
  readonly digit: number
  readonly modrm: boolean
  /** May carry LOCK, with a memory destination. */
  readonly lockable: boolean
  readonly operands: readonly string[]
  /** Operand and address size in bytes that the mnemonic itself means (`pushad`, `jecxz`); 0: none. */
  readonly width: number
  readonly addressBytes: number
}

const byMnemonic = new Map<string, Form[]>()

for (const row of ISA) {
  if (row.alias) continue
  for (const { name, width, addressBytes } of spellingsOf(row.mnemonic, row.operands)) {
    const forms = byMnemonic.get(name) ?? []
    byMnemonic.set(name, forms)
    for (const operands of operandLists(row.mnemonic, row.operands)) {
      const { prefix, opcode, digit, modrm, lockable } = row
      forms.push({ mnemonic: name, prefix, opcode, digit, modrm, lockable, operands, width, addressBytes })
    }
  }
}

export function formsOf(mnemonic: string): readonly Form[] {
  return byMnemonic.get(mnemonic) ?? []
}

export function mnemonics(): readonly string[] {
  return [...byMnemonic.keys()]
}

/** `reg32, memory, number`: for messages. */
export function describeOperands(operands: readonly Concrete[]): string {
  if (operands.length === 0) return 'no operands'
  return operands
    .map(({ kind, register, sizeBytes }) => {
      if (register) return register.name
      if (kind === 'memory') return sizeBytes === 0 ? 'memory' : `memory of ${sizeBytes} bytes`
      return kind === 'far' ? 'selector:offset' : 'a number'
    })
    .join(', ')
}

const METHOD_NAMES: ReadonlyMap<string, string> = new Map([
  ['E', 'r/m'], ['G', 'reg'], ['R', 'reg'], ['Z', 'reg'], ['M', 'memory'], ['O', '[address]'], ['I', 'number'], ['sI', 'number'],
  ['J', 'label'], ['A', 'selector:label'], ['S', 'segment register'], ['C', 'control register'],
  ['D', 'debug register'], ['T', 'test register'], ['P', 'mmx'], ['Q', 'mmx/memory'], ['N', 'mmx'],
  ['V', 'xmm'], ['W', 'xmm/memory'], ['U', 'xmm'],
]) // prettier-ignore
const TYPE_NAMES: ReadonlyMap<string, string> = new Map([['b', '8'], ['w', '16'], ['d', '32'], ['v', '16/32'], ['z', '16/32'], ['q', '64']]) // prettier-ignore

/** The forms of a mnemonic in words, at most six. */
export function describeForms(forms: readonly Form[]): string {
  const texts = new Set(
    forms.map(({ operands }) => {
      if (operands.length === 0) return 'without operands'
      return operands.map(describeCode).join(', ')
    }),
  )
  return [...texts].slice(0, 6).join('; ')
}

function describeCode(code: string): string {
  const { method, type } = parseCode(code)
  if (method === 'fixed') return code
  return (METHOD_NAMES.get(method) ?? code) + (TYPE_NAMES.get(type) ?? '')
}

/** Every form, in the order of the table. */
export function allForms(): readonly Form[] {
  return [...byMnemonic.values()].flat()
}
