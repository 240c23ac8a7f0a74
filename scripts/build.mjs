// Bundles src/ into dist/: the hot core runs from one file (a bundle is several times faster than
// module-by-module TypeScript under the test runner), the command line and the arbitraries beside it.
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { FOR_NODE } from './esbuildOptions.mjs'

rmSync(new URL('../dist', import.meta.url), { recursive: true, force: true })
await build({
  ...FOR_NODE,
  absWorkingDir: new URL('..', import.meta.url).pathname,
  entryPoints: { index: 'src/index.ts', arbitraries: 'src/arbitraries.ts', cli: 'src/cli/main.ts', worker: 'src/cli/worker.ts' },
  outdir: 'dist',
  splitting: true,
  chunkNames: 'chunk-[hash]',
  sourcemap: true,
  minifySyntax: true,
})

// Declarations for users of the package. A type error is the type checker's business, not the build's.
const root = fileURLToPath(new URL('..', import.meta.url))
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')
spawnSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.types.json')], { cwd: root, stdio: 'ignore' })
