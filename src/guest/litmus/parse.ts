/**
 * herd's litmus format for x86 (both dialects): header, initial state, code in columns, condition. What it says is
 * kept as written; thread.ts gives instructions their meaning.
 */
import { parseFormula, type Formula, type Normalize } from './formula.ts'
import { parseInitialState, type InitialState } from './initialState.ts'
import { LitmusError, printable } from './litmusError.ts'
import { displayName, registerNamed } from './registers.ts'

export interface Row {
  /** With single blanks. */
  readonly text: string
  readonly line: number
  /** By character of `text`, where it stands in its line, from 1. */
  readonly columns: readonly number[]
}

export interface LitmusTest extends InitialState {
  readonly arch: 'X86' | 'X86_64'
  readonly name: string
  /** Code by thread. */
  readonly threads: readonly (readonly Row[])[]
  /** Places to print besides those of the condition. */
  readonly locations: readonly string[]
  readonly filter: Formula | null
  readonly quantifier: 'exists' | '~exists' | 'forall'
  readonly condition: Formula
}

/** Largest file that is read, in characters; most threads and rows. */
const LENGTH_MAX = 1 << 20
const THREADS_MAX = 16
const ROWS_MAX = 1000

/** @throws LitmusError */
export function parseLitmus(source: string): LitmusTest {
  if (source.length > LENGTH_MAX) throw new LitmusError(0, `the file has more than ${LENGTH_MAX} characters`)
  // PTE(x) and PA(x) become symbols like any other.
  const text = withoutComments(source.replace(/\r\n?/g, '\n')).replace(/\b(PTE|PA)\([ \t]*([A-Za-z_][\w.]*)[ \t]*\)/g, '$1.$2')
  const lineAt = (offset: number) => countLines(text, offset)
  const first = /^\s*(\S+)[ \t]+([^\n{"]+)/.exec(text)
  if (first === null) throw new LitmusError(1, 'a litmus test begins with its architecture and name: X86 SB')
  const arch = first[1]
  if (arch !== 'X86' && arch !== 'X86_64') throw new LitmusError(lineAt(first[0].length), `architecture '${arch.slice(0, 40)}': X86 and X86_64 are run here`)
  const open = withoutStrings(text).indexOf('{', first.index + first[0].length)
  if (open < 0) throw new LitmusError(lineAt(text.length), "the initial state, { ... }, is missing")
  const close = matching(text, open)
  if (close < 0) throw new LitmusError(lineAt(open), "the '{' of the initial state has no '}'")

  const tail = /(?:^|;)[ \t]*(?=locations[ \t]*\[|(?:filter|final|exists|forall|observed|~[ \t]*exists|not[ \t]+exists)\b(?![ \t]*:))/im
  const rest = text.slice(close + 1)
  const found = tail.exec(rest)
  if (found === null) throw new LitmusError(lineAt(text.trimEnd().length), 'the condition (exists, ~exists or forall) is missing')
  const tailAt = found.index + found[0].length
  const threads = parseCode(rest.slice(0, tailAt), lineAt(close), close - text.lastIndexOf('\n', close))
  const normalize = normalizerFor(arch, threads.length)
  const state = parseInitialState(text.slice(open + 1, close), lineAt(open), threads.length, normalize)
  const end = parseTail(rest.slice(tailAt), lineAt(close + 1 + tailAt), normalize)
  return { arch, name: printable(first[2].trim()), threads, ...state, ...end }
}

/** Spelling of places in final states: `0:rax`, `x`, `t[1]`. */
function normalizerFor(arch: string, threads: number): Normalize {
  return (place, line) => {
    const register = /^P?(\d+):(%?\w+)$/.exec(place.replace(/\s+/g, ''))
    if (register === null && /^\s*P?\d+\s*:/.test(place)) throw new LitmusError(line, `'${place.slice(0, 40)}' is not a register`)
    if (register === null) return place.replace(/^\[([^\]]+)\]$/, '$1').replace(/^&/, '')
    const known = registerNamed(register[2])
    if (known === null) throw new LitmusError(line, `'${register[2]}' is not a register of the i386`)
    if (Number(register[1]) >= threads) throw new LitmusError(line, `there is no thread P${register[1]}`)
    return `${Number(register[1])}:${displayName(known.whole, arch)}`
  }
}

/** Comments become blanks of the same lines. */
function withoutComments(text: string): string {
  let out = ''
  let depth = 0
  let quoted = false
  for (let k = 0; k < text.length; k++) {
    const two = text.slice(k, k + 2)
    if (depth === 0 && text[k] === '"') quoted = !quoted
    if (text[k] === '\n') quoted = false
    if (!quoted && two === '(*') {
      depth++
      k++
      out += '  '
    } else if (depth > 0 && two === '*)') {
      depth--
      k++
      out += '  '
    } else out += depth === 0 || text[k] === '\n' ? text[k] : ' '
  }
  return out
}

/** Doc strings (and what they have of braces) become blanks; offsets stay. */
function withoutStrings(text: string): string {
  return text.replace(/"[^"\n]*"/g, (quoted) => ' '.repeat(quoted.length))
}

function countLines(text: string, offset: number): number {
  let lines = 1
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) lines++
  return lines
}

function matching(text: string, open: number): number {
  let depth = 0
  for (let k = open; k < text.length; k++) {
    if (text[k] === '{') depth++
    if (text[k] === '}' && --depth === 0) return k
  }
  return -1
}

/** @param before characters of the first line that stand in front of `text` */
function parseCode(text: string, firstLine: number, before: number): Row[][] {
  const rows: { cells: Omit<Row, 'line'>[]; line: number }[] = []
  let line = firstLine
  let from = 0
  let lineAt = -before
  // `lock; inc [x]` is one instruction.
  for (const piece of text.split(/;(?<!\block\s*;)/i)) {
    const start = line + (/^\s*/.exec(piece)![0].match(/\n/g)?.length ?? 0)
    line += piece.match(/\n/g)?.length ?? 0
    const cells = piece.split('|').map((cell) => {
      const at = from
      from += cell.length + 1
      // Blanks become one.
      const columns: number[] = []
      let shown = ''
      for (let k = 0, blank = false; k < cell.length; k++) {
        if (cell[k] === '\n') lineAt = at + k + 1
        const isBlank = /\s/.test(cell[k])
        const one = isBlank ? '' : blank && shown !== '' ? ` ${cell[k]}` : cell[k]
        shown += one
        for (const _ of one) columns.push(at + k - lineAt + 1)
        blank = isBlank
      }
      return { text: shown, columns }
    })
    if (piece.trim() !== '') rows.push({ cells, line: start })
  }
  if (rows.length === 0) throw new LitmusError(firstLine, 'the code (P0 | P1 ;) is missing')
  if (rows.length > ROWS_MAX) throw new LitmusError(rows[ROWS_MAX].line, `more than ${ROWS_MAX} rows`)
  const [head, ...body] = rows
  head.cells.forEach((cell, k) => {
    if (cell.text !== `P${k}`) throw new LitmusError(head.line, `thread ${k} is named '${cell.text.slice(0, 40)}', not P${k}`)
  })
  if (head.cells.length > THREADS_MAX) throw new LitmusError(head.line, `more than ${THREADS_MAX} threads`)
  for (const row of body)
    if (row.cells.length > head.cells.length) throw new LitmusError(row.line, `${row.cells.length} columns, but ${head.cells.length} threads`)
  return head.cells.map((_, k) => body.flatMap(({ cells, line }) => (k < cells.length && cells[k].text !== '' ? [{ ...cells[k], line }] : [])))
}

function parseTail(
  text: string, firstLine: number, normalize: Normalize,
): Pick<LitmusTest, 'locations' | 'filter' | 'quantifier' | 'condition'> {
  let rest = text
  const lineOf = () => firstLine + (text.slice(0, text.length - rest.length).match(/\n/g)?.length ?? 0)
  let locations: string[] = []
  const list = /^\s*locations\s*\[([^[\]]*(?:\[[^\]]*\][^[\]]*)*)\]\s*;?/.exec(rest)
  if (list !== null) {
    locations = list[1].split(';').map((one) => one.trim().replace(/\s+\w+\*?$/, '').replace(/:\s*(?:int|long|char)\w*$/, '')).filter((one) => one !== '').map((one) => normalize(one, lineOf()))
    rest = rest.slice(list[0].length)
  }
  let filter: Formula | null = null
  const filtered = /^\s*filter\b([\s\S]*?)(?=(?:~\s*exists|\bexists|\bforall|\bnot\s+exists|\bfinal)\b|$)/.exec(rest)
  if (filtered !== null) {
    filter = parseFormula(filtered[1], lineOf(), normalize)
    rest = rest.slice(filtered[0].length)
  }
  // Nothing to judge: every state will do (herd's default).
  if (rest.trim() === '') return { locations, filter, quantifier: 'forall', condition: { kind: 'constant', value: true } }
  const match = /^\s*(~\s*exists\b|not\s+exists\b|exists\b|forall\b|final\b|observed\b|(?=\())/i.exec(rest)
  if (match === null) throw new LitmusError(lineOf(), 'the condition (exists, ~exists or forall) is missing')
  rest = rest.slice(match[0].length)
  const line = lineOf() + (/^\s*/.exec(rest)![0].match(/\n/g)?.length ?? 0)
  // `with tso: exists; ...` (old tests: what other models say of it) is left aside.
  // `observed x=1; 0:EAX=2; and x=2; 0:EAX=1;`: one of these states.
  if (/^observed$/i.test(match[1])) rest = rest.split(/\band\b/).map((state) => `(${state.split(';').filter((atom) => atom.trim() !== '').join('/\\') || 'true'})`).join('\\/')
  const judged = rest.search(/\bwith\s+\w+\s*:/)
  const condition = (judged < 0 ? rest : rest.slice(0, judged)).trimEnd().replace(/;$/, '')
  const quantifier = match[1] === 'forall' ? 'forall' : /^(?:~|not)/.test(match[1]) ? '~exists' : 'exists'
  return { locations, filter, quantifier, condition: parseFormula(condition, line, normalize) }
}
