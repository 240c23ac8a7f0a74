/**
 * Conditions of `#if` and `#elif` (C11 6.10.1), as far as scenarios need them: integers, macros, `defined`, `!`, comparisons, `&&`, `||` and brackets.
 * Names that are none of the macros in question, which headers define, equal only themselves.
 */
const TOKEN = /\s*(\w+|&&|\|\||[=!<>]=|[!()<>])/y

type Value = number | string

/** Loosest first. */
const OPERATORS: readonly Readonly<Record<string, (a: Value, b: Value) => boolean>>[] = [
  { '||': (a, b) => isTrue(a) || isTrue(b) },
  { '&&': (a, b) => isTrue(a) && isTrue(b) },
  { '==': (a, b) => a === b, '!=': (a, b) => a !== b },
  { '<': (a, b) => a < b, '<=': (a, b) => a <= b, '>': (a, b) => a > b, '>=': (a, b) => a >= b },
]

const isTrue = (value: Value) => value !== 0
const valueOf = (text: string): Value => (/^(0x[\da-f]+|\d+)[ul]*$/i.test(text) ? parseInt(text) : text)

/** Whether `condition` holds where macros have these values, and the others of `known` have none, which is 0. @throws SyntaxError where it is none of this kind */
export function holds(condition: string, macros: ReadonlyMap<string, string>, known: ReadonlySet<string>): boolean {
  const tokens: string[] = []
  TOKEN.lastIndex = 0
  for (let from = 0; condition.slice(from).trim() !== ''; from = TOKEN.lastIndex) {
    const token = TOKEN.exec(condition)?.[1]
    if (token === undefined) throw new SyntaxError(`condition '${condition}'`)
    tokens.push(token)
  }
  let at = 0
  const expect = (token: string) => {
    if (tokens[at++] !== token) throw new SyntaxError(`condition '${condition}'`)
  }
  const unary = (): Value => {
    const token = tokens[at++]
    if (token === '!') return Number(!isTrue(unary()))
    if (token === '(') {
      const value = binary(0)
      expect(')')
      return value
    }
    if (token === 'defined') {
      const bracket = tokens[at] === '('
      if (bracket) at++
      const name = tokens[at++]
      if (bracket) expect(')')
      return Number(macros.has(name))
    }
    if (token === undefined || !/^\w/.test(token)) throw new SyntaxError(`condition '${condition}'`)
    return valueOf(macros.get(token) ?? (known.has(token) ? '0' : token))
  }
  const binary = (level: number): Value => {
    if (level === OPERATORS.length) return unary()
    let left = binary(level + 1)
    for (let apply = OPERATORS[level][tokens[at]]; apply !== undefined; apply = OPERATORS[level][tokens[at]]) {
      at++
      left = Number(apply(left, binary(level + 1)))
    }
    return left
  }
  const value = binary(0)
  if (at !== tokens.length) throw new SyntaxError(`condition '${condition}'`)
  return isTrue(value)
}
