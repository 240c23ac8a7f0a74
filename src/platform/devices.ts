/**
 * Port devices of a PC as far as bare test kernels and conformance ROMs touch them. Each answers on its own ports;
 * what nobody answers reads as ones and swallows writes.
 */

/** Something on the I/O bus. */
export interface PortDevice {
  /** Null: not my port. */
  read(port: number, sizeBytes: number): number | null
  /** False: not my port. */
  write(port: number, sizeBytes: number, value: number): boolean
}

/** 16550 UART (National Semiconductor PC16550D): sends at once, receives nothing but what loopback returns. */
export class Uart implements PortDevice {
  readonly #base: number
  readonly #send: (byte: number) => void
  readonly #registers = new Uint8Array(8)
  #divisor = 12
  #received = -1

  constructor(base: number, send: (byte: number) => void) {
    this.#base = base
    this.#send = send
  }

  read(port: number): number | null {
    const register = port - this.#base
    if (register < 0 || register > 7) return null
    const latch = (this.#registers[3] & 0x80) !== 0
    const loopback = (this.#registers[4] & 0x10) !== 0
    switch (register) {
      case 0: {
        if (latch) return this.#divisor & 0xff
        const byte = this.#received
        this.#received = -1
        return byte < 0 ? 0 : byte
      }
      case 1:
        return latch ? this.#divisor >> 8 : this.#registers[1]
      case 2:
        return (this.#registers[2] & 1) !== 0 ? 0xc1 : 0x01
      case 5:
        return 0x60 | (this.#received >= 0 ? 1 : 0)
      case 6: {
        if (!loopback) return 0xb0
        const control = this.#registers[4]
        return ((control & 2) << 3) | ((control & 1) << 5) | ((control & 0xc) << 4)
      }
      default:
        return this.#registers[register]
    }
  }

  write(port: number, _sizeBytes: number, value: number): boolean {
    const register = port - this.#base
    if (register < 0 || register > 7) return false
    const latch = (this.#registers[3] & 0x80) !== 0
    const byte = value & 0xff
    if (latch && register === 0) this.#divisor = (this.#divisor & 0xff00) | byte
    else if (latch && register === 1) this.#divisor = (this.#divisor & 0xff) | (byte << 8)
    else if (register === 0) {
      if ((this.#registers[4] & 0x10) !== 0) this.#received = byte
      else this.#send(byte)
    } else if (register !== 5 && register !== 6) this.#registers[register] = byte
    return true
  }
}

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

/** CMOS memory sizes (0x70/0x71), keyboard controller (0x60/0x64), system control (0x61, 0x92), all but A20 and reset at rest. */
export class Chipset implements PortDevice {
  readonly #memoryBytes: number
  readonly #reset: (how: string) => void
  readonly #timer: Pit
  #index = 0
  #cmos = new Uint8Array(128)
  #a20 = 2
  #port61 = 0

  constructor(memoryBytes: number, timer: Pit, reset: (how: string) => void) {
    this.#memoryBytes = memoryBytes
    this.#timer = timer
    this.#reset = reset
    const extended = Math.min(0xffff, (memoryBytes >> 10) - 1024)
    const above16 = Math.max(0, Math.min(0xffff, (memoryBytes - (16 << 20)) >> 16))
    for (const [at, value] of [[0x15, 640], [0x17, extended], [0x30, extended], [0x34, above16]]) {
      this.#cmos[at] = value & 0xff
      this.#cmos[at + 1] = value >> 8
    }
    this.#cmos[0x0b] = 2
    this.#cmos[0x0d] = 0x80
  }

  read(port: number): number | null {
    switch (port) {
      case 0x60:
        return 0
      case 0x61:
        return (this.#port61 & 0x0f) | (this.#timer.output(2) ? 0x20 : 0)
      case 0x64:
        return 0x1c
      case 0x70:
        return this.#index
      case 0x71:
        return this.#cmos[this.#index & 127]
      case 0x92:
        return this.#a20
      default:
        return null
    }
  }

  write(port: number, _sizeBytes: number, value: number): boolean {
    switch (port) {
      case 0x60:
        return true
      case 0x61:
        this.#port61 = value & 0x0f
        this.#timer.gate((value & 1) !== 0)
        return true
      case 0x64:
        // 0xf0-0xff pulse output lines; line 0 is the reset line.
        if ((value & 0xf1) === 0xf0) this.#reset('the keyboard controller was asked for a reset')
        return true
      case 0x70:
        this.#index = value & 127
        return true
      case 0x71:
        this.#cmos[this.#index & 127] = value
        return true
      case 0x92:
        this.#a20 = value & 2
        if ((value & 1) !== 0) this.#reset('port 0x92 was asked for a reset')
        return true
      case 0xcf9:
        if ((value & 4) !== 0) this.#reset('port 0xcf9 was asked for a reset')
        return true
      default:
        return false
    }
  }

  get memoryBytes(): number {
    return this.#memoryBytes
  }
}

/** QEMU's fw_cfg by port (docs/specs/fw_cfg): signature, RAM size and the number of vCPUs, which test kernels ask for. */
export class FirmwareConfig implements PortDevice {
  readonly #items: ReadonlyMap<number, Uint8Array>
  #item: Uint8Array = new Uint8Array(0)
  #at = 0

  constructor(vcpus: number, memoryBytes: number) {
    const number = (value: number, bytes: number) => Uint8Array.from({ length: bytes }, (_, k) => (k < 4 ? (value >>> (8 * k)) & 0xff : 0))
    this.#items = new Map([
      [0x00, Uint8Array.from('QEMU', (letter) => letter.charCodeAt(0))],
      [0x01, number(1, 4)],
      [0x03, number(memoryBytes, 8)],
      [0x05, number(vcpus, 2)],
      [0x0f, number(vcpus, 2)],
    ])
  }
  read(port: number): number | null {
    if (port !== 0x511) return port === 0x510 ? 0 : null
    return this.#at < this.#item.length ? this.#item[this.#at++] : 0
  }
  write(port: number, _sizeBytes: number, value: number): boolean {
    if (port !== 0x510) return port === 0x511
    this.#item = this.#items.get(value & 0xffff) ?? new Uint8Array(0)
    this.#at = 0
    return true
  }
}

/** Intel 8254 interval timer: channel 0 interrupts, channel 2 is polled. Counts virtual time. */
export class Pit implements PortDevice {
  readonly #now: () => number
  readonly #channels = [0, 1, 2].map(() => ({ reload: 0x10000, mode: 3, since: 0, access: 3, low: -1, latch: -1, readHigh: false, armed: false }))

  /** @param now ticks of 1.193182 MHz since the start */
  constructor(now: () => number) {
    this.#now = now
  }

  read(port: number): number | null {
    if (port === 0x43) return 0
    if (port < 0x40 || port > 0x42) return null
    const channel = this.#channels[port - 0x40]
    const count = channel.latch >= 0 ? channel.latch : this.#count(port - 0x40)
    if (channel.access === 1) return (channel.latch = -1), count & 0xff
    if (channel.access === 2) return (channel.latch = -1), count >> 8
    channel.readHigh = !channel.readHigh
    if (channel.readHigh) {
      channel.latch = count
      return count & 0xff
    }
    channel.latch = -1
    return count >> 8
  }

  write(port: number, _sizeBytes: number, value: number): boolean {
    if (port === 0x43) {
      const number = value >> 6
      if (number === 3) return true
      const channel = this.#channels[number]
      const access = (value >> 4) & 3
      if (access === 0) channel.latch = this.#count(number)
      else Object.assign(channel, { access, mode: (value >> 1) & 7, low: -1, readHigh: false, armed: false })
      return true
    }
    if (port < 0x40 || port > 0x42) return false
    const channel = this.#channels[port - 0x40]
    if (channel.access === 3 && channel.low < 0) {
      channel.low = value & 0xff
      return true
    }
    const reload = channel.access === 3 ? channel.low | ((value & 0xff) << 8) : channel.access === 1 ? value & 0xff : (value & 0xff) << 8
    Object.assign(channel, { reload: reload || 0x10000, low: -1, since: this.#now(), armed: true })
    return true
  }

  gate(on: boolean): void {
    if (on) this.#channels[2].since = this.#now()
  }

  /** Level of a channel's output. */
  output(number: number): boolean {
    const channel = this.#channels[number]
    const elapsed = this.#now() - channel.since
    const mode = channel.mode & 3
    return mode === 3 ? elapsed % channel.reload < channel.reload / 2 : mode === 2 ? elapsed % channel.reload !== channel.reload - 1 : elapsed >= channel.reload
  }

  /** Next tick after `from` at which channel 0 interrupts; Infinity: never. */
  nextInterrupt(from: number): number {
    const { armed, reload, since, mode } = this.#channels[0]
    if (!armed) return Infinity
    if ((mode & 3) < 2) return since + reload > from ? since + reload : Infinity
    return since + (Math.floor((from - since) / reload) + 1) * reload
  }

  #count(number: number): number {
    const { reload, since } = this.#channels[number]
    return (reload - ((this.#now() - since) % reload)) & 0xffff
  }
}

/** Two Intel 8259A interrupt controllers, cascaded. */
export class Pic implements PortDevice {
  readonly #chips = [0, 1].map(() => ({ irr: 0, isr: 0, imr: 0xff, vector: 0, step: 0, needs4: false, autoEoi: false, readIsr: false }))

  read(port: number): number | null {
    const chip = this.#chipAt(port)
    if (chip === null) return null
    return (port & 1) !== 0 ? chip.imr : chip.readIsr ? chip.isr : chip.irr
  }

  write(port: number, _sizeBytes: number, value: number): boolean {
    const chip = this.#chipAt(port)
    if (chip === null) return false
    const byte = value & 0xff
    if ((port & 1) !== 0) {
      if (chip.step === 1) {
        chip.vector = byte & 0xf8
        chip.step = 2
      } else if (chip.step === 2) chip.step = chip.needs4 ? 3 : 0
      else if (chip.step === 3) {
        chip.autoEoi = (byte & 2) !== 0
        chip.step = 0
      } else chip.imr = byte
    } else if ((byte & 0x10) !== 0) Object.assign(chip, { step: 1, needs4: (byte & 1) !== 0, irr: 0, isr: 0, imr: 0, autoEoi: false })
    else if ((byte & 0x08) !== 0) {
      if ((byte & 2) !== 0) chip.readIsr = (byte & 1) !== 0
    } else if ((byte & 0x20) !== 0) chip.isr &= (byte & 0x40) !== 0 ? ~(1 << (byte & 7)) : chip.isr - 1
    return true
  }

  raise(line: number): void {
    this.#chips[line >> 3].irr |= 1 << (line & 7)
  }

  get pending(): boolean {
    return this.#line() >= 0
  }

  /** Acknowledges the most urgent interrupt: its vector; -1: there is none. */
  acknowledge(): number {
    const line = this.#line()
    if (line < 0) return -1
    const chip = this.#chips[line >> 3]
    chip.irr &= ~(1 << (line & 7))
    if (!chip.autoEoi) chip.isr |= 1 << (line & 7)
    if (line >= 8 && !this.#chips[0].autoEoi) this.#chips[0].isr |= 4
    return chip.vector + (line & 7)
  }

  #line(): number {
    const [master, slave] = this.#chips
    const ready = (chip: typeof master, extra: number) => {
      const requests = (chip.irr | extra) & ~chip.imr
      if (requests === 0) return -1
      const first = 31 - Math.clz32(requests & -requests)
      const served = chip.isr === 0 ? 8 : 31 - Math.clz32(chip.isr & -chip.isr)
      return first < served ? first : -1
    }
    const second = ready(slave, 0)
    const first = ready(master, second >= 0 ? 4 : 0)
    return first === 2 && second >= 0 ? 8 + second : first
  }

  #chipAt(port: number) {
    return port === 0x20 || port === 0x21 ? this.#chips[0] : port === 0xa0 || port === 0xa1 ? this.#chips[1] : null
  }
}
