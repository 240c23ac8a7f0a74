/** Values of expressions: integers of at most 64 bits, plus registers where a memory address is meant. */
import { mistake } from './problems.ts'
import type { Register } from './registerNames.ts'
import type { Expression } from './syntax.ts'

export interface Value {
  readonly constant: bigint
  /**
   * How many label addresses the constant contains (a difference of two labels has none). An operand with
   * a label in it is always encoded in full width, so that its size does not depend on where things land.
   */
  readonly labels: number
  /** False while it depends on a name that has no value yet. */
  readonly known: boolean
  /** Registers in the order written, with their factors. */
  readonly registers: readonly Term[]
}

export interface Term {
  readonly register: Register
  readonly factor: number
}

/** What names mean at the statement that is evaluated. */
export interface Scope {
  readonly here: number
  readonly sectionStart: number
  /** The value of `name`; undefined where the program has no such name. */
  lookUp(name: string): Value | undefined
  /** Says how to repair an undefined name: its nearest neighbours. */
  suggest(name: string): string
}

const NO_REGISTERS: readonly Term[] = []
const LIMIT = 1n << 64n

export function number(constant: bigint, labels = 0, known = true): Value {
  return { constant, labels, known, registers: NO_REGISTERS }
}

export const UNKNOWN: Value = number(0n, 0, false)

export function evaluate(expression: Expression, scope: Scope): Value {
  switch (expression.kind) {
    case 'number':
      return number(expression.value)
    case 'here':
      return number(BigInt(scope.here), 1)
    case 'sectionStart':
      return number(BigInt(scope.sectionStart), 1)
    case 'register':
      return {
        constant: 0n,
        labels: 0,
        known: true,
        registers: [{ register: expression.register, factor: 1 }],
      }
    case 'symbol':
      return (
        scope.lookUp(expression.name) ??
        mistake(
          expression.column,
          `${expression.name} is not defined anywhere: ${scope.suggest(expression.name)}`,
        )
      )
    case 'unary': {
      const value = evaluate(expression.operand, scope)
      if (expression.operator === '+') return value
      if (expression.operator === '-') return bounded(scaled(value, -1n), expression.column)
      return plain(value, expression.column, (constant) => ~constant)
    }
    case 'binary':
      return binary(
        expression.operator,
        evaluate(expression.left, scope),
        evaluate(expression.right, scope),
        expression.column,
      )
  }
}

function binary(operator: string, left: Value, right: Value, column: number): Value {
  if (operator === '+') return bounded(sum(left, right), column)
  if (operator === '-') return bounded(sum(left, scaled(right, -1n)), column)
  if (operator === '*') {
    if (right.registers.length === 0 && right.labels === 0)
      return bounded(scaled(left, right.constant, right.known), column)
    if (left.registers.length === 0 && left.labels === 0)
      return bounded(scaled(right, left.constant, left.known), column)
  }
  const known = left.known && right.known
  return plain(
    left,
    column,
    (a) => {
      plain(right, column, (b) => b)
      const b = right.constant
      switch (operator) {
        case '*':
          return limit(a * b, column)
        case '/':
        case '%':
          if (b === 0n) return known ? mistake(column, 'This divides by 0: change the divisor.') : 0n
          return operator === '/' ? a / b : a % b
        case '<<':
        case '>>':
          if (b < 0n || b > 63n)
            return known ? mistake(column, 'A shift count must be 0 to 63: change it.') : 0n
          return operator === '<<' ? limit(a << b, column) : a >> b
        case '&':
          return a & b
        case '|':
          return a | b
        default:
          return a ^ b
      }
    },
    known,
  )
}

/** Applies an operation that has no meaning for registers; what comes out is an ordinary number. */
function plain(
  value: Value,
  column: number,
  operation: (constant: bigint) => bigint,
  known = value.known,
): Value {
  if (value.registers.length > 0) {
    mistake(
      column,
      'A register can only be added, subtracted or multiplied by 1, 2, 4 or 8: compute this in code.',
    )
  }
  return number(operation(value.constant), 0, known)
}

function sum(left: Value, right: Value): Value {
  return {
    constant: left.constant + right.constant,
    labels: left.labels + right.labels,
    known: left.known && right.known,
    registers:
      left.registers.length + right.registers.length === 0
        ? NO_REGISTERS
        : collect([...left.registers, ...right.registers]),
  }
}

/** Equal registers become one term: `eax + eax*2` is `eax*3`. */
function collect(terms: readonly Term[]): readonly Term[] {
  const found = new Map<Register, number>()
  for (const { register, factor } of terms) found.set(register, (found.get(register) ?? 0) + factor)
  return [...found].filter(([, factor]) => factor !== 0).map(([register, factor]) => ({ register, factor }))
}

function scaled(value: Value, factor: bigint, known = true): Value {
  return {
    constant: value.constant * factor,
    labels: value.labels * Number(factor),
    known: value.known && known,
    registers: value.registers.map((term) => ({
      register: term.register,
      factor: term.factor * Number(factor),
    })),
  }
}

function bounded(value: Value, column: number): Value {
  limit(value.constant, column)
  return value
}

function limit(constant: bigint, column: number): bigint {
  if (constant >= LIMIT || constant <= -LIMIT)
    mistake(column, 'This does not fit 64 bits: use a smaller value.')
  return constant
}

/** The value as a plain number; what it must be is in `meaning` ("the count"). */
export function integer(
  expression: Expression,
  scope: Scope,
  meaning: string,
  least: number,
  most: number,
): number {
  const value = evaluate(expression, scope)
  if (value.registers.length > 0)
    mistake(expression.column, `${meaning} must be a number: a register cannot stand here.`)
  if (!value.known) {
    mistake(expression.column, `${meaning} must be known at this line: define the names in it further up.`)
  }
  if (value.constant < BigInt(least) || value.constant > BigInt(most)) {
    mistake(expression.column, `${meaning} is ${value.constant}: it must be ${least} to ${most}.`)
  }
  return Number(value.constant)
}
