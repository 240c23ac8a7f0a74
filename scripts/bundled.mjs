// Imports a TypeScript module of the tests: bundled beside itself, as it finds its data by its own place.
import { rmSync } from 'node:fs'
import { build } from 'esbuild'
import { FOR_NODE } from './esbuildOptions.mjs'

export async function importBundled(path) {
  const outfile = path.replace(/\.ts$/, `.${process.pid}.bundle.mjs`)
  await build({ ...FOR_NODE, entryPoints: [path], outfile })
  try {
    return await import(outfile)
  } finally {
    rmSync(outfile)
  }
}
