const MESSAGE_MAX = 280

/** A litmus test that cannot be read or run; the message names the construct, `line` counts from 1 (0: unknown). */
export class LitmusError extends Error {
  readonly line: number

  constructor(line: number, message: string) {
    super(message.length > MESSAGE_MAX ? `${message.slice(0, MESSAGE_MAX)} ...` : message)
    this.line = line
  }
}
