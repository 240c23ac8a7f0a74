// The CPU model against every captured vector; with --mutants: how many spoiled instructions the vectors notice, and for rows that a
// real part refuses in ring 3, the tests of test/cpu.
import { spawn, spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { importBundled } from './bundled.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')
const mutants = process.argv.includes('--mutants')
const run = spawnSync(process.execPath, [vitest, 'run', mutants ? 'test/cpu/mutants.test.ts' : 'test/cpu/conformance.test.ts', '--disable-console-intercept'], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, XMCHECK_CONFORMANCE: '1' },
})
process.exitCode = run.status ?? 1
if (mutants) await spoilRows()

async function spoilRows() {
  const { unprovenRows } = await importBundled(`${root}test/cpu/isaDoc.ts`)
  // Missing faults of refused rows are noticed by their vectors.
  const mutantsOf = ({ refused }) => ['no effect', 'wrong result', 'wrong flag', 'wrong EIP', ...(refused ? [] : ['missing fault'])]
  const todo = unprovenRows(`${root}test/cpu/`).flatMap((one) => mutantsOf(one).map((mutant) => ({ ...one, mutant })))
  const survivors = []
  const all = todo.length
  const worker = async () => {
    for (let one = todo.shift(); one !== undefined; one = todo.shift()) {
      const { row, tests, mutant } = one
      const files = tests.map((name) => `test/cpu/${name}.test.ts`)
      const child = spawn(process.execPath, [vitest, 'run', ...files, '--bail=1', '--reporter=dot'], { cwd: root, stdio: 'ignore', env: { ...process.env, XMCHECK_SPOIL: `${mutant}|${row}` } })
      if ((await new Promise((resolve) => child.on('exit', resolve))) === 0) survivors.push(`${row}: ${mutant}`)
    }
  }
  await Promise.all([worker(), worker()])
  console.log(`Mutants of rows that ring 3 may not use, noticed by the tests of test/cpu: ${all - survivors.length} of ${all}`)
  for (const survivor of survivors.sort()) console.log(`  survives: ${survivor}`)
}
