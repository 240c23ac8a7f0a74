// Compiles the entries of the catalogue: node scripts/buildCatalogue.mjs [ID ...]. Needs gcc with -m32; the objects are
// committed, so only a change of a source or of include/ needs this. Paths in the debugging information are relative.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const ids = process.argv.slice(2)
const listing = execFileSync(process.execPath, [join(root, 'bin', 'xmcheck.mjs'), 'catalogue', '--list', '--json', ...ids], { cwd: root, maxBuffer: 1 << 26 })
const entries = JSON.parse(listing.toString()).entries.filter((entry) => entry.file !== null)
mkdirSync(join(root, 'catalogue', 'objects'), { recursive: true })
const objects = new Map()
for (const entry of entries) for (const variant of entry.variants) objects.set(variant.object, { entry, variant })
for (const [object, { entry, variant }] of objects) {
  const flags = [
    '-m32', '-march=i686', '-std=gnu11', '-O2', '-g1', '-Wall', '-Wextra', '-Werror', '-Wno-unused-function', '-ffreestanding', '-fno-pic', '-fno-pie',
    '-fno-stack-protector', '-fno-asynchronous-unwind-tables', '-fcf-protection=none', '-fno-ident', '-fno-tree-loop-distribute-patterns',
    '-fno-reorder-blocks-and-partition', '-fno-toplevel-reorder', `-ffile-prefix-map=${root.replace(/\/$/, '')}=.`, '-gno-record-gcc-switches', '-Iinclude',
  ]
  const { status } = spawnSync('gcc', [...flags, ...variant.defines, '-c', `catalogue/${entry.file}`, '-o', `catalogue/${object}`], { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exitCode = 1
}
if (ids.length === 0) for (const name of readdirSync(join(root, 'catalogue', 'objects'))) if (!objects.has(`objects/${name}`)) rmSync(join(root, 'catalogue', 'objects', name))
console.log(`${objects.size} objects of ${entries.length} entries`)
