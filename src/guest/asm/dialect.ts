/** Other assemblers' languages, by what ours does not have: a source that is theirs was not meant for it. */

import { objectOf } from '../compileCommand.ts'

interface Dialect {
  readonly name: string
  /** What a line of it begins with, or has. */
  readonly sign: RegExp
  readonly command: (file: string, object: string) => string
}

const DIALECTS: readonly Dialect[] = [
  {
    name: 'nasm',
    sign: /^[ \t]*(%[a-z]+|(?:extern|default[ \t]+(?:rel|abs)|cpu[ \t]+\w+|struc|incbin|common)\b|XM_[A-Z_]+)/m,
    command: (file, object) => `nasm -f elf32 -I include/ ${file} -o ${object}`,
  },
  {
    name: 'gas',
    sign: /^[ \t]*(\.(?:globl|global|text|data|bss|section|long|word|byte|asciz|string|type|size|p2align|balign|macro|include|set|intel_syntax|code32)\b|#include\b)|(%e[a-ds][xpi])/m,
    command: (file, object) => `gcc -m32 -Iinclude -c -x assembler-with-cpp ${file} -o ${object}`,
  },
]

/** What to do with a source of another assembler; '': it has no sign of one. */
export function foreignDialect(file: string, source: string): string {
  for (const { name, sign, command } of DIALECTS) {
    const found = sign.exec(source)
    if (found === null) continue
    const object = objectOf(file)
    return `\`${(found[1] ?? found[2]).trim()}\` is ${name}'s, and .asm is xmcheck's own language (docs/assembly.md): ${command(file, object)}, then check ${object}`
  }
  return ''
}
