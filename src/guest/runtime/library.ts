/** What the compiler takes for granted, as a library: mem* and the integer helpers of libgcc. */
import { readObject } from '../elf/object.ts'
import type { LibraryMember } from '../elf/resolve.ts'
import { RUNTIME_OBJECTS } from './objects.ts'

export const RUNTIME: readonly LibraryMember[] = Object.entries(RUNTIME_OBJECTS).map(([name, base64]) => ({
  defines: [name],
  read: () => readObject(`(supplied) ${name}`, decodeBase64(base64)),
}))

function decodeBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
}
