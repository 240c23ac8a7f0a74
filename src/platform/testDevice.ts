import type { PortDevice } from './portDevice.ts'

const IO_PORT = 0xe0
const FLUSH_PORT = 0xe4
const FIRST_LINE_PORT = 0x2000
const LINES = 24

/** QEMU's pc-testdev, which test kernels drive interrupt lines by: 0x2000 + n is line n, 0xe0 a register, 0xe4 flushes a page (nothing to do here). */
export class TestDevice implements PortDevice {
  readonly #setLine: (line: number, up: boolean) => void
  #register = 0

  constructor(setLine: (line: number, up: boolean) => void) {
    this.#setLine = setLine
  }

  read(port: number, sizeBytes: number): number | null {
    if (port < IO_PORT || port >= FLUSH_PORT) return null
    const part = this.#register >>> ((port - IO_PORT) * 8)
    return sizeBytes === 4 ? part | 0 : part & ((1 << (sizeBytes * 8)) - 1)
  }

  write(port: number, sizeBytes: number, value: number): boolean {
    if (port >= IO_PORT && port < FLUSH_PORT) {
      const shift = (port - IO_PORT) * 8
      const mask = (sizeBytes === 4 ? -1 : (1 << (sizeBytes * 8)) - 1) << shift
      this.#register = (this.#register & ~mask) | ((value << shift) & mask)
      return true
    }
    if (port >= FIRST_LINE_PORT && port < FIRST_LINE_PORT + LINES) {
      this.#setLine(port - FIRST_LINE_PORT, (value & 0xff) !== 0)
      return true
    }
    return port === FLUSH_PORT
  }
}
