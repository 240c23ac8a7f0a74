/**
 * A mistake in what the user gave us: which file, what is wrong, and what to change. Everything that reads
 * untrusted input throws this and nothing else; the command line turns it into exit code 2.
 */
export class InputError extends Error {
  /** Name of the input as the user gave it. */
  readonly file: string
  /** What is wrong, and where in the file. */
  readonly what: string
  /** What the user can change; empty where the file is simply damaged. */
  readonly remedy: string

  constructor(file: string, what: string, remedy: string = '') {
    super(`${file}: ${what}` + (remedy ? `; ${remedy}` : ''))
    this.name = 'InputError'
    this.file = file
    this.what = what
    this.remedy = remedy
  }
}

/** `0x00101003`: how addresses stand in messages. */
export function hex32(value: number): string {
  return '0x' + (value >>> 0).toString(16).padStart(8, '0')
}
