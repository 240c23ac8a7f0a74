import type { Line, PortDevice } from './portDevice.ts'

const INTERRUPT_ENABLE = 1
const LINE_CONTROL = 3
const MODEM_CONTROL = 4
const LINE_STATUS = 5
const MODEM_STATUS = 6
const RECEIVED_ENABLE = 1
const EMPTY_ENABLE = 2
const LATCH = 0x80
const LOOPBACK = 0x10
/** OUT2 gates the interrupt line of a PC's UART. */
const OUT2 = 8

/** 16550 UART (National Semiconductor PC16550D): sends at once, receives nothing but what loopback returns. */
export class Uart implements PortDevice {
  readonly #base: number
  readonly #send: (byte: number) => void
  readonly #line: Line
  readonly #registers = new Uint8Array(8)
  #fifo = 0
  #divisor = 12
  #received = -1
  /** The transmitter became empty, and nobody has been told. */
  #empty = false

  constructor(base: number, send: (byte: number) => void, line: Line) {
    this.#base = base
    this.#send = send
    this.#line = line
  }

  read(port: number): number | null {
    const register = port - this.#base
    if (register < 0 || register > 7) return null
    const latch = (this.#registers[LINE_CONTROL] & LATCH) !== 0
    switch (register) {
      case 0: {
        if (latch) return this.#divisor & 0xff
        const byte = this.#received
        this.#received = -1
        this.#update()
        return byte < 0 ? 0 : byte
      }
      case INTERRUPT_ENABLE:
        return latch ? this.#divisor >> 8 : this.#registers[INTERRUPT_ENABLE]
      case 2: {
        const cause = this.#cause()
        // Being told of an empty transmitter ends that interrupt.
        if (cause === 2) this.#empty = false
        this.#update()
        return cause | ((this.#fifo & 1) !== 0 ? 0xc0 : 0)
      }
      case LINE_STATUS:
        return 0x60 | (this.#received >= 0 ? 1 : 0)
      case MODEM_STATUS: {
        const control = this.#registers[MODEM_CONTROL]
        if ((control & LOOPBACK) === 0) return 0xb0
        return ((control & 2) << 3) | ((control & 1) << 5) | ((control & 0xc) << 4)
      }
      default:
        return this.#registers[register]
    }
  }

  write(port: number, _sizeBytes: number, value: number): boolean {
    const register = port - this.#base
    if (register < 0 || register > 7) return false
    const latch = (this.#registers[LINE_CONTROL] & LATCH) !== 0
    const byte = value & 0xff
    if (latch && register === 0) this.#divisor = (this.#divisor & 0xff00) | byte
    else if (latch && register === 1) this.#divisor = (this.#divisor & 0xff) | (byte << 8)
    else if (register === 0) {
      if ((this.#registers[MODEM_CONTROL] & LOOPBACK) !== 0) this.#received = byte
      else this.#send(byte)
      // The line drops for as long as the byte takes: each byte is an edge of its own.
      this.#empty = false
      this.#update()
      this.#empty = true
    } else if (register === 2) this.#fifo = byte
    else if (register === INTERRUPT_ENABLE) {
      if ((byte & ~this.#registers[INTERRUPT_ENABLE] & EMPTY_ENABLE) !== 0) this.#empty = true
      this.#registers[INTERRUPT_ENABLE] = byte & 0xf
    } else if (register !== LINE_STATUS && register !== MODEM_STATUS) this.#registers[register] = byte
    this.#update()
    return true
  }

  /** As IIR has it: 4 received data, 2 transmitter empty, 1 nothing. */
  #cause(): number {
    const enabled = this.#registers[INTERRUPT_ENABLE]
    if ((enabled & RECEIVED_ENABLE) !== 0 && this.#received >= 0) return 4
    return (enabled & EMPTY_ENABLE) !== 0 && this.#empty ? 2 : 1
  }

  #update(): void {
    this.#line(this.#cause() !== 1 && (this.#registers[MODEM_CONTROL] & (OUT2 | LOOPBACK)) === OUT2)
  }
}
