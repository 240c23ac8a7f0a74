// Imports a TypeScript module of the tests: bundled beside itself, as it finds its data by its own place.
import { rmSync } from 'node:fs'
import { build } from 'esbuild'

export async function importBundled(path) {
  const outfile = path.replace(/\.ts$/, `.${process.pid}.bundle.mjs`)
  await build({ entryPoints: [path], bundle: true, platform: 'node', format: 'esm', packages: 'external', outfile, logLevel: 'warning' })
  try {
    return await import(outfile)
  } finally {
    rmSync(outfile)
  }
}
