/** Statements of an assembly source. */
import { tokenize } from './lexer.ts'
import { Cursor, describe } from './parseExpression.ts'
import { parseOperand, SIZE_KEYWORDS } from './parseOperand.ts'
import { mistake, type Problems } from './problems.ts'
import { registerNamed } from './registerNames.ts'
import type { Body, DataItem, Expression, Operand, Statement } from './syntax.ts'

/** Source size, in characters. */
const SOURCE_CHARS_MAX = 1 << 20
const TIMES_NESTING_MAX = 4

// prettier-ignore
const DATA_UNITS: ReadonlyMap<string, number> = new Map([['db', 1], ['dw', 2], ['dd', 4], ['dq', 8]])
// prettier-ignore
const RESERVE_UNITS: ReadonlyMap<string, number> = new Map([['resb', 1], ['resw', 2], ['resd', 4], ['resq', 8]])

/** Words in front of a mnemonic, with the byte of each; what `rep` and its kin mean is the same byte. */
// prettier-ignore
export const PREFIXES: ReadonlyMap<string, number> = new Map([
  ['lock', 0xf0], ['rep', 0xf3], ['repe', 0xf3], ['repz', 0xf3], ['repne', 0xf2], ['repnz', 0xf2],
  ['es', 0x26], ['cs', 0x2e], ['ss', 0x36], ['ds', 0x3e], ['fs', 0x64], ['gs', 0x65],
  ['o16', 0x66], ['o32', 0x66], ['a16', 0x67], ['a32', 0x67],
])

/** All statements of `source`; mistakes go to `problems`, and their lines are left out. */
export function parse(source: string, problems: Problems): Statement[] {
  if (source.length > SOURCE_CHARS_MAX) {
    problems.add(1, 1, `The source has ${source.length} characters, more than ${SOURCE_CHARS_MAX}: split it.`)
    return []
  }
  const statements: Statement[] = []
  let parent = ''
  source.split(/\r\n|\n|\r/).forEach((text, index) => {
    problems.attempt(index + 1, 1, () => {
      const cursor = new Cursor(tokenize(text), parent)
      const statement = parseLine(cursor, index + 1)
      if (statement) statements.push(statement)
      const defined = statement?.label ?? ''
      if (defined !== '' && !defined.includes('.')) parent = defined
    })
  })
  return statements
}

function parseLine(cursor: Cursor, line: number): Statement | null {
  const start = cursor.peek()
  let label = ''
  let body: Body | null = null
  let column = start.column
  if (start.kind === 'word' && (cursor.is(':', 1) || namesData(cursor))) {
    cursor.next()
    cursor.accept(':')
    label = cursor.fullName(start.text)
    const word = start.text.toLowerCase()
    if (registerNamed(word) || SIZE_KEYWORDS.has(word)) {
      const what = registerNamed(word) ? 'a register' : 'a size'
      mistake(start.column, `${start.text} is ${what} and cannot be a label: choose another name.`)
    }
    column = cursor.peek().column
    if (cursor.word() === 'equ') {
      cursor.next()
      body = { kind: 'equ', name: label, value: cursor.expression() }
      label = ''
    }
  }
  if (!body && !cursor.atEnd) body = parseBody(cursor, 0)
  cursor.expectEnd()
  if (label === '' && !body) return null
  return { line, column: body ? column : start.column, label, labelColumn: start.column, body }
}

/** `name db 1`, `name equ 2`: the colon may be left out in front of data. */
function namesData(cursor: Cursor): boolean {
  const second = cursor.word(1)
  return second === 'equ' || DATA_UNITS.has(second) || RESERVE_UNITS.has(second)
    ? !(DATA_UNITS.has(cursor.word()) || RESERVE_UNITS.has(cursor.word()) || cursor.word() === 'times')
    : false
}

function parseBody(cursor: Cursor, nesting: number): Body {
  const first = cursor.peek()
  if (first.kind !== 'word') {
    mistake(first.column, `Expected an instruction or a directive, found ${describe(first)}.`)
  }
  const word = cursor.word()
  if (word.startsWith('.')) {
    cursor.next()
    return { kind: 'declaration', name: word, arguments: parseOperands(cursor) }
  }
  if (DATA_UNITS.has(word)) {
    cursor.next()
    return { kind: 'data', unitBytes: DATA_UNITS.get(word)!, items: parseItems(cursor) }
  }
  if (RESERVE_UNITS.has(word)) {
    cursor.next()
    return { kind: 'reserve', unitBytes: RESERVE_UNITS.get(word)!, count: cursor.expression() }
  }
  return parseDirective(cursor, word, nesting) ?? parseInstruction(cursor)
}

function parseDirective(cursor: Cursor, word: string, nesting: number): Body | null {
  const column = cursor.peek().column
  switch (word) {
    case 'times': {
      cursor.next()
      if (nesting === TIMES_NESTING_MAX)
        mistake(column, `times is nested more than ${TIMES_NESTING_MAX} deep: multiply the counts.`)
      const count = cursor.expression()
      const body = parseBody(cursor, nesting + 1)
      if (
        body.kind === 'instruction' ||
        body.kind === 'data' ||
        body.kind === 'reserve' ||
        body.kind === 'times'
      ) {
        return { kind: 'times', count, body }
      }
      return mistake(
        column,
        'times repeats instructions and data only: write this line as often as it is needed.',
      )
    }
    case 'align': {
      cursor.next()
      const boundary = cursor.expression()
      if (!cursor.accept(',')) return { kind: 'align', boundary, fill: null }
      if (cursor.word() === 'db') cursor.next() // nasm writes `align 16, db 0`
      return { kind: 'align', boundary, fill: cursor.expression() }
    }
    case 'org':
      cursor.next()
      return { kind: 'org', address: cursor.expression() }
    case 'section':
    case 'segment':
      cursor.next()
      return parseSection(cursor)
    case 'bits': {
      cursor.next()
      const bits = cursor.next()
      if (bits.text !== '16' && bits.text !== '32')
        mistake(bits.column, 'Only 16 and 32 bits exist here: write bits 16 or bits 32.')
      return { kind: 'bits', bits: bits.text === '16' ? 16 : 32 }
    }
    case 'use16':
    case 'use32':
      cursor.next()
      return { kind: 'bits', bits: word === 'use16' ? 16 : 32 }
    default:
      return null
  }
}

function parseSection(cursor: Cursor): Body {
  const name = cursor.next()
  if (name.kind !== 'word') mistake(name.column, `Expected the name of a section, found ${describe(name)}.`)
  let address: Expression | null = null
  let access = ''
  while (!cursor.atEnd) {
    if (/^r?w?x?$/.test(cursor.word()) && cursor.word() !== '') access = cursor.next().text.toLowerCase()
    else if (address === null) address = cursor.expression()
    else break
    cursor.accept(',')
  }
  return { kind: 'section', name: name.text, address, access }
}

function parseItems(cursor: Cursor): DataItem[] {
  const items: DataItem[] = []
  do {
    const token = cursor.peek()
    const single = cursor.is(',', 1) || cursor.peek(1).kind === 'end'
    if (token.kind === 'string' && single) {
      cursor.next()
      items.push({ column: token.column, expression: null, bytes: token.bytes })
    } else if (token.text === '?' && single) {
      cursor.next()
      items.push({ column: token.column, expression: null, bytes: null })
    } else items.push({ column: token.column, expression: cursor.expression(), bytes: null })
  } while (cursor.accept(','))
  return items
}

function parseOperands(cursor: Cursor): Operand[] {
  const operands: Operand[] = []
  if (cursor.atEnd) return operands
  do operands.push(parseOperand(cursor))
  while (cursor.accept(','))
  return operands
}

function parseInstruction(cursor: Cursor): Body {
  const prefixes: string[] = []
  while (PREFIXES.has(cursor.word())) {
    if (prefixes.length === 4) mistake(cursor.peek().column, 'More than four prefixes: remove some.')
    prefixes.push(cursor.word())
    cursor.next()
  }
  const mnemonic = cursor.word()
  // Prefixes alone are bytes like any others: `rep` on a line of its own.
  if (mnemonic === '' && !(prefixes.length > 0 && cursor.atEnd)) {
    mistake(cursor.peek().column, `Expected an instruction, found ${describe(cursor.peek())}.`)
  }
  if (mnemonic !== '') cursor.next()
  return { kind: 'instruction', prefixes, mnemonic, operands: parseOperands(cursor) }
}
