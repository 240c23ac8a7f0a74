// Everything a fresh clone needs before `npm start` or `npm test`: dependencies and the bundle.
// Uses nothing but Node itself, and does nothing when all is up to date.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`xmcheck needs Node 20.19 or newer; this is ${process.versions.node}`)
  process.exit(2)
}

/** Newest modification time, in ms, of the files below `path`. */
function newest(path) {
  const info = statSync(path)
  if (!info.isDirectory()) return info.mtimeMs
  return readdirSync(path).reduce((latest, name) => Math.max(latest, newest(join(path, name))), info.mtimeMs)
}

const installed = join(root, 'node_modules', '.package-lock.json')
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(join(root, 'package-lock.json')).mtimeMs) {
  console.error('xmcheck: installing dependencies')
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  execFileSync(npm, ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  })
}
const bundle = join(root, 'dist', 'cli.js')
const sources = ['src', 'package.json', 'scripts/build.mjs'].map((name) => newest(join(root, name)))
if (!existsSync(bundle) || statSync(bundle).mtimeMs < Math.max(...sources)) {
  console.error('xmcheck: building')
  execFileSync(process.execPath, [join(root, 'scripts', 'build.mjs')], { cwd: root, stdio: 'inherit' })
}
