/** What a guest says: text goes to stdout in chunks, POST codes to stderr, in the order in which they come; with --json both are kept. */
import type { Sink } from '../platform/system.ts'
import type { OutputFlags } from './common.ts'

const CHUNK_BYTES = 1 << 16
/** Kept for --json, at the most: guests may talk for ever. */
const KEPT_BYTES_MAX = 16 << 20
const KEPT_POSTS_MAX = 1 << 16

export class GuestOutput implements Sink {
  /** The first POST codes, `KEPT_POSTS_MAX` at the most. */
  readonly posts: number[] = []
  /** Something was said that is not kept. */
  truncated = false
  readonly #flags: OutputFlags
  #buffer = new Uint8Array(CHUNK_BYTES)
  #used = 0

  constructor(flags: OutputFlags) {
    this.#flags = flags
  }

  text(byte: number): void {
    if (this.#used === this.#buffer.length && !this.#makeRoom()) return
    this.#buffer[this.#used++] = byte
  }

  post(code: number): void {
    if (this.posts.length < KEPT_POSTS_MAX) this.posts.push(code)
    else this.truncated = true
    if (this.#flags.json || this.#flags.quiet) return
    this.flush()
    process.stderr.write(`POST 0x${code.toString(16).padStart(2, '0')}\n`)
  }

  /** Writes what has not been written; to be called now and then, and at the end. */
  flush(): void {
    if (this.#flags.json || this.#used === 0) return
    process.stdout.write(this.#buffer.slice(0, this.#used))
    this.#used = 0
  }

  /** All text, for --json; bytes as Latin-1. */
  get output(): string {
    return new TextDecoder('latin1').decode(this.#buffer.subarray(0, this.#used))
  }

  /** False: no more is kept. */
  #makeRoom(): boolean {
    if (!this.#flags.json) {
      this.flush()
      return true
    }
    if (this.#buffer.length >= KEPT_BYTES_MAX) {
      this.truncated = true
      return false
    }
    const larger = new Uint8Array(this.#buffer.length * 4)
    larger.set(this.#buffer)
    this.#buffer = larger
    return true
  }
}
