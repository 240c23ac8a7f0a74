// npm run fuzz -- N [SEED]: compares the engines with brute force on N random programs; `-- wide N [SEED]`: dpor with a count of classes on
// wider ones; `-- faults` times how soon a broken engine is noticed. One bundle, for the speed of it.
import { spawnSync } from 'node:child_process'
import { build } from 'esbuild'
import { FOR_NODE } from './esbuildOptions.mjs'

const outfile = new URL('../dist/fuzz.js', import.meta.url).pathname
await build({
  ...FOR_NODE,
  absWorkingDir: new URL('..', import.meta.url).pathname,
  entryPoints: ['properties/fuzz/main.ts'],
  outfile,
})
process.exitCode = spawnSync(process.execPath, [outfile, ...process.argv.slice(2)], { stdio: 'inherit' }).status ?? 1
