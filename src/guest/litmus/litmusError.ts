const MESSAGE_MAX = 280

/** A litmus test that cannot be read or run; the message names the construct, `line` and `column` count from 1 (0: unknown). */
export class LitmusError extends Error {
  readonly line: number
  readonly column: number

  constructor(line: number, message: string, column = 0) {
    super(printable(message.length > MESSAGE_MAX ? `${message.slice(0, MESSAGE_MAX)} ...` : message))
    this.line = line
    this.column = column
  }

  /** `:4:10`, as far as it is known. */
  get place(): string {
    return this.line === 0 ? '' : `:${this.line}${this.column === 0 ? '' : `:${this.column}`}`
  }
}

/** Text of a stranger's file, without what a terminal would obey. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, '?')
}
