/** Cuts one source line into tokens. Comments (`;` and `#`) end it. */
import { mistake } from './problems.ts'

export interface Token {
  /** `end` closes every line, so that a parser never runs off it. */
  readonly kind: 'word' | 'number' | 'string' | 'punctuation' | 'end'
  /** As written; words and punctuation are compared in this form. */
  readonly text: string
  readonly value: bigint
  readonly bytes: Uint8Array
  /** 1-based. */
  readonly column: number
}

const NO_BYTES = new Uint8Array(0)
const BLANK = /[ \t\r\f\v]*/y
const WORD = /[A-Za-z_.?@][A-Za-z0-9_.?@$]*/y
const NUMBER = /[0-9][0-9A-Za-z_]*/y
const PUNCTUATION = /<<|>>|\$\$|[-+*/%&|^~()[\],:$]/y
const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  '0': '\0',
  e: '\x1b',
  a: '\x07',
  b: '\b',
}

/** Numbers that need more than 64 bits have no use here, and keep big integers small. */
const DIGITS_MAX = 80

const encoder = new TextEncoder()

export function tokenize(line: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = at
    const text = pattern.exec(line)?.[0] ?? null
    if (text !== null) at += text.length
    return text
  }
  for (;;) {
    match(BLANK)
    const column = at + 1
    const first = line[at]
    if (first === undefined || first === ';' || first === '#') {
      tokens.push({ kind: 'end', text: 'the end of the line', value: 0n, bytes: NO_BYTES, column })
      return tokens
    }
    if (first === '"' || first === "'" || first === '`') {
      const end = closingQuote(line, at)
      if (end < 0) mistake(column, `This string has no closing ${first}: add it.`)
      const raw = line.slice(at + 1, end)
      const text = first === '`' ? unescape(raw) : raw
      // A byte escape such as `\xff` is that byte, not the UTF-8 form of the character.
      const bytes =
        first === '`' && /^[\0-\xff]*$/.test(text)
          ? Uint8Array.from(text, (c) => c.charCodeAt(0))
          : encoder.encode(text)
      tokens.push({ kind: 'string', text, value: 0n, bytes, column })
      at = end + 1
      continue
    }
    const word = match(WORD)
    if (word !== null) {
      tokens.push({ kind: 'word', text: word, value: 0n, bytes: NO_BYTES, column })
      continue
    }
    const number = match(NUMBER)
    if (number !== null) {
      tokens.push({
        kind: 'number',
        text: number,
        value: numberValue(number, column),
        bytes: NO_BYTES,
        column,
      })
      continue
    }
    const punctuation = match(PUNCTUATION)
    if (punctuation === null) {
      mistake(column, `The character ${JSON.stringify(first)} has no meaning here: remove it or quote it.`)
    }
    tokens.push({ kind: 'punctuation', text: punctuation, value: 0n, bytes: NO_BYTES, column })
  }
}

/** Only backquoted strings have escapes, as in nasm. */
function closingQuote(line: string, start: number): number {
  const quote = line[start]
  for (let at = start + 1; at < line.length; at++) {
    if (line[at] === quote) return at
    if (quote === '`' && line[at] === '\\') at++
  }
  return -1
}

function unescape(raw: string): string {
  return raw.replace(/\\(x[0-9A-Fa-f]{1,2}|.)/g, (_, escape: string) =>
    escape.length > 1 ? String.fromCharCode(parseInt(escape.slice(1), 16)) : (ESCAPES[escape] ?? escape),
  )
}

/** Decimal, 0x1f or 1fh, 0b101 or 101b, 0o17 or 17o; `_` may group digits. */
function numberValue(text: string, column: number): bigint {
  const plain = text.replaceAll('_', '').toLowerCase()
  if (plain.length <= DIGITS_MAX) {
    if (/^0x[0-9a-f]+$/.test(plain) || /^0b[01]+$/.test(plain) || /^0o[0-7]+$/.test(plain))
      return BigInt(plain)
    if (/^[0-9]+$/.test(plain)) return BigInt(plain)
    const body = plain.slice(0, -1)
    if (/^[0-9][0-9a-f]*h$/.test(plain)) return BigInt('0x' + body)
    if (/^[01]+b$/.test(plain)) return BigInt('0b' + body)
    if (/^[0-7]+o$/.test(plain)) return BigInt('0o' + body)
  }
  return mistake(column, `${shorten(text)} is not a number: write 31, 0x1f, 1fh, 0b11111, 11111b or 37o.`)
}

/** A piece of the user's text as a message may quote it. */
export function shorten(text: string): string {
  return JSON.stringify(text.length > 40 ? text.slice(0, 37) + '...' : text)
}
