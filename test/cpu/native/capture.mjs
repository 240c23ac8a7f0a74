// Bundles capture.ts and runs it: this needs gcc -m32 and an x86 host.
import { fileURLToPath } from 'node:url'
import { importBundled } from '../../../scripts/bundled.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const { campaign, capture } = await importBundled(`${here}capture.ts`)
const at = process.argv.indexOf('--campaign')
if (at >= 0) campaign(here, Number(process.argv[at + 1]), Number(process.argv[at + 2]))
else capture(here, process.argv.includes('--check'))
