// Bundles capture.ts and runs it: this needs gcc -m32 and an x86 host.
import { build } from 'esbuild'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const bundle = `${here}capture.bundle.mjs`
await build({ entryPoints: [`${here}capture.ts`], bundle: true, platform: 'node', format: 'esm', packages: 'external', outfile: bundle })
const { capture } = await import(bundle)
rmSync(bundle)
capture(here, process.argv.includes('--check'))
