// docs/mutants.md and a table of docs/locks.md, from the results that scripts/buildMutants.mjs keeps.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const FATES = ['noticed', 'undecided', 'survived', 'equal']
const SECTIONS = { A: 'live patching', B: 'locks', C: 'shootdown', D: 'lazy modes', E: 'attributes', L: 'locks of the headers' }

/**
 * The pieces of one entry, each once however many of its fixed forms have it: what one form notices is noticed; what none does and one leaves
 * undecided is undecided.
 */
function piecesOf(forms, results) {
  const pieces = new Map()
  for (const { id, label } of forms) {
    const counts = new Map()
    for (const [kind, name, offset, file, line, text, fate, why, given] of results[`${id} ${label}`]?.rows ?? []) {
      const place = `${kind}|${name}|${file}|${text || line}`
      const nth = counts.get(place) ?? 0
      counts.set(place, nth + 1)
      const piece = { kind, name, offset, file, line, text, fate, why, given: given === 1, label }
      const known = pieces.get(`${place}|${nth}`)
      const better = known === undefined || FATES.indexOf(fate) < FATES.indexOf(known.fate) || (fate === known.fate && fate === 'survived' && known.why !== '' && why === '')
      if (better) pieces.set(`${place}|${nth}`, piece)
    }
  }
  return [...pieces.values()]
}

const has = (fate) => (pieces) => pieces.filter((one) => one.fate === fate).length
const columns = [
  ['pieces', (pieces) => pieces.length],
  ['equal', has('equal')],
  ['noticed', has('noticed')],
  ['survived, proven', (pieces) => pieces.filter((one) => one.fate === 'survived' && one.why !== '' && !one.given).length],
  ['survived, explained', (pieces) => pieces.filter((one) => one.given && one.fate === 'survived').length],
  ['survived, open', (pieces) => pieces.filter((one) => one.fate === 'survived' && one.why === '').length],
  ['undecided', has('undecided')],
  ['score', (pieces) => percent(has('noticed')(pieces), pieces.length - has('equal')(pieces))],
]
const percent = (part, whole) => (whole === 0 ? '' : `${Math.round((100 * part) / whole)} %`)
const row = (cells) => `| ${cells.join(' | ')} |\n`
const SOURCE_MAX = 72
const code = (text) => `\`${(text.length > SOURCE_MAX ? `${text.slice(0, SOURCE_MAX)}...` : text).replaceAll('|', '\\|')}\``
const where = ({ name, offset, file, line }) => `${name}+0x${offset.toString(16)}${file && ` (${file}:${line})`}`

export function writePage(root, forms, results) {
  const ids = [...new Set(forms.map((form) => form.id))]
  const entries = ids.map((id) => ({ id, of: forms.filter((form) => form.id === id) })).map(({ id, of }) => ({ id, of, pieces: piecesOf(of, results) }))
  let page = readFileSync(join(root, 'docs', 'mutants.head.md'), 'utf8').trimEnd() + '\n\n'
  page += row(['section', ...columns.map(([name]) => name)]) + row(['---', ...columns.map(() => '---')])
  for (const section of new Set(ids.map((id) => id[0]))) {
    const pieces = entries.filter((entry) => entry.id[0] === section).flatMap((entry) => entry.pieces)
    if (pieces.length > 0) page += row([`${section === 'L' ? '' : `${section}: `}${SECTIONS[section]}`, ...columns.map(([, count]) => count(pieces))])
  }
  const all = entries.flatMap((entry) => entry.pieces)
  page += row(['all', ...columns.map(([, count]) => count(all))])
  for (const { id, of, pieces } of entries) {
    const run = of.filter((form) => results[`${form.id} ${form.label}`] !== undefined)
    if (run.length === 0) continue
    page += `\n## ${id.startsWith('L-') ? id.slice(2) : id} ${of[0].title}\n\n`
    page += `${run.map(({ object, label, options }) => `${label}: ${[object.replace(/^.*\//, ''), ...options].join(' ')}`).join('; ')}. `
    const unreached = run.map(({ id, label }) => results[`${id} ${label}`]).map((one) => `${one.unreached} of ${one.instructions}`)
    page += `Not reached: ${unreached.join('; ')} instructions. `
    page += `${columns.slice(0, -1).map(([name, count]) => `${count(pieces)} ${name}`).join(', ')}.\n`
    for (const { label, unseen } of run.map((form) => ({ ...form, ...results[`${form.id} ${form.label}`] }))) if (unseen.length > 0) page += `Of ${label} not all executions were seen: ${unseen.join('; ')}.\n`
    const open = pieces.filter((one) => one.fate === 'survived' || one.fate === 'undecided')
    if (open.length === 0) continue
    page += `\n${row(['piece', 'where', 'source', 'fate'])}${row(['---', '---', '---', '---'])}`
    for (const one of open) {
      const fate = one.fate === 'undecided' ? `undecided: ${one.why}` : one.why === '' ? 'survived: **no reason is known**' : one.given ? `survived: *${one.why}*` : `survived: ${one.why}`
      page += row([one.kind, where(one), one.text === '' ? '' : code(one.text), fate])
    }
  }
  writeFileSync(join(root, 'docs', 'mutants.md'), page)
  complain(forms, results)
}

/** A reason in a source that fits no survivor of any program that was made of it is wrong. */
function complain(forms, results) {
  const run = forms.map((form) => results[`${form.id} ${form.label}`])
  if (run.some((one) => one === undefined)) return
  const mentions = new Map()
  for (const [k, { unused, rows }] of run.entries()) {
    for (const one of unused) if (!mentions.has(one)) mentions.set(one, false)
    for (const [kind, name, , file, , text, , , given] of rows) if (given === 1) for (const as of [name, '']) mentions.set(`${file}: survivor ${kind}, ${as}, \`${text}\``, forms[k])
  }
  for (const [one, used] of mentions) {
    if (used !== false) continue
    console.error(`${one} fits no mutant that survives without a proof`)
    process.exitCode = 1
  }
}

/** The table of docs/locks.md: of all pieces of a kind how many are noticed. */
export function writeLocks(root, forms, results) {
  const path = join(root, 'docs', 'locks.md')
  const text = readFileSync(path, 'utf8')
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
    const pieces = piecesOf(forms.filter((form) => form.id === id), results).filter((one) => one.fate !== 'equal')
    if (pieces.length === 0) continue
    const part = (some) => (some.length === 0 ? '' : `${some.filter((one) => one.fate === 'noticed').length} of ${some.length}`)
    table += row([id.slice(2), ...groups.map(([, kind]) => part(pieces.filter((one) => kind.test(one.kind)))), percent(has('noticed')(pieces), pieces.length)])
  }
  const [before, rest] = text.split('<!-- mutants -->\n')
  if (rest === undefined) return
  writeFileSync(path, `${before}<!-- mutants -->\n${table}<!-- end of mutants -->\n${rest.split('<!-- end of mutants -->\n')[1]}`)
}
