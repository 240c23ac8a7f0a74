/** Ports that software only writes to: POST codes, debug text, the end of the run. */
import type { PortDevice } from './portDevice.ts'

/** A port that takes bytes: a POST code display, a debug console. Reading gives `ready`. */
export class BytePort implements PortDevice {
  readonly #port: number
  readonly #take: (value: number) => void
  readonly #ready: number

  constructor(port: number, take: (value: number) => void, ready: number = 0xff) {
    this.#port = port
    this.#take = take
    this.#ready = ready
  }
  read(port: number): number | null {
    return port === this.#port ? this.#ready : null
  }
  write(port: number, _sizeBytes: number, value: number): boolean {
    if (port !== this.#port) return false
    this.#take(value & 0xff)
    return true
  }
}

/** QEMU's isa-debug-exit: a write of v ends the run with status (v << 1) | 1. */
export class DebugExit implements PortDevice {
  readonly #port: number
  readonly #exit: (status: number) => void

  constructor(port: number, exit: (status: number) => void) {
    this.#port = port
    this.#exit = exit
  }
  read(port: number): number | null {
    return port >= this.#port && port < this.#port + 4 ? 0 : null
  }
  write(port: number, _sizeBytes: number, value: number): boolean {
    if (port < this.#port || port >= this.#port + 4) return false
    this.#exit(((value << 1) | 1) & 0xff)
    return true
  }
}
