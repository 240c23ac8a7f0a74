// The sources as modules of Node's own, a file each, for the tests. Under the test runner's way to load TypeScript each use of an import
// is a property access: that makes the hot core take nearly twice as long, and each test file load it anew.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Plugin } from 'vitest/config'
import { FOR_NODE } from './esbuildOptions.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const sources = join(root, 'src/')
const modules = join(root, 'out/modules')
const compiled = (path: string) => path.replace(/\.ts$/, '.js')

/** Compiles what has changed. Files that stay as they are are left alone: another run may be reading them. */
export async function compileModules(): Promise<void> {
  const { outputFiles } = await build({
    ...FOR_NODE,
    absWorkingDir: root,
    entryPoints: ['src/**/*.ts'],
    outbase: 'src',
    outdir: modules,
    write: false,
    sourcemap: true,
    plugins: [
      {
        name: 'modules stay apart',
        setup: ({ onResolve }) =>
          onResolve({ filter: /^\.\.?\/.*\.ts$/ }, ({ kind, path }) => (kind === 'entry-point' ? undefined : { path: compiled(path), external: true })),
      },
    ],
  })
  for (const { path, contents } of outputFiles) {
    if (existsSync(path) && readFileSync(path).equals(contents)) continue
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(`${path}.${process.pid}`, contents)
    renameSync(`${path}.${process.pid}`, path)
  }
}

/** Vite: imports of a source are imports of its module. */
export const testModules: Plugin = {
  name: 'test modules',
  enforce: 'pre',
  resolveId(specifier, importer) {
    if (importer === undefined || !/^\.\.?\/.*\.ts$/.test(specifier)) return
    const path = resolve(dirname(importer), specifier)
    if (path.startsWith(sources) && existsSync(path)) return { id: compiled(join(modules, relative(sources, path))), external: true }
  },
}
