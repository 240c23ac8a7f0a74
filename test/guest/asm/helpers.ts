import { assembleBytes, AssemblyError, type AssembleOptions } from '../../../src/guest/asm/index.ts'

export function hex(source: string, options: AssembleOptions = {}): string {
  return toHex(assembleBytes(source, options))
}

export function toHex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
}

/** `line:column message` of every mistake in `source`. */
export function mistakes(source: string): string[] {
  try {
    assembleBytes(source)
    return []
  } catch (error) {
    if (!(error instanceof AssemblyError)) throw error
    return error.problems.map(({ line, column, message }) => `${line}:${column} ${message}`)
  }
}
