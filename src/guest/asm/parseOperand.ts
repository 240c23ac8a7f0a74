/** Operands: registers, `dword ptr gs:[eax + ebx*4 + 8]`, immediates, far pointers, strings. */
import { describe, type Cursor } from './parseExpression.ts'
import { mistake } from './problems.ts'
import { registerNamed } from './registerNames.ts'
import type { Expression, Operand } from './syntax.ts'

/** Size keywords, in bytes. `fword` is a far pointer or a descriptor-table register's 6 bytes. */
// prettier-ignore
export const SIZE_KEYWORDS: ReadonlyMap<string, number> = new Map([
  ['byte', 1], ['word', 2], ['dword', 4], ['fword', 6], ['qword', 8], ['tbyte', 10], ['tword', 10],
  ['oword', 16], ['xmmword', 16],
])

const NO_BYTES = new Uint8Array(0)
const BLANK: Operand = {
  kind: 'immediate',
  column: 0,
  sizeBytes: 0,
  strict: false,
  distance: '',
  register: null,
  expression: null,
  segment: -1,
  displacementBytes: 0,
  selector: null,
  bytes: NO_BYTES,
}

/** Makes an operand out of the parts that differ from the usual: for statements that the assembler itself adds. */
export function operand(parts: Partial<Operand>): Operand {
  return { ...BLANK, ...parts }
}

export function parseOperand(cursor: Cursor): Operand {
  const column = cursor.peek().column
  let sizeBytes = 0
  let strict = false
  let distance: Operand['distance'] = ''
  for (;;) {
    const word = cursor.word()
    const size = SIZE_KEYWORDS.get(word)
    if (size !== undefined) sizeBytes = size
    else if (word === 'strict') strict = true
    else if (word === 'short' || word === 'near' || word === 'far') distance = word
    else break
    cursor.next()
    if (cursor.word() === 'ptr') cursor.next()
  }
  const common = { column, sizeBytes, strict, distance }

  if (cursor.is('[')) return operand({ ...common, kind: 'memory', ...parseMemory(cursor, -1) })
  const register = registerNamed(cursor.word())
  if (register?.class === 'segment' && cursor.is(':', 1)) {
    cursor.next()
    cursor.next()
    if (!cursor.is('[')) {
      mistake(cursor.peek().column, `Expected [ after ${register.name}:, found ${describe(cursor.peek())}.`)
    }
    return operand({ ...common, kind: 'memory', ...parseMemory(cursor, register.number) })
  }
  if (register && closes(cursor, 1)) {
    cursor.next()
    return operand({ ...common, kind: 'register', register })
  }
  if (register?.name === 'st0' && cursor.word() === 'st') return x87Register(cursor, common)
  const first = cursor.peek()
  if (first.kind === 'string' && closes(cursor, 1)) {
    const expression: Expression | null = first.bytes.length <= 8 ? cursor.expression() : null
    if (!expression) cursor.next()
    return operand({ ...common, kind: 'string', expression, bytes: first.bytes })
  }
  const expression = cursor.expression()
  if (!cursor.accept(':')) return operand({ ...common, kind: 'immediate', expression })
  return operand({ ...common, kind: 'far', selector: expression, expression: cursor.expression() })
}

/** `st(3)`, and `st` alone, beside `st3`. */
function x87Register(cursor: Cursor, common: Partial<Operand>): Operand {
  cursor.next()
  let name = 'st0'
  if (cursor.accept('(')) {
    name = 'st' + cursor.next().text
    cursor.expect(')', 'after the number of the x87 register')
  }
  const register = registerNamed(name)
  if (!register) mistake(common.column ?? 0, 'There is no such x87 register: write st(0) to st(7).')
  return operand({ ...common, kind: 'register', register })
}

function closes(cursor: Cursor, ahead: number): boolean {
  return cursor.is(',', ahead) || cursor.peek(ahead).kind === 'end'
}

function parseMemory(cursor: Cursor, outerSegment: number): Partial<Operand> {
  let segment = outerSegment
  cursor.expect('[', 'to open an address')
  const displacementBytes = SIZE_KEYWORDS.get(cursor.word()) ?? 0
  if (displacementBytes > 0) cursor.next()
  const register = registerNamed(cursor.word())
  if (register?.class === 'segment' && cursor.is(':', 1)) {
    segment = register.number
    cursor.next()
    cursor.next()
  }
  const expression = cursor.expression()
  cursor.expect(']', 'to close the address')
  return { segment, displacementBytes, expression }
}
