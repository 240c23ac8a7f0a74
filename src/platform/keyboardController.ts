import type { PortDevice } from './portDevice.ts'

/** Status register: output buffer full, self test passed, last write was a command, keyboard not locked. */
const OUTPUT_FULL = 0x01
const SELF_TEST = 0x04
const COMMAND = 0x08
const UNLOCKED = 0x10
/** Output port: line 0 is the reset line (low resets), line 1 the A20 gate. */
const RESET = 1
const A20 = 2

/** 8042 keyboard controller (IBM PC AT Technical Reference) without a keyboard: its commands, A20 (which stays open) and reset. */
export class KeyboardController implements PortDevice {
  readonly #reset: (how: string) => void
  #data = -1
  /** Command that waits for its data byte. */
  #pending = 0
  #configuration = 0x45
  #output = 0xcf
  #lastWasCommand = true

  constructor(reset: (how: string) => void) {
    this.#reset = reset
  }

  read(port: number): number | null {
    if (port === 0x64) return UNLOCKED | SELF_TEST | (this.#lastWasCommand ? COMMAND : 0) | (this.#data >= 0 ? OUTPUT_FULL : 0)
    if (port !== 0x60) return null
    const data = this.#data
    this.#data = -1
    return Math.max(0, data)
  }

  write(port: number, _sizeBytes: number, value: number): boolean {
    const byte = value & 0xff
    if (port === 0x64) this.#command(byte)
    else if (port === 0x60) this.#take(byte)
    return port === 0x64 || port === 0x60
  }

  #command(byte: number): void {
    this.#lastWasCommand = true
    this.#pending = 0
    switch (byte) {
      case 0x20:
        this.#data = this.#configuration
        return
      case 0x60:
      case 0xd1:
        this.#pending = byte
        return
      case 0xaa:
        this.#data = 0x55
        return
      case 0xab:
        this.#data = 0
        return
      case 0xd0:
        this.#data = this.#output
        return
    }
    // 0xf0 to 0xff pulse lines of the output port.
    if (byte >= 0xf0 && (byte & RESET) === 0) this.#reset('the keyboard controller was asked for a reset')
  }

  #take(byte: number): void {
    this.#lastWasCommand = false
    if (this.#pending === 0x60) this.#configuration = byte
    if (this.#pending === 0xd1) {
      this.#output = byte
      if ((byte & RESET) === 0) this.#reset('the keyboard controller was asked for a reset')
    }
    this.#pending = 0
  }

  /** The gate as software left it: nothing depends on it, A20 is never masked. */
  get a20(): boolean {
    return (this.#output & A20) !== 0
  }
}
