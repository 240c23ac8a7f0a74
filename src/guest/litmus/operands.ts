/** Operands of litmus tests as written, in either dialect. */
import { LitmusError } from './litmusError.ts'
import { registerNamed, type RegisterName } from './registers.ts'

export type Operand =
  | { readonly kind: 'register'; readonly name: RegisterName }
  /** CR0 to CR4, DR0 to DR7. */
  | { readonly kind: 'system'; readonly text: string }
  /** A number, or a symbol with what is added to it. */
  | { readonly kind: 'immediate'; readonly text: string }
  /** Address: registers, scale, and what is added: numbers and symbols, joined by `+`. */
  | {
      readonly kind: 'memory'
      readonly base: RegisterName | null
      readonly index: RegisterName | null
      readonly scale: number
      readonly offset: string
      /** By `byte`, `word`, `dword` in front; 0: nothing says it. */
      readonly sizeBytes: number
    }
  | { readonly kind: 'label'; readonly text: string }

const SIZES: Readonly<Record<string, number>> = { byte: 1, word: 2, dword: 4, qword: 4 }
const NUMBER = /^[-+]?(?:0x[0-9a-f]+|\d+)$/i
/** Symbols and numbers, added up; the first may be of either kind. */
const SUM = /^(?:(?:P\d+:)?[A-Za-z_.$][\w.$]*|0x[\da-f]+|\d+)(?:\s*[+-]\s*(?:(?:P\d+:)?[A-Za-z_.$][\w.$]*|0x[\da-f]+|\d+))*$/i

/** Where an operand stands, from 1. */
interface Place {
  readonly line: number
  readonly column: number
}

/** At commas outside of parentheses and brackets; `at`: where in `text`. */
export function splitOperands(text: string): { text: string; at: number }[] {
  const out: { text: string; at: number }[] = []
  let depth = 0
  let from = 0
  for (let k = 0; k <= text.length; k++) {
    if (text[k] === '(' || text[k] === '[') depth++
    if (text[k] === ')' || text[k] === ']') depth--
    if (k < text.length && (text[k] !== ',' || depth > 0)) continue
    const part = text.slice(from, k)
    out.push({ text: part.trim(), at: from + (part.length - part.trimStart().length) })
    from = k + 1
  }
  return out.length === 1 && out[0].text === '' ? [] : out
}

/** What cannot be an operand at all is a slip of the pen, the rest may be one elsewhere. */
function misread(text: string, { line, column }: Place): LitmusError {
  const shown = `'${text.slice(0, 60)}'`
  const count = (pattern: RegExp) => text.match(pattern)?.length ?? 0
  for (const [open, close, more] of [['[', ']', count(/\[/g) - count(/\]/g)], ['(', ')', count(/\(/g) - count(/\)/g)]] as const)
    if (more !== 0) return new LitmusError(line, `syntax error: ${shown} lacks a '${more > 0 ? close : open}'`, column)
  if (text === '') return new LitmusError(line, 'syntax error: an operand is missing', column)
  const what = /[-+*$([]\s*[)\]]?$|[([]\s*[*)\]]/.test(text) ? 'syntax error: no operand is' : 'unsupported: operand'
  return new LitmusError(line, `${what} ${shown}`, column)
}

/** @param att in AT&T syntax a number without `$` is one, and a register has its `%` (or can be nothing else) */
export function readOperand(text: string, att: boolean, place: Place): Operand {
  const wrong = () => misread(text, place)
  const { line } = place
  const size = /^(byte|word|dword|qword)\s+(?:ptr\s+)?/i.exec(text)
  if (size !== null) {
    const inner = readOperand(text.slice(size[0].length), att, place)
    return inner.kind === 'memory' ? { ...inner, sizeBytes: SIZES[size[1].toLowerCase()] } : inner
  }
  const register = registerNamed(text)
  if (register !== null && (!att || text.startsWith('%') || /^(?:[er][a-d]x|[er][sd]i|r\d+d?)$/i.test(text))) return { kind: 'register', name: register }
  if (/^%?(?:cr[0234]|dr[0-367])$/i.test(text)) return { kind: 'system', text: text.toLowerCase().replace('%', '') }
  if (/^%?(?:[xyz]?mm|st\()\d/i.test(text)) throw wrong()
  const value = text.replace(/^\$/, '').replace(/^&/, '')
  if (NUMBER.test(value)) return { kind: 'immediate', text: checked(value, line) }
  if (text.startsWith('$') && value !== '' && SUM.test(value)) return { kind: 'immediate', text: value }
  const inner = /^([-+\w.$:]*)\s*\(([^()]*)\)$/.exec(text)
  if (inner !== null) return readAttAddress(inner[1], inner[2], line, wrong)
  const bracket = /^([\w.$]*)\s*\[([^\]]+)\]$/.exec(text)
  if (bracket !== null) return readIntelAddress(bracket[2], bracket[1], line, wrong)
  if (text !== '$' && SUM.test(text)) return { kind: 'memory', base: null, index: null, scale: 1, offset: text, sizeBytes: 0 }
  throw wrong()
}

function readAttAddress(before: string, inside: string, line: number, wrong: () => LitmusError): Operand {
  const parts = inside.split(',').map((one) => one.trim())
  if (before !== '' && !NUMBER.test(before) && !SUM.test(before)) throw wrong()
  const offset = before === '' ? '0' : NUMBER.test(before) ? checked(before, line) : before
  if (/^%?rip$/i.test(parts[0])) return { kind: 'memory', base: null, index: null, scale: 1, offset, sizeBytes: 0 }
  const base = parts[0] === '' ? null : registerNamed(parts[0])
  if (parts[0] !== '' && base === null) {
    const name = parts[0].replace(/^&/, '')
    if (parts.length > 1 || !SUM.test(name)) throw wrong()
    return { kind: 'memory', base: null, index: null, scale: 1, offset: offset === '0' ? name : `${name}+${offset}`, sizeBytes: 0 }
  }
  const index = parts[1] ? registerNamed(parts[1]) : null
  if ((parts[1] && index === null) || parts.length > 3) throw wrong()
  const scale = parts[2] ? Number(parts[2]) : 1
  if (![1, 2, 4, 8].includes(scale)) throw wrong()
  return { kind: 'memory', base, index, scale, offset, sizeBytes: 0 }
}

function readIntelAddress(inside: string, before: string, line: number, wrong: () => LitmusError): Operand {
  let base: RegisterName | null = null
  let index: RegisterName | null = null
  let scale = 1
  if (/[-+*]\s*$/.test(inside)) throw wrong()
  const offsets: string[] = before === '' ? [] : [NUMBER.test(before) ? checked(before, line) : before]
  for (const term of inside.replace(/-/g, '+-').split('+').map((one) => one.trim().replace(/^-\s+/, '-')).filter((one) => one !== '')) {
    const scaled = /^(%?\w+)\s*\*\s*([1248])$/.exec(term)
    const register = registerNamed(scaled?.[1] ?? term)
    if (scaled !== null && register !== null && index === null) {
      index = register
      scale = Number(scaled[2])
    } else if (register !== null && scaled === null && base === null) base = register
    else if (register !== null && scaled === null && index === null) index = register
    else if (NUMBER.test(term)) offsets.push(checked(term, line))
    else if (SUM.test(term)) offsets.push(term)
    else throw wrong()
  }
  return { kind: 'memory', base, index, scale, offset: offsets.join('+') || '0', sizeBytes: 0 }
}

/** A number that 32 bits hold, in decimal. */
export function checked(text: string, line: number): string {
  // Number() knows no sign in front of 0x.
  const digits = Number(text.replace(/^[-+]/, ''))
  const value = text.startsWith('-') ? -digits : digits
  if (!Number.isSafeInteger(value) || value > 0xffff_ffff || value < -0x8000_0000) throw new LitmusError(line, `unsupported: ${text} needs 64 bits; tests are run narrowed to 32`)
  return String(value === 0 ? 0 : value)
}
