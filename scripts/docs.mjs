// Writes docs/isa.md from the instruction table and its evidence; before that, which rows the tests of test/cpu complete.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { importBundled } from './bundled.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const tests = `${root}test/cpu/`
const folder = mkdtempSync(join(tmpdir(), 'xmcheck-docs-'))
const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')
// The test of the document itself may be red until it is written.
spawnSync(process.execPath, [vitest, 'run', 'test/cpu', '--exclude', '**/isaDoc.test.ts'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, XMCHECK_EXECUTED: folder } })
const executed = {}
for (const name of readdirSync(folder).sort())
  for (const row of readFileSync(join(folder, name), 'utf8').split('\n')) (executed[row] ??= []).push(name)
rmSync(folder, { recursive: true })
const lines = Object.keys(executed).sort().map((row) => `  ${JSON.stringify(row)}: ${JSON.stringify(executed[row])}`)
writeFileSync(`${tests}executed.json`, `{\n${lines.join(',\n')}\n}\n`)

const { isaDoc } = await importBundled(`${tests}isaDoc.ts`)
writeFileSync(`${root}docs/isa.md`, isaDoc(tests))
