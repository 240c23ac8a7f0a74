/** Conditions of litmus tests: `exists (0:EAX=0 /\ [x]=1)`, their parsing and their value in a final state. */
import { LitmusError } from './litmusError.ts'

export type Formula =
  | { readonly kind: 'constant'; readonly value: boolean }
  | { readonly kind: 'equal'; readonly place: string; readonly other: string; readonly negated: boolean }
  | { readonly kind: 'not'; readonly inner: Formula }
  | { readonly kind: 'and' | 'or' | 'implies'; readonly left: Formula; readonly right: Formula }

/** Nesting at the most. */
const DEPTH_MAX = 200

/** `0:rax`, `x`, `t[1]` from the ways to write them: upper case, brackets, blanks. */
export type Normalize = (place: string, line: number) => string

const TOKEN = /\s*(\/\\|\\\/|=>|<>|!=|==|=|~|\(|\)|\d+\s*:\s*%?\w+|\[\s*[\w.$]+(?:\s*\+\s*\d+)?\s*\]|[A-Za-z_.$][\w.$]*(?:\[\d+\])?|-?\d\w*|&\w+)/y

/** @throws LitmusError */
export function parseFormula(text: string, line: number, normalize: Normalize): Formula {
  const tokens = tokenize(text, line)
  let at = 0
  let depth = 0
  const fail = (what: string) => new LitmusError(line, `condition: ${what}${at < tokens.length ? `, at '${tokens[at]}'` : ', at its end'}`)
  const take = (token: string) => (tokens[at] === token ? (at++, true) : false)

  const implication = (): Formula => {
    const left = disjunction()
    return take('=>') ? { kind: 'implies', left, right: implication() } : left
  }
  const disjunction = (): Formula => {
    let left = conjunction()
    while (take('\\/')) left = { kind: 'or', left, right: conjunction() }
    return left
  }
  const conjunction = (): Formula => {
    let left = unary()
    while (take('/\\')) left = { kind: 'and', left, right: unary() }
    return left
  }
  const unary = (): Formula => {
    if (++depth > DEPTH_MAX) throw fail(`nested deeper than ${DEPTH_MAX}`)
    try {
      if (take('~') || take('not')) return { kind: 'not', inner: unary() }
      if (take('(')) {
        const inner = implication()
        if (!take(')')) throw fail("a ')' is missing")
        return inner
      }
      if (take('true')) return { kind: 'constant', value: true }
      if (take('false')) return { kind: 'constant', value: false }
      return atom()
    } finally {
      depth--
    }
  }
  const atom = (): Formula => {
    const place = tokens[at]
    if (place === undefined || !/^[\w[.$]/.test(place)) throw fail('a register or variable is wanted')
    at++
    const operator = tokens[at]
    if (operator !== '=' && operator !== '==' && operator !== '!=' && operator !== '<>') throw fail("'=' is wanted")
    at++
    const other = tokens[at]
    if (other === undefined || !/^[-&\w]/.test(other)) throw fail('a value is wanted')
    at++
    return { kind: 'equal', place: normalize(place, line), other, negated: operator === '!=' || operator === '<>' }
  }
  const formula = implication()
  if (at < tokens.length) throw fail('something is left over')
  return formula
}

function tokenize(text: string, line: number): string[] {
  const tokens: string[] = []
  TOKEN.lastIndex = 0
  const end = text.trimEnd().length
  while (TOKEN.lastIndex < end) {
    const from = TOKEN.lastIndex
    const match = TOKEN.exec(text)
    if (match === null) throw new LitmusError(line, `condition: '${text.slice(from, from + 12).trim()}' is not understood`)
    tokens.push(match[1].replace(/\s+/g, ''))
  }
  return tokens
}

/** Places that the formula speaks of, in its order, each once. */
export function placesOf(formula: Formula): string[] {
  switch (formula.kind) {
    case 'constant':
      return []
    case 'equal':
      return [formula.place]
    case 'not':
      return placesOf(formula.inner)
    default:
      return [...new Set([...placesOf(formula.left), ...placesOf(formula.right)])]
  }
}

/** @param equals whether a place holds a value, both as written */
export function evaluate(formula: Formula, equals: (place: string, other: string) => boolean): boolean {
  switch (formula.kind) {
    case 'constant':
      return formula.value
    case 'equal':
      return equals(formula.place, formula.other) !== formula.negated
    case 'not':
      return !evaluate(formula.inner, equals)
    case 'and':
      return evaluate(formula.left, equals) && evaluate(formula.right, equals)
    case 'or':
      return evaluate(formula.left, equals) || evaluate(formula.right, equals)
    case 'implies':
      return !evaluate(formula.left, equals) || evaluate(formula.right, equals)
  }
}
