/** How sources that are given in place of objects become objects. */

/** By the end of the name. */
const COMPILE: readonly (readonly [RegExp, string])[] = [
  [/\.c$/, 'gcc -m32 -ffreestanding -fno-pic -O2 -g -Iinclude -c'],
  [/\.[sS]$/, 'gcc -m32 -Iinclude -c'],
  [/\.nasm$/, 'nasm -f elf32 -I include/'],
]

export const objectOf = (file: string) => file.replace(/\.[^./]*$/, '.o')

/** How to make an object of a source that was given in place of one, by its name. */
export function compileCommand(file: string): string {
  const known = COMPILE.find(([name]) => name.test(file))
  return known === undefined ? 'give an object made by gcc -m32 -c, clang, gas or nasm -f elf32' : `compile it: ${known[1]} ${file} -o ${objectOf(file)}`
}
