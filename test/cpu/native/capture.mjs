// Bundles capture.ts and runs it: this needs gcc -m32 and an x86 host.
import { build } from 'esbuild'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const bundle = `${here}capture.${process.pid}.bundle.mjs`
await build({ entryPoints: [`${here}capture.ts`], bundle: true, platform: 'node', format: 'esm', packages: 'external', outfile: bundle })
const { campaign, capture } = await import(bundle)
rmSync(bundle)
const at = process.argv.indexOf('--campaign')
if (at >= 0) campaign(here, Number(process.argv[at + 1]), Number(process.argv[at + 2]))
else capture(here, process.argv.includes('--check'))
