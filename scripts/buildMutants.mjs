// What becomes of the mutants of every fixed form of the catalogue and of every lock (xmcheck mutate): runs those whose programs have changed
// since, two at a time, keeps the results in catalogue/mutants.json and writes docs/mutants.md and the table of docs/locks.md from them.
// node scripts/buildMutants.mjs [ID|SECTION|L ...] [--page: run nothing] [--fresh: run what has not changed too] [--prune: drop what has changed, run nothing]
// [--blocks-once: leave out lines of building blocks that another entry has noticed already] [--jobs N]
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fixedForms, lockForms } from './fixedForms.mjs'
import { locksOf, pageOf, piecesIn } from './mutantsPage.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const kept = join(root, 'catalogue', 'mutants.json')
const words = process.argv.slice(2)
const option = (name) => words.includes(name) && words.splice(words.indexOf(name), 1).length > 0
const onlyPage = option('--page')
const fresh = option('--fresh')
const prunes = option('--prune')
const blocksOnce = option('--blocks-once')
const jobsAt = words.indexOf('--jobs')
const jobs = jobsAt < 0 ? 2 : Number(words.splice(jobsAt, 2)[1])

const xmcheck = join(root, 'bin', 'xmcheck.mjs')
const { entries } = JSON.parse(execFileSync(process.execPath, [xmcheck, 'catalogue', '--list', '--json', '--keys'], { cwd: root, maxBuffer: 1 << 26 }))
const forms = [...fixedForms(entries.filter((entry) => entry.file !== null)), ...lockForms(readFileSync(join(root, 'examples/locks/check.c'), 'utf8'))]
const nameOf = ({ id, label }) => `${id} ${label}`
const old = existsSync(kept) ? JSON.parse(readFileSync(kept, 'utf8')) : {}
/** By name, in the order of the catalogue: key, counts, and a row for each mutant. */
const results = Object.fromEntries(forms.filter((form) => old[nameOf(form)] !== undefined).map((form) => [nameOf(form), old[nameOf(form)]]))
/** Entries that are asked for, in the order in which they are. */
const isAsked = (id, word) => word === id || word === id[0]
const ids = onlyPage ? [] : [...new Set(forms.map(({ id }) => id))].filter((id) => words.length === 0 || words.some((word) => isAsked(id, word)))
ids.sort((a, b) => words.findIndex((word) => isAsked(a, word)) - words.findIndex((word) => isAsked(b, word)))
const temporary = mkdtempSync(join(tmpdir(), 'mutants-'))

/** Of a form: what its program does not need to be judged for, as the forms of its entry before it have noticed it; and where that stands. */
function skippedBy({ id, label }) {
  const before = forms.filter((one) => one.id === id).map(nameOf)
  const noticed = before.slice(0, before.indexOf(nameOf({ id, label }))).flatMap((name) => piecesIn(results[name]).filter((one) => one.fate === 'noticed').map((one) => one.piece))
  if (blocksOnce)
    for (const form of forms.filter((one) => one.id !== id))
      for (const { kind, file, text, fate } of piecesIn(results[nameOf(form)])) if (fate === 'noticed' && file.endsWith('.h')) noticed.push(`${kind}, ${file}, ${text}`)
  const path = join(temporary, nameOf({ id, label }).replace(/\W/g, '-'))
  writeFileSync(path, JSON.stringify(noticed))
  return path
}

/** What `xmcheck mutate` writes about a form. */
function mutate(form, ...words) {
  return new Promise((resolve) => {
    const child = spawn('nice', ['-n', '19', process.execPath, xmcheck, 'mutate', form.object, ...form.options, ...words], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
    let out = ''
    child.stdout.on('data', (part) => (out += part))
    child.on('close', () => resolve(out))
  })
}

/** Entry by entry: the forms of one need those before them. */
async function work() {
  for (let id = ids.shift(); id !== undefined; id = ids.shift()) for (const form of forms.filter((one) => one.id === id)) await run(form)
}

async function run(form) {
  const name = nameOf(form)
  if (!fresh && results[name] !== undefined && (form.key ?? (await mutate(form, '--key')).trim()) === results[name].key) return
  if (prunes && results[name] === undefined) return
  delete results[name]
  const out = prunes ? '' : await mutate(form, '--json', '--skip', skippedBy(form))
  if (out !== '') {
    const { key, instructions, unreached, unseen, mutants, noticed, equal, survived, unexplained, undecided } = JSON.parse(out)
    results[name] = { key, instructions, unreached, unseen, rows: mutants.map(rowOf) }
    console.log(`${name}: ${noticed} noticed, ${equal} equal, ${survived} survived (${unexplained} without a reason), ${undecided} undecided`)
  } else {
    console.log(`${name}: ${prunes ? 'has changed' : 'no result'}`)
    process.exitCode = 1
  }
  write()
}

/** Kind, function, offset, file, line, source text, fate, why. What people say of survivors stands in the sources alone. */
const rowOf = (one) => [one.kind, one.function, one.offset, one.file, one.line, one.text, one.fate, one.given ? '' : one.why]

function write() {
  const lines = forms.filter((form) => results[nameOf(form)] !== undefined).map((form) => {
    const { rows, ...rest } = results[nameOf(form)]
    return `${JSON.stringify(nameOf(form))}: ${JSON.stringify(rest).slice(0, -1)}, "rows": [\n${rows.map((row) => JSON.stringify(row)).join(',\n')}]}`
  })
  writeFileSync(kept, `{\n${lines.join(',\n')}\n}\n`)
}

await Promise.all(Array.from({ length: jobs }, work))
rmSync(temporary, { recursive: true })
write()
const docs = (name) => join(root, 'docs', name)
writeFileSync(docs('locks.md'), locksOf(readFileSync(docs('locks.md'), 'utf8'), forms, results))
writeFileSync(docs('mutants.md'), pageOf(root, forms, results))
