import type { PortDevice } from './portDevice.ts'

/** ACPI's fixed hardware (ACPI 6.5, 4.8), where QEMU's PIIX4 has it: since SeaBIOS 1.7.4, and before. */
export const PM_BASE = 0x600
const PM_BASE_OLD = 0xb000
const PM1_ENABLE = 2
export const PM1_CONTROL = 4
export const PM_TIMER = 8
const BLOCK_BYTES = 64
const SLEEP_ENABLE = 1 << 13
const SCI_ENABLE = 1
/** Sleep types, as QEMU's PIIX4 has them: soft off (S5), suspend to RAM (S3). */
const SOFT_OFF = 0
const SUSPEND = 1
/** PM1 status: something ended a sleep. */
const WAKE_STATUS = 1 << 15
export const PM_TIMER_HZ = 3_579_545
/** Bochs' and old QEMUs' way out: this text, byte by byte. */
const SHUTDOWN_PORT = 0x8900
const SHUTDOWN = 'Shutdown'

/** Power management as far as kernels use it to go away: soft off ends the run, suspend to RAM waits for the clock. The timer counts virtual time. */
export class Power implements PortDevice {
  readonly #seconds: () => number
  readonly #off: () => void
  readonly #suspend: () => void
  #status = 0
  #enable = 0
  #control = SCI_ENABLE
  #said = 0

  /** @param seconds of virtual time */
  constructor(seconds: () => number, off: () => void, suspend: () => void) {
    this.#seconds = seconds
    this.#off = off
    this.#suspend = suspend
  }

  read(port: number, sizeBytes: number): number | null {
    const offset = blockOffset(port)
    if (offset === null) return null
    const register = offset & ~3
    const part = this.#register(register) >>> ((offset & 3) * 8)
    return sizeBytes === 4 ? part | 0 : part & ((1 << (sizeBytes * 8)) - 1)
  }

  /** Status and enable share a dword. */
  #register(offset: number): number {
    if (offset === PM_TIMER) return Math.floor(this.#seconds() * PM_TIMER_HZ) % 2 ** 24
    return offset === PM1_CONTROL ? this.#control : offset === 0 ? (this.#enable << 16) | this.#status : 0
  }

  write(port: number, _sizeBytes: number, value: number): boolean {
    if (port === SHUTDOWN_PORT) {
      this.#said = (value & 0xff) === SHUTDOWN.charCodeAt(this.#said) ? this.#said + 1 : 0
      if (this.#said === SHUTDOWN.length) this.#off()
      return true
    }
    const offset = blockOffset(port)
    // Writing ones clears.
    if (offset === 0) this.#status &= ~value
    if (offset === PM1_ENABLE) this.#enable = value & 0xffff
    if (offset === PM1_CONTROL) {
      this.#control = (value & 0x1c00) | SCI_ENABLE
      const type = (value >> 10) & 7
      if ((value & SLEEP_ENABLE) !== 0 && type === SOFT_OFF) this.#off()
      if ((value & SLEEP_ENABLE) !== 0 && type === SUSPEND) {
        this.#status |= WAKE_STATUS
        this.#suspend()
      }
    }
    return offset !== null
  }
}

function blockOffset(port: number): number | null {
  for (const base of [PM_BASE, PM_BASE_OLD]) if (port >= base && port < base + BLOCK_BYTES) return port - base
  return null
}
