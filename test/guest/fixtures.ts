import { readFileSync } from 'node:fs'
import type { ObjectFile } from '../../src/guest/elf/link.ts'
import { InputError } from '../../src/guest/inputError.ts'

/** A committed object: of test/guest/fixtures, or `examples/NAME`. */
export function object(name: string): ObjectFile {
  const base = name.startsWith('examples/') ? '../../' : './fixtures/'
  return { name, bytes: new Uint8Array(readFileSync(new URL(base + name, import.meta.url))) }
}

export function text(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
}

export interface LdResult {
  readonly objects: readonly string[]
  readonly placements: readonly string[]
  /** Section contents in hexadecimal. */
  readonly contents: Readonly<Record<string, string>>
  readonly symbols: Readonly<Record<string, number>>
  /** [address, line] in the order of the table; line 0 ends a stretch of code. */
  readonly lines: readonly (readonly [number, number])[]
}

/** What GNU ld, nm and objdump made of the fixtures (fixtures/build.mjs). */
export const ldResults: Readonly<Record<string, LdResult>> = JSON.parse(
  text('test/guest/fixtures/expected.json'),
)

/** The InputError that `act` throws; fails the test where it throws none, or something else. */
export function inputErrorOf(act: () => unknown): InputError {
  try {
    act()
  } catch (error) {
    if (error instanceof InputError) return error
    throw error
  }
  throw new Error('there was no error')
}
