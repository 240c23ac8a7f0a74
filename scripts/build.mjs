// Bundles src/ into dist/: the hot core runs from one file (a bundle is several times faster than
// module-by-module TypeScript under the test runner), the command line and the arbitraries beside it.
import { rmSync } from 'node:fs'
import { build } from 'esbuild'

rmSync(new URL('../dist', import.meta.url), { recursive: true, force: true })
await build({
  absWorkingDir: new URL('..', import.meta.url).pathname,
  entryPoints: { index: 'src/index.ts', arbitraries: 'src/arbitraries.ts', cli: 'src/cli/main.ts' },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  chunkNames: 'chunk-[hash]',
  format: 'esm',
  platform: 'node',
  target: 'node20',
  packages: 'external',
  sourcemap: true,
  logLevel: 'warning',
})
