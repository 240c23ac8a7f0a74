// Compiles the entries of the catalogue, the programs of the cost studies, the examples of attributes, locks and shootdowns and the programs of the tests of lazy modes and patching, or those that are named:
// node scripts/buildCatalogue.mjs [ID|SECTION|FOLDER ...]. The objects are committed, so only a change of a source or of include/ needs this.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { compile, root } from './compiler.mjs'

/** Folders of programs that are no entries. */
const PROGRAMS = ['cost', 'examples/attributes', 'examples/locks', 'examples/shootdown', 'test/lazy', 'test/patching']

const named = process.argv.slice(2)
const programs = PROGRAMS.filter((folder) => named.length === 0 || named.includes(folder))
const ids = named.filter((one) => !PROGRAMS.includes(one))
const listing = execFileSync(process.execPath, [join(root, 'bin', 'xmcheck.mjs'), 'catalogue', '--list', '--json', ...ids], { cwd: root, maxBuffer: 1 << 26 })
const entries = named.length > 0 && ids.length === 0 ? [] : JSON.parse(listing.toString()).entries.filter((entry) => entry.file !== null)
const objects = new Map()
for (const entry of entries)
  for (const { object, defines } of entry.variants) objects.set(`catalogue/${object}`, { source: `catalogue/${entry.file}`, defines })
// Programs with a line for each object; `objects:` names locks (include/xmanylock.h), and every line is for each of them.
for (const folder of programs)
  for (const name of readdirSync(join(root, folder)).filter((one) => /\.(c|S|asm)$/.test(one))) {
    const text = readFileSync(join(root, folder, name), 'utf8')
    const locks = /^ \* objects: (.*)$/m.exec(text)?.[1].split(' ') ?? [null]
    for (const [, words] of text.matchAll(/^(?: \*|;) object:(.*)$/gm))
      for (const lock of locks) {
        const defines = [...(lock === null ? [] : [`-DXM_LOCK_${lock}`]), ...words.split(' ').filter((word) => word !== '')]
        const label = defines.map((word) => `-${word.slice(2).replace('XM_LOCK_', '').replace(/\W/g, '_')}`).join('')
        objects.set(`${folder}/objects/${name.replace(/\.c$/, '').replace('.', '-')}${label}.o`, { source: `${folder}/${name}`, defines })
      }
  }
for (const folder of ['catalogue', ...PROGRAMS].map((one) => `${one}/objects`)) {
  mkdirSync(join(root, folder), { recursive: true })
  if (named.length === 0) for (const name of readdirSync(join(root, folder))) if (!objects.has(`${folder}/${name}`)) rmSync(join(root, folder, name))
}
for (const [object, { source, defines }] of objects) compile(source, object, defines)
console.log(`${objects.size} objects`)
