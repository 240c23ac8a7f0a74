/** An 82093AA I/O APIC with 24 inputs, edge- or level-triggered. */
const INPUTS = 24
const MASKED = 1 << 16
const LEVEL = 1 << 15
const REMOTE_IRR = 1 << 14
/** Delivery status and remote IRR are the chip's. */
const READ_ONLY = 0x5000

export class IoApic {
  #select = 0
  #id = 0
  /** Level of each input. */
  #lines = 0
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
    if (this.#select === 0 || this.#select === 2) return this.#id
    if (this.#select === 1) return ((INPUTS - 1) << 16) | 0x11
    const input = (this.#select - 0x10) >> 1
    return input < 0 || input >= INPUTS ? 0 : (this.#select & 1) !== 0 ? this.#high[input] : this.#low[input]
  }

  write(offset: number, value: number): void {
    if (offset === 0) this.#select = value & 0xff
    if (offset !== 0x10) return
    if (this.#select === 0) this.#id = value & 0x0f000000
    const input = (this.#select - 0x10) >> 1
    if (input < 0 || input >= INPUTS) return
    if ((this.#select & 1) !== 0) this.#high[input] = value & 0xff000000
    else {
      const kept = (value & LEVEL) !== 0 ? this.#low[input] & REMOTE_IRR : 0
      this.#low[input] = (value & 0x1ffff & ~READ_ONLY) | kept
      this.#offerLevel(input)
    }
  }

  setLine(input: number, up: boolean): void {
    const was = (this.#lines >>> input) & 1
    if (up) this.#lines |= 1 << input
    else this.#lines &= ~(1 << input)
    const entry = this.#low[input]
    if ((entry & LEVEL) !== 0) this.#offerLevel(input)
    else if (up && was === 0 && (entry & MASKED) === 0) this.#send(entry, this.#high[input])
  }

  /** Software ended the interrupt of `vector`: lines that are still up interrupt again. */
  served(vector: number): void {
    for (let input = 0; input < INPUTS; input++) {
      const entry = this.#low[input]
      if ((entry & (LEVEL | REMOTE_IRR)) !== (LEVEL | REMOTE_IRR) || (entry & 0xff) !== vector) continue
      this.#low[input] &= ~REMOTE_IRR
      this.#offerLevel(input)
    }
  }

  #offerLevel(input: number): void {
    const entry = this.#low[input]
    if ((entry & LEVEL) === 0 || (entry & (MASKED | REMOTE_IRR)) !== 0 || ((this.#lines >>> input) & 1) === 0) return
    this.#low[input] |= REMOTE_IRR
    this.#send(entry, this.#high[input])
  }
}
