/**
 * What programs may call without giving it: what the compiler takes for granted (mem* and the integer helpers of libgcc), and the
 * building blocks of include/ (include/xmpatch.inc lists them) for programs that are not C.
 */
import { readObject } from '../elf/object.ts'
import type { LibraryMember } from '../elf/resolve.ts'
import { decodeBase64 } from './base64.ts'
import { BLOCK_OBJECTS } from './blockObjects.ts'
import { RUNTIME_OBJECTS } from './objects.ts'

const member = (name: string, defines: readonly string[], base64: string): LibraryMember => ({
  defines,
  read: () => readObject(`(supplied) ${name}`, decodeBase64(base64)),
})

export const RUNTIME: readonly LibraryMember[] = [
  ...Object.entries(RUNTIME_OBJECTS).map(([name, base64]) => member(name, [name], base64)),
  ...BLOCK_OBJECTS.map(({ name, defines, object }) => member(name, defines, object)),
]
