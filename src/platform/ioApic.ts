/** An 82093AA I/O APIC with 24 edge-triggered inputs. */
const INPUTS = 24
const MASKED = 1 << 16

export class IoApic {
  #select = 0
  readonly #low = new Int32Array(INPUTS).fill(MASKED)
  readonly #high = new Int32Array(INPUTS)
  readonly #send: (low: number, high: number) => void

  /** @param send delivers by a redirection entry (the layout of an ICR) */
  constructor(send: (low: number, high: number) => void) {
    this.#send = send
  }

  read(offset: number): number {
    if (offset === 0) return this.#select
    if (offset !== 0x10) return 0
    if (this.#select === 0 || this.#select === 2) return 0
    if (this.#select === 1) return ((INPUTS - 1) << 16) | 0x11
    const input = (this.#select - 0x10) >> 1
    return input < 0 || input >= INPUTS ? 0 : (this.#select & 1) !== 0 ? this.#high[input] : this.#low[input]
  }

  write(offset: number, value: number): void {
    if (offset === 0) this.#select = value & 0xff
    if (offset !== 0x10) return
    const input = (this.#select - 0x10) >> 1
    if (input < 0 || input >= INPUTS) return
    if ((this.#select & 1) !== 0) this.#high[input] = value
    else this.#low[input] = value & ~0x5000
  }

  raise(input: number): void {
    if ((this.#low[input] & MASKED) === 0) this.#send(this.#low[input], this.#high[input])
  }
}
