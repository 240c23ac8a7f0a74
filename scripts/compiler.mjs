// How guest C is compiled for this repository: one place for the flags. Needs gcc with -m32.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))

/** Compiles `source` to `object`, both relative to the root; paths in the debugging information are relative. */
export function compile(source, object, defines) {
  const flags = [
    '-m32', '-march=i686', '-std=gnu11', '-O2', '-g1', '-Wall', '-Wextra', '-Werror', '-Wno-unused-function', '-Wno-unused-variable', '-ffreestanding', '-fno-pic', '-fno-pie',
    '-fno-stack-protector', '-fno-asynchronous-unwind-tables', '-fcf-protection=none', '-fno-ident', '-fno-tree-loop-distribute-patterns',
    '-fno-reorder-blocks-and-partition', '-fno-toplevel-reorder', `-ffile-prefix-map=${root.replace(/\/$/, '')}=.`, '-gno-record-gcc-switches', '-Iinclude',
  ]
  const { status } = spawnSync('gcc', [...flags, ...defines, '-c', source, '-o', object], { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exitCode = 1
}
