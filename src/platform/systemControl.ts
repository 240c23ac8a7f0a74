import type { Pit } from './pit.ts'
import type { PortDevice } from './portDevice.ts'

/** Ticks of the 8254 between memory refreshes: what bit 4 of port 0x61 toggles by. */
const REFRESH_TICKS = 18

/** System control: ports 0x61 (gate and output of the 8254's channel 2, refresh), 0x92 (A20, which stays open, and reset), 0xcf9 (reset). */
export class SystemControl implements PortDevice {
  readonly #pit: Pit
  readonly #reset: (how: string) => void
  #control = 0
  #a20 = 2
  #resetControl = 0

  constructor(pit: Pit, reset: (how: string) => void) {
    this.#pit = pit
    this.#reset = reset
  }

  read(port: number): number | null {
    switch (port) {
      case 0x61:
        return (this.#control & 0x0f) | (Math.floor(this.#pit.now() / REFRESH_TICKS) % 2 === 0 ? 0 : 0x10) | (this.#pit.output(2) ? 0x20 : 0)
      case 0x92:
        return this.#a20
      case 0xcf9:
        return this.#resetControl
      default:
        return null
    }
  }

  write(port: number, sizeBytes: number, value: number): boolean {
    switch (port) {
      case 0x61:
        this.#control = value & 0x0f
        this.#pit.gate((value & 1) !== 0)
        return true
      case 0x92:
        this.#a20 = value & 2
        if ((value & 1) !== 0) this.#reset('port 0x92 was asked for a reset')
        return true
      case 0xcf9:
        // A byte of the PCI address register otherwise.
        if (sizeBytes !== 1) return false
        this.#resetControl = value & 0xa
        if ((value & 4) !== 0) this.#reset('port 0xcf9 was asked for a reset')
        return true
      default:
        return false
    }
  }
}
