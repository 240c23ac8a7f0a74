/** Something on the I/O bus. Each device answers on its own ports; what nobody answers reads as ones and swallows writes. */
export interface PortDevice {
  /** Null: not my port. */
  read(port: number, sizeBytes: number): number | null
  /** False: not my port. */
  write(port: number, sizeBytes: number, value: number): boolean
}

/** A device that interrupts by itself. Times are ticks of the TSC. */
export interface TimedDevice {
  /** When it interrupts next, `now` excluded; Infinity: never. */
  next(now: number): number
  /** When, if nobody touches it, it will have interrupted in every way that it is going to; `next` at the least. */
  settled(now: number): number
  /** Time has reached what `next` said. */
  expire(): void
}

/** An interrupt line: edges go to the 8259s and the I/O APIC. */
export type Line = (up: boolean) => void
