import type { PortDevice } from './portDevice.ts'

/** Two Intel 8259A interrupt controllers, cascaded. */
export class Pic implements PortDevice {
  #lines = 0
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

  /** Level of an input: inputs are edge-triggered. */
  setLine(line: number, up: boolean): void {
    const bit = 1 << line
    if (up && (this.#lines & bit) === 0) this.#chips[line >> 3].irr |= 1 << (line & 7)
    this.#lines = up ? this.#lines | bit : this.#lines & ~bit
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
