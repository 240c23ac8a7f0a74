import { InputError } from '../inputError.ts'
import type { Problem } from './problems.ts'

/** Mistakes in an assembly source, at most 20 of them, in the order of its lines; the only error that assembling throws. */
export class AssemblyError extends InputError {
  readonly problems: readonly Problem[]

  /** @param remedy what to do about them all; '': there is nothing more to say */
  constructor(file: string, problems: readonly Problem[], remedy = '') {
    const sorted = [...problems].sort((a, b) => a.line - b.line || a.column - b.column)
    const texts = sorted.map(({ line, column, message }) => `line ${line}, column ${column}: ${message}`)
    super(file, [...texts, ...(remedy === '' ? [] : [remedy])].join('\n'))
    this.name = 'AssemblyError'
    this.problems = sorted
  }
}
