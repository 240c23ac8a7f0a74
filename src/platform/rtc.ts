import type { Line, PortDevice, TimedDevice } from './portDevice.ts'

const SECONDS = 0
const SECONDS_ALARM = 1
const STATUS_A = 0x0a
const STATUS_B = 0x0b
const STATUS_C = 0x0c
const STATUS_D = 0x0d
const CENTURY = 0x32
const UPDATE_IN_PROGRESS = 0x80
/** Status B: set, periodic, alarm and update-ended interrupts, binary, 24 hours. Status C has the interrupts' flags in the same bits. */
const SET = 0x80
const PERIODIC = 0x40
const ALARM = 0x20
const UPDATE = 0x10
const BINARY = 4
const HOURS_24 = 2
/** Seconds before the update that the chip says so (244 us), and that the update takes (1984 us). */
const UPDATE_SECONDS = 0.002228
const SECONDS_PER_DAY = 86_400
const CRYSTAL_HZ = 32768
/** The clock starts at the beginning of 2000: what a run computes must not depend on when it is run. */
const EPOCH_MS = Date.UTC(2000, 0, 1)

/** MC146818 real-time clock and the memory beside it, which holds the sizes of RAM as a PC's firmware leaves them. */
export class Rtc implements PortDevice, TimedDevice {
  readonly #now: () => number
  readonly #ticksPerSecond: number
  readonly #line: Line
  readonly #memory = new Uint8Array(128)
  #index = 0
  /** Flags of status C. */
  #flags = 0
  /** Time up to which interrupts have been looked for. */
  #seen = 0

  /** @param now TSC ticks */
  constructor(memoryBytes: number, now: () => number, ticksPerSecond: number, line: Line) {
    this.#now = now
    this.#ticksPerSecond = ticksPerSecond
    this.#line = line
    const extended = Math.min(0xffff, (memoryBytes >> 10) - 1024)
    const above16 = Math.max(0, Math.min(0xffff, (memoryBytes - (16 << 20)) >> 16))
    for (const [at, value] of [[0x15, 640], [0x17, extended], [0x30, extended], [0x34, above16]]) {
      this.#memory[at] = value & 0xff
      this.#memory[at + 1] = value >> 8
    }
    this.#memory[STATUS_A] = 0x26
    this.#memory[STATUS_B] = HOURS_24
    this.#memory[STATUS_D] = 0x80
  }

  read(port: number): number | null {
    if (port === 0x70) return this.#index
    if (port !== 0x71) return null
    const at = this.#index
    const time = this.#timeRegister(at, Math.floor(this.#now() / this.#ticksPerSecond))
    if (time !== null) return time
    if (at === STATUS_A) return this.#memory[STATUS_A] | (this.#isUpdating() ? UPDATE_IN_PROGRESS : 0)
    if (at !== STATUS_C) return this.#memory[at]
    const flags = this.#flags
    this.#flags = 0
    this.#line(false)
    return flags
  }

  write(port: number, _sizeBytes: number, value: number): boolean {
    if (port === 0x70) this.#index = value & 0x7f
    else if (port === 0x71) {
      if (this.#index === STATUS_B) this.#seen = this.#now()
      // The clock is not set: it shows virtual time.
      if (this.#index !== STATUS_C && this.#index !== STATUS_D) this.#memory[this.#index] = this.#index === STATUS_A ? value & 0x7f : value
    }
    return port === 0x70 || port === 0x71
  }

  next(now: number): number {
    const enabled = this.#memory[STATUS_B]
    const step = (ticks: number) => (Math.floor(now / ticks) + 1) * ticks
    let next = Infinity
    if ((enabled & PERIODIC) !== 0 && this.#period() > 0) next = step(this.#period())
    if ((enabled & (ALARM | UPDATE)) !== 0 && (enabled & SET) === 0) next = Math.min(next, step(this.#ticksPerSecond))
    return Math.ceil(next)
  }

  settled(now: number): number {
    return (this.#memory[STATUS_B] & ALARM) !== 0 ? this.next(now) + SECONDS_PER_DAY * this.#ticksPerSecond : this.next(now)
  }

  /** When the alarm goes off next, in ticks of the TSC; Infinity: it is not set. */
  nextAlarm(): number {
    if ((this.#memory[STATUS_B] & ALARM) === 0) return Infinity
    const second = Math.floor(this.#now() / this.#ticksPerSecond)
    for (let k = 1; k <= SECONDS_PER_DAY; k++) if (this.#alarmMatches(second + k)) return Math.ceil((second + k) * this.#ticksPerSecond)
    return Infinity
  }

  expire(): void {
    const now = this.#now()
    const passed = (ticks: number) => ticks > 0 && Math.floor(now / ticks) > Math.floor(this.#seen / ticks)
    const enabled = this.#memory[STATUS_B]
    if (passed(this.#period())) this.#flags |= PERIODIC
    if (passed(this.#ticksPerSecond)) this.#flags |= UPDATE | (this.#alarmMatches(Math.floor(now / this.#ticksPerSecond)) ? ALARM : 0)
    this.#seen = now
    if ((this.#flags & enabled & (PERIODIC | ALARM | UPDATE)) === 0) return
    this.#flags |= 0x80
    this.#line(true)
  }

  /** Ticks of the TSC between periodic interrupts; 0: none. */
  #period(): number {
    const rate = this.#memory[STATUS_A] & 0xf
    return rate === 0 ? 0 : ((1 << (rate < 3 ? rate + 6 : rate - 1)) * this.#ticksPerSecond) / CRYSTAL_HZ
  }

  #isUpdating(): boolean {
    return (this.#memory[STATUS_B] & SET) === 0 && (this.#now() / this.#ticksPerSecond) % 1 > 1 - UPDATE_SECONDS
  }

  /** Each alarm register matches its time register, or any where its upper two bits are set. */
  #alarmMatches(second: number): boolean {
    return [0, 2, 4].every((at) => (this.#memory[at + SECONDS_ALARM] & 0xc0) === 0xc0 || this.#memory[at + SECONDS_ALARM] === this.#timeRegister(at + SECONDS, second))
  }

  /** @param second since the start; null: not a register of the time */
  #timeRegister(at: number, second: number): number | null {
    const date = new Date(EPOCH_MS + second * 1000)
    const shown = (value: number) => ((this.#memory[STATUS_B] & BINARY) !== 0 ? value : Math.floor(value / 10) * 16 + (value % 10))
    switch (at) {
      case SECONDS:
        return shown(date.getUTCSeconds())
      case 2:
        return shown(date.getUTCMinutes())
      case 4: {
        const hours = date.getUTCHours()
        return (this.#memory[STATUS_B] & HOURS_24) !== 0 ? shown(hours) : shown(hours % 12 || 12) | (hours >= 12 ? 0x80 : 0)
      }
      case 6:
        return date.getUTCDay() + 1
      case 7:
        return shown(date.getUTCDate())
      case 8:
        return shown(date.getUTCMonth() + 1)
      case 9:
        return shown(date.getUTCFullYear() % 100)
      case CENTURY:
        return shown(Math.floor(date.getUTCFullYear() / 100))
      default:
        return null
    }
  }
}
