const MESSAGE_MAX = 280

/** A litmus test that cannot be read or run; the message names the construct, `line` counts from 1 (0: unknown). */
export class LitmusError extends Error {
  readonly line: number

  constructor(line: number, message: string) {
    super(printable(message.length > MESSAGE_MAX ? `${message.slice(0, MESSAGE_MAX)} ...` : message))
    this.line = line
  }
}

/** Text of a stranger's file, without what a terminal would obey. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, '?')
}
