// The text of docs/mutants.md and of a table of docs/locks.md, from the results that scripts/buildMutants.mjs keeps.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fits, givenReasons } from '../dist/index.js'

/** What counts of several forms of a piece: the first of these that one of them comes to. */
const FATES = ['noticed', 'undecided', 'survived', 'equal', 'skipped']
const SECTIONS = { A: 'live patching', B: 'locks', C: 'shootdown', D: 'lazy modes', E: 'attributes', P: 'paravirtual operations', L: 'locks of the headers' }

/**
 * The pieces of one entry, each once however many of its fixed forms have it: what one form notices is noticed; what none does and one leaves
 * undecided is undecided. Survivors that no fact explains get what people say of them, or who else notices.
 */
function piecesOf(forms, results, explain) {
  const pieces = new Map()
  for (const piece of forms.flatMap((form) => piecesIn(results[nameOf(form)]))) {
    const known = pieces.get(piece.piece)
    const unexplained = piece.fate === 'survived' && piece.why === ''
    if (known === undefined || FATES.indexOf(piece.fate) < FATES.indexOf(known.fate) || (piece.fate === known.fate && unexplained)) pieces.set(piece.piece, piece)
  }
  return [...pieces.values()].map((piece) => (piece.fate === 'survived' && piece.why === '' ? explain(forms[0], piece) : piece))
}

const nameOf = ({ id, label }) => `${id} ${label}`
/** The rows of one result (none: there is none), each with the name that `xmcheck mutate` gives its piece. */
export function piecesIn(result) {
  const counts = new Map()
  return (result?.rows ?? []).map(([kind, name, offset, file, line, text, fate, why]) => {
    const place = [kind, name, file, text || line].join(', ')
    counts.set(place, (counts.get(place) ?? 0) + 1)
    return { piece: `${place}, ${counts.get(place) - 1}`, kind, name, offset, file, line, text, fate, why, by: 'proof' }
  })
}
/** The same piece of a building block, in whatever program. */
const blockOf = ({ kind, file, text }) => `${kind}|${file}|${text}`

/** What explains survivors that no fact does; `complain` says which reasons explain none. */
function explainer(root, forms, results) {
  const read = (file) => givenReasons({ [file]: readFileSync(join(root, file), 'utf8') })
  const files = new Set([...forms.map((form) => form.file), ...readdirSync(join(root, 'include')).map((file) => `include/${file}`)])
  const all = [...files].flatMap(read)
  const used = new Set()
  const noticing = new Map()
  for (const form of forms)
    for (const piece of piecesIn(results[nameOf(form)])) if (piece.file.endsWith('.h') && piece.fate === 'noticed' && !noticing.has(blockOf(piece))) noticing.set(blockOf(piece), form)
  const explain = ({ file }, piece) => {
    const mine = (one) => file.endsWith(`/${one.file}`) || one.file === piece.file
    const usable = [...all.filter(mine), ...all.filter((one) => !mine(one) && one.file.endsWith('.h'))]
    const given = usable.find((one) => fits(one, piece.kind, { function: piece.name, text: piece.text }))
    if (given !== undefined) {
      used.add(given)
      return { ...piece, why: given.reason, by: 'word' }
    }
    const other = noticing.get(blockOf(piece))
    return other === undefined ? piece : { ...piece, why: `not needed here; ${other.id.replace('L-', 'lock ')} notices`, by: 'other' }
  }
  const complain = () => {
    for (const given of all) if (!used.has(given)) throw new Error(`${given.file}: survivor ${given.kind}, ${given.function}, \`${given.text}\` fits no mutant that survives without a proof`)
  }
  return { explain, complain }
}

const has = (fate) => (pieces) => pieces.filter((one) => one.fate === fate).length
const survived = (how) => (pieces) => pieces.filter((one) => one.fate === 'survived' && how(one)).length
const columns = [
  ['pieces', (pieces) => pieces.length],
  ['equal', has('equal')],
  ['noticed', has('noticed')],
  ['proven', survived((one) => one.why !== '' && one.by === 'proof')],
  ['noticed elsewhere', (pieces) => has('skipped')(pieces) + survived((one) => one.by === 'other')(pieces)],
  ['explained', survived((one) => one.by === 'word')],
  ['open', survived((one) => one.why === '')],
  ['undecided', has('undecided')],
  ['score', (pieces) => percent(has('noticed')(pieces), pieces.length - has('equal')(pieces) - has('skipped')(pieces))],
]
const percent = (part, whole) => (whole === 0 ? '' : `${Math.round((100 * part) / whole)} %`)
const row = (cells) => `| ${cells.join(' | ')} |\n`
const SOURCE_MAX = 72
const code = (text) => `\`${(text.length > SOURCE_MAX ? `${text.slice(0, SOURCE_MAX)}...` : text).replaceAll('|', '\\|')}\``
const where = ({ name, offset, file, line }) => `${name}+0x${offset.toString(16)}${file && ` (${file}:${line})`}`

/** The text of docs/mutants.md. @throws Error where a reason in a source fits nothing */
export function pageOf(root, forms, results) {
  const { explain, complain } = explainer(root, forms, results)
  const ids = [...new Set(forms.map((form) => form.id))]
  const entries = ids.map((id) => ({ id, of: forms.filter((form) => form.id === id) })).map(({ id, of }) => ({ id, of, pieces: piecesOf(of, results, explain) }))
  let page = readFileSync(join(root, 'docs', 'mutants.head.md'), 'utf8').trimEnd() + '\n\n'
  page += row(['section', ...columns.map(([name]) => name)]) + row(['---', ...columns.map(() => '---')])
  for (const section of new Set(ids.map((id) => id[0]))) {
    const pieces = entries.filter((entry) => entry.id[0] === section).flatMap((entry) => entry.pieces)
    if (pieces.length > 0) page += row([[section === 'L' ? '' : `${section}:`, SECTIONS[section] ?? ''].join(' ').trim(), ...columns.map(([, count]) => count(pieces))])
  }
  const all = entries.flatMap((entry) => entry.pieces)
  const missing = forms.filter((form) => results[nameOf(form)] === undefined).map(nameOf)
  page += row(['all', ...columns.map(([, count]) => count(all))])
  if (missing.length > 0) page += `\nNot run yet, or changed since: ${missing.join('; ')}.\n`
  for (const { id, of, pieces } of entries) {
    const run = of.filter((form) => results[nameOf(form)] !== undefined)
    if (run.length === 0) continue
    page += `\n## ${id.startsWith('L-') ? id.slice(2) : id} ${of[0].title}\n\n`
    page += `${run.map(({ object, label, options }) => `${label}: ${[object.replace(/^.*\//, ''), ...options].join(' ')}`).join('; ')}. `
    const unreached = run.map(({ id, label }) => results[nameOf({ id, label })]).map((one) => `${one.unreached} of ${one.instructions}`)
    page += `Not reached: ${unreached.join('; ')} instructions. `
    page += `${columns.slice(0, -1).map(([name, count]) => `${count(pieces)} ${name}`).join(', ')}.\n`
    for (const { label, unseen } of run.map((form) => ({ ...form, ...results[nameOf(form)] }))) if (unseen.length > 0) page += `Of ${label} not all executions were seen: ${unseen.join('; ')}.\n`
    const open = pieces.filter((one) => one.fate === 'survived' || one.fate === 'undecided')
    if (open.length === 0) continue
    page += `\n${row(['piece', 'where', 'source', 'fate'])}${row(['---', '---', '---', '---'])}`
    for (const one of open) {
      const fate = one.fate === 'undecided' ? `undecided: ${one.why}` : one.why === '' ? 'survived: **no reason is known**' : one.by === 'word' ? `survived: *${one.why}*` : `survived: ${one.why}`
      page += row([one.kind, where(one), one.text === '' ? '' : code(one.text), fate])
    }
  }
  if (forms.every((form) => results[nameOf(form)] !== undefined)) complain()
  return page
}

/** docs/locks.md with its table of pieces: of all of a kind how many are noticed. @param text as it is */
export function locksOf(text, forms, results) {
  const groups = [
    ['LOCK prefixes, XCHG', /^(LOCK|XCHG)/],
    ['fences', /fence/i],
    ['kicks', /^kick/],
    ['stores', /^store removed/],
    ['orders of stores', /^stores swapped/],
    ['branches', /^branch/],
    ['CLI, STI', /^(CLI|STI)/],
  ]
  const locks = [...new Set(forms.filter((form) => form.id.startsWith('L-')).map((form) => form.id))]
  let table = row(['lock', ...groups.map(([name]) => name), 'score']) + row(['---', ...groups.map(() => '---'), '---'])
  for (const id of locks) {
    const pieces = piecesOf(forms.filter((form) => form.id === id), results, (_, piece) => piece).filter((one) => one.fate !== 'equal')
    if (pieces.length === 0) continue
    const part = (some) => (some.length === 0 ? '' : `${some.filter((one) => one.fate === 'noticed').length} of ${some.length}`)
    table += row([id.slice(2), ...groups.map(([, kind]) => part(pieces.filter((one) => kind.test(one.kind)))), percent(has('noticed')(pieces), pieces.length)])
  }
  const [before, rest] = text.split('<!-- mutants -->\n')
  return `${before}<!-- mutants -->\n${table}<!-- end of mutants -->\n${rest.split('<!-- end of mutants -->\n')[1]}`
}
