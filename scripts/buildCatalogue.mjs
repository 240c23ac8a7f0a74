// Compiles the entries of the catalogue, and with no arguments the programs of the cost studies too:
// node scripts/buildCatalogue.mjs [ID ...]. The objects are committed, so only a change of a source or of include/ needs this.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { compile, root } from './compiler.mjs'

const ids = process.argv.slice(2)
const listing = execFileSync(process.execPath, [join(root, 'bin', 'xmcheck.mjs'), 'catalogue', '--list', '--json', ...ids], { cwd: root, maxBuffer: 1 << 26 })
const entries = JSON.parse(listing.toString()).entries.filter((entry) => entry.file !== null)
const objects = new Map()
for (const entry of entries)
  for (const { object, defines } of entry.variants) objects.set(`catalogue/${object}`, { source: `catalogue/${entry.file}`, defines })
if (ids.length === 0)
  for (const name of readdirSync(join(root, 'cost')).filter((one) => one.endsWith('.c')))
    for (const [, words] of readFileSync(join(root, 'cost', name), 'utf8').matchAll(/^ \* object:(.*)$/gm)) {
      const defines = words.split(' ').filter((word) => word !== '')
      objects.set(`cost/objects/${name.slice(0, -2)}${defines.map((word) => `-${word.slice(2).replace(/\W/g, '_')}`).join('')}.o`, { source: `cost/${name}`, defines })
    }
for (const folder of ['catalogue/objects', 'cost/objects']) {
  mkdirSync(join(root, folder), { recursive: true })
  if (ids.length === 0) for (const name of readdirSync(join(root, folder))) if (!objects.has(`${folder}/${name}`)) rmSync(join(root, folder, name))
}
for (const [object, { source, defines }] of objects) compile(source, object, defines)
console.log(`${objects.size} objects`)
