import type { Line, PortDevice, TimedDevice } from './portDevice.ts'

/** Access by the control word: latch, low byte, high byte, low then high. */
const LATCH = 0
const LOW = 1
const HIGH = 2
const BOTH = 3
const READ_BACK = 3

interface Channel {
  reload: number
  mode: number
  /** Tick at which the count was loaded. */
  since: number
  access: number
  /** First byte of a count of two; -1: none. */
  low: number
  /** Count that is held for reading; -1: none. */
  latch: number
  /** Status that is held for reading; -1: none. */
  status: number
  readHigh: boolean
  /** A count has been loaded since the mode was set. */
  armed: boolean
}

/** Intel 8254 interval timer: channel 0 interrupts, channel 2 is polled. Counts virtual time. */
export class Pit implements PortDevice, TimedDevice {
  /** Ticks of 1.193182 MHz since the start. */
  readonly now: () => number
  readonly #tscTicks: number
  readonly #line: Line
  readonly #channels = [0, 1, 2].map((): Channel => ({ reload: 0x10000, mode: 3, since: 0, access: BOTH, low: -1, latch: -1, status: -1, readHigh: false, armed: false }))

  /** @param tsc TSC ticks since the start @param tscTicks of them, a tick of this timer */
  constructor(tsc: () => number, tscTicks: number, line: Line) {
    this.now = () => Math.floor(tsc() / tscTicks)
    this.#tscTicks = tscTicks
    this.#line = line
  }

  read(port: number): number | null {
    if (port === 0x43) return 0
    if (port < 0x40 || port > 0x42) return null
    const channel = this.#channels[port - 0x40]
    if (channel.status >= 0) {
      const status = channel.status
      channel.status = -1
      return status
    }
    const count = channel.latch >= 0 ? channel.latch : this.#count(port - 0x40)
    if (channel.access === LOW) return (channel.latch = -1), count & 0xff
    if (channel.access === HIGH) return (channel.latch = -1), count >> 8
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
      const number = (value >> 6) & 3
      const access = (value >> 4) & 3
      if (number === READ_BACK) this.#readBack(value)
      else if (access === LATCH) this.#hold(number)
      else Object.assign(this.#channels[number], { access, mode: (value >> 1) & 7, low: -1, latch: -1, readHigh: false, armed: false })
      return true
    }
    if (port < 0x40 || port > 0x42) return false
    const channel = this.#channels[port - 0x40]
    if (channel.access === BOTH && channel.low < 0) {
      channel.low = value & 0xff
      return true
    }
    const reload = channel.access === BOTH ? channel.low | ((value & 0xff) << 8) : channel.access === LOW ? value & 0xff : (value & 0xff) << 8
    Object.assign(channel, { reload: reload || 0x10000, low: -1, since: this.now(), armed: true })
    return true
  }

  /** Bits 1 to 3 choose channels; bit 5 clear holds their counts, bit 4 clear their status. */
  #readBack(value: number): void {
    for (const [number, channel] of this.#channels.entries()) {
      if (((value >> (number + 1)) & 1) === 0) continue
      if ((value & 0x20) === 0) this.#hold(number)
      if ((value & 0x10) === 0 && channel.status < 0)
        channel.status = (this.output(number) ? 0x80 : 0) | (channel.armed ? 0 : 0x40) | (channel.access << 4) | (channel.mode << 1)
    }
  }

  /** A count that is held already stays until it is read. */
  #hold(number: number): void {
    const channel = this.#channels[number]
    if (channel.latch < 0) channel.latch = this.#count(number)
  }

  gate(on: boolean): void {
    if (on) this.#channels[2].since = this.now()
  }

  /** Level of a channel's output. */
  output(number: number): boolean {
    const channel = this.#channels[number]
    const elapsed = this.now() - channel.since
    const mode = channel.mode & 3
    return mode === 3 ? elapsed % channel.reload < channel.reload / 2 : mode === 2 ? elapsed % channel.reload !== channel.reload - 1 : elapsed >= channel.reload
  }

  next(tsc: number): number {
    const { armed, reload, since, mode } = this.#channels[0]
    if (!armed) return Infinity
    const from = Math.floor(tsc / this.#tscTicks)
    const tick = (mode & 3) >= 2 ? since + (Math.floor((from - since) / reload) + 1) * reload : since + reload > from ? since + reload : Infinity
    return tick * this.#tscTicks
  }
  settled(tsc: number): number {
    return this.next(tsc)
  }
  expire(): void {
    this.#line(true)
    this.#line(false)
  }

  #count(number: number): number {
    const { reload, since } = this.#channels[number]
    return (reload - ((this.now() - since) % reload)) & 0xffff
  }
}
