// How guest programs are compiled for this repository, from C (.c), GNU assembler (.S) and nasm (.asm): one place for the flags. Needs gcc with -m32, and nasm.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))

const PREFIX_MAP = `-ffile-prefix-map=${root.replace(/\/$/, '')}=.`
const C = [
  '-m32', '-march=i686', '-std=gnu11', '-O2', '-g1', '-Wall', '-Wextra', '-Werror', '-Wno-unused-function', '-Wno-unused-variable', '-ffreestanding', '-fno-pic', '-fno-pie',
  '-fno-stack-protector', '-fno-asynchronous-unwind-tables', '-fcf-protection=none', '-fno-ident', '-fno-tree-loop-distribute-patterns',
  '-fno-reorder-blocks-and-partition', '-fno-toplevel-reorder', PREFIX_MAP, '-gno-record-gcc-switches', '-Iinclude',
]

/** Compiles `source` to `object`, both relative to the root; paths in the debugging information are relative. */
export function compile(source, object, defines) {
  const nasm = source.endsWith('.asm')
  const flags = nasm ? ['-f', 'elf32', '-g', '-F', 'dwarf', '-Iinclude/'] : source.endsWith('.S') ? ['-m32', '-g', PREFIX_MAP, '-Wa,-Iinclude', '-c'] : [...C, '-c']
  const { status } = spawnSync(nasm ? 'nasm' : 'gcc', [...flags, ...defines, source, '-o', object], { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exitCode = 1
  else if (nasm) hideRoot(join(root, object))
}

/** nasm has no option for it: the directory that it records is overwritten, and keeps its length. */
function hideRoot(path) {
  const bytes = readFileSync(path).toString('latin1')
  writeFileSync(path, bytes.replaceAll(root, `.${'/'.repeat(root.length - 1)}`), 'latin1')
}
