/** Expressions by precedence climbing, over the tokens of one line. */
import { shorten, type Token } from './lexer.ts'
import { mistake } from './problems.ts'
import { registerNamed } from './registerNames.ts'
import type { Expression } from './syntax.ts'

/** Operators and parentheses in one expression: keeps recursion in the parser and the evaluator shallow. */
const EXPRESSION_SIZE_MAX = 200

// prettier-ignore
const PRECEDENCE: ReadonlyMap<string, number> = new Map([
  ['|', 1], ['^', 2], ['&', 3], ['<<', 4], ['>>', 4], ['+', 5], ['-', 5], ['*', 6], ['/', 6], ['%', 6],
])

/** Reads the tokens of a line from left to right. */
export class Cursor {
  readonly #tokens: readonly Token[]
  /** Parent of local labels: `.loop` means `parent.loop`. */
  readonly parent: string
  #at = 0
  #size = 0

  constructor(tokens: readonly Token[], parent: string) {
    this.#tokens = tokens
    this.parent = parent
  }

  peek(ahead = 0): Token {
    return this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)]
  }

  next(): Token {
    const token = this.peek()
    if (token.kind !== 'end') this.#at++
    return token
  }

  /** Lower-case text of the next token if it is a word, else ''. */
  word(ahead = 0): string {
    const token = this.peek(ahead)
    return token.kind === 'word' ? token.text.toLowerCase() : ''
  }

  is(punctuation: string, ahead = 0): boolean {
    const token = this.peek(ahead)
    return token.kind === 'punctuation' && token.text === punctuation
  }

  accept(punctuation: string): boolean {
    if (!this.is(punctuation)) return false
    this.#at++
    return true
  }

  expect(punctuation: string, where: string): void {
    if (this.accept(punctuation)) return
    mistake(this.peek().column, `Expected ${punctuation} ${where}, found ${describe(this.peek())}.`)
  }

  get atEnd(): boolean {
    return this.peek().kind === 'end'
  }

  expectEnd(): void {
    if (!this.atEnd) {
      mistake(
        this.peek().column,
        `Expected the end of the statement, found ${describe(this.peek())}: remove it.`,
      )
    }
  }

  expression(): Expression {
    this.#size = 0
    return this.#binary(0)
  }

  #grow(column: number): void {
    if (++this.#size > EXPRESSION_SIZE_MAX) {
      mistake(
        column,
        `This expression has more than ${EXPRESSION_SIZE_MAX} operators: name parts of it with equ.`,
      )
    }
  }

  #binary(least: number): Expression {
    let left = this.#unary()
    for (;;) {
      const token = this.peek()
      const precedence = token.kind === 'punctuation' ? (PRECEDENCE.get(token.text) ?? 0) : 0
      if (precedence <= least) return left
      this.#grow(token.column)
      this.next()
      left = {
        kind: 'binary',
        operator: token.text,
        left,
        right: this.#binary(precedence),
        column: token.column,
      }
    }
  }

  #unary(): Expression {
    const token = this.peek()
    if (token.kind === 'punctuation' && (token.text === '-' || token.text === '+' || token.text === '~')) {
      this.#grow(token.column)
      this.next()
      return { kind: 'unary', operator: token.text, operand: this.#unary(), column: token.column }
    }
    return this.#primary()
  }

  #primary(): Expression {
    const token = this.peek()
    const column = token.column
    if (token.kind === 'number') {
      this.next()
      return { kind: 'number', value: token.value, column }
    }
    if (token.kind === 'string') {
      this.next()
      if (token.bytes.length > 8) {
        mistake(
          column,
          'A string in an expression is a number of at most 8 characters: shorten it, or use db.',
        )
      }
      return { kind: 'number', value: littleEndian(token.bytes), column }
    }
    if (token.kind === 'word') {
      this.next()
      const register = registerNamed(token.text.toLowerCase())
      return register
        ? { kind: 'register', register, column }
        : { kind: 'symbol', name: this.fullName(token.text), column }
    }
    if (this.accept('$')) return { kind: 'here', column }
    if (this.accept('$$')) return { kind: 'sectionStart', column }
    if (this.accept('(')) {
      this.#grow(column)
      const inner = this.#binary(0)
      this.expect(')', 'to close this parenthesis')
      return inner
    }
    return mistake(column, `Expected a number, a name or an expression, found ${describe(token)}.`)
  }

  /** Local names get their parent in front. */
  fullName(name: string): string {
    return name.startsWith('.') ? this.parent + name : name
  }
}

export function describe(token: Token): string {
  return token.kind === 'end' ? token.text : shorten(token.text)
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n)
}
