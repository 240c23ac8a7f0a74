/** Conditions of litmus tests: `exists (0:EAX=0 /\ [x]=1)`, their parsing and their value in a final state. */
import { LitmusError } from './litmusError.ts'
import { registerNamed } from './registers.ts'

export type Formula =
  | { readonly kind: 'constant'; readonly value: boolean }
  /** `other` is a value (a number, the name of a variable or of code), or (`places`) another place. */
  | { readonly kind: 'equal'; readonly place: string; readonly other: string; readonly places: boolean }
  /** A whole array: `t={1,2}`. */
  | { readonly kind: 'elements'; readonly place: string; readonly values: readonly string[] }
  | { readonly kind: 'not'; readonly inner: Formula }
  | { readonly kind: 'and' | 'or' | 'implies'; readonly left: Formula; readonly right: Formula }

export type Atom = Extract<Formula, { kind: 'equal' | 'elements' }>

/** Nesting at the most. */
const DEPTH_MAX = 200
/** Atoms and connectives of a condition at the most. */
const TOKENS_MAX = 4000

/** `0:rax`, `x`, `t[1]` from the ways to write them: upper case, brackets, blanks. */
export type Normalize = (place: string, line: number) => string

/** A register, a variable, `[x]`, `t[1]`; not a number alone. */
const PLACE = /^(?:\d+:|[A-Za-z_.$[])/
const TOKEN = /\s*(\/\\|\\\/|=>|<>|!=|==|=|~|[(){},*;]|label:\s*"P?\d+:[^"\n]+"|P?\d+\s*:\s*%?\w+|\[\s*[\w.$]+(?:\s*\+\s*\d+)?\s*\]|[A-Za-z_.$][\w.$]*(?:\[\d+\])?|-?\d\w*|&\w+)/y

/**
 * Binding as in herd's grammar (lib/stateParser.mly): `~` before `=>` before `/\\` before `\\/`.
 *
 * @throws LitmusError
 */
export function parseFormula(text: string, line: number, normalize: Normalize): Formula {
  const tokens = tokenize(text, line)
  let at = 0
  let depth = 0
  const fail = (what: string) => new LitmusError(line, `condition: ${what}${at < tokens.length ? `, at '${tokens[at]}'` : ', at its end'}`)
  const take = (token: string) => (tokens[at] === token ? (at++, true) : false)

  const disjunction = (): Formula => {
    let left = conjunction()
    while (take('\\/')) left = { kind: 'or', left, right: conjunction() }
    return left
  }
  const conjunction = (): Formula => {
    let left = implication()
    while (take('/\\')) left = { kind: 'and', left, right: implication() }
    return left
  }
  const implication = (): Formula => {
    const operands = [unary()]
    while (take('=>')) operands.push(unary())
    return operands.reduceRight((right, left) => ({ kind: 'implies', left, right }))
  }
  const unary = (): Formula => {
    if (++depth > DEPTH_MAX) throw fail(`nested deeper than ${DEPTH_MAX}`)
    try {
      if (take('~') || take('not')) return { kind: 'not', inner: unary() }
      if (take('(')) {
        const inner = disjunction()
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
    take('*')
    const place = tokens[at]
    if (place === undefined || !PLACE.test(place)) throw fail('a register or variable is wanted')
    at++
    const operator = tokens[at]
    if (operator !== '=' && operator !== '==' && operator !== '!=' && operator !== '<>') throw fail("'=' is wanted")
    at++
    const equation = equalTo(normalize(place, line))
    return operator === '!=' || operator === '<>' ? { kind: 'not', inner: equation } : equation
  }
  const equalTo = (place: string): Formula => {
    if (take('{')) return { kind: 'elements', place, values: elements() }
    const dereferenced = take('*')
    const other = value()
    // P0:EAX is a register, P0:l a place in code.
    const colon = other.indexOf(':')
    const places = dereferenced || other.startsWith('[') || (colon > 0 && (!other.startsWith('P') || registerNamed(other.slice(colon + 1)) !== null))
    if (dereferenced && !PLACE.test(other)) throw fail('a variable is wanted after the *')
    return { kind: 'equal', place, other: places ? normalize(other, line) : other, places }
  }
  const value = (): string => {
    const token = tokens[at]
    if (token === undefined || !/^[-&\w[.$]/.test(token)) throw fail('a value is wanted')
    at++
    const label = /^label:"P?(\d+:.+)"$/.exec(token)
    return label !== null ? `P${label[1]}` : token.replace(/^&/, '')
  }
  const elements = (): string[] => {
    const values = [value()]
    while (!take('}')) {
      if (!take(',')) throw fail("',' or '}' is wanted")
      values.push(value())
    }
    return values
  }
  const formula = disjunction()
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
    if (tokens.length > TOKENS_MAX) throw new LitmusError(line, `condition: longer than ${TOKENS_MAX} tokens`)
  }
  return tokens
}

/** Places that the formula speaks of, in its order, each once. */
export function placesOf(formula: Formula): string[] {
  switch (formula.kind) {
    case 'constant':
      return []
    case 'equal':
      return formula.places ? [formula.place, formula.other] : [formula.place]
    case 'elements':
      return [formula.place]
    case 'not':
      return placesOf(formula.inner)
    default:
      return [...new Set([...placesOf(formula.left), ...placesOf(formula.right)])]
  }
}

/** @param holds whether an atom is true */
export function evaluate(formula: Formula, holds: (atom: Atom) => boolean): boolean {
  switch (formula.kind) {
    case 'constant':
      return formula.value
    case 'equal':
    case 'elements':
      return holds(formula)
    case 'not':
      return !evaluate(formula.inner, holds)
    case 'and':
      return evaluate(formula.left, holds) && evaluate(formula.right, holds)
    case 'or':
      return evaluate(formula.left, holds) || evaluate(formula.right, holds)
    case 'implies':
      return !evaluate(formula.left, holds) || evaluate(formula.right, holds)
  }
}

const SIGNS = { and: ' /\\ ', or: ' \\/ ', implies: ' => ' } as const

/** As herd writes it (lib/constrGen.ml), but for the atoms. */
export function formatFormula(formula: Formula, formatAtom: (atom: Atom) => string, above: 'and' | 'or' | 'implies' | null = null): string {
  switch (formula.kind) {
    case 'constant':
      return String(formula.value)
    case 'equal':
    case 'elements':
      return formatAtom(formula)
    case 'not':
      return `not (${formatFormula(formula.inner, formatAtom)})`
    default: {
      const { kind } = formula
      const text = formatFormula(formula.left, formatAtom, kind) + SIGNS[kind] + formatFormula(formula.right, formatAtom, kind)
      return above === null || above === kind || (above === 'or' && kind === 'and') ? text : `(${text})`
    }
  }
}
