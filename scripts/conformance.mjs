// The CPU model against every captured vector; with --mutants: how many spoiled instructions the vectors notice.
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')
const mutants = process.argv.includes('--mutants')
const run = spawnSync(process.execPath, [vitest, 'run', mutants ? 'test/cpu/mutants.test.ts' : 'test/cpu/conformance.test.ts', '--disable-console-intercept'], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, XMCHECK_CONFORMANCE: '1' },
})
process.exitCode = run.status ?? 1
