/**
 * Physical memory of the platform: RAM from 0, ROM images above it and aliased below 1 MB, device pages. Tells
 * which pages hold decoded code, so that whoever caches it hears of every write to them (exact self- and
 * cross-modification, coherent fetch).
 */
export const PAGE = 4096
export const APIC_PAGE = 0xfee00000
export const IOAPIC_PAGE = 0xfec00000

interface Rom {
  readonly start: number
  readonly bytes: Uint8Array
}

export class BoardMemory {
  readonly ram: Uint8Array
  readonly #words: Int32Array
  readonly #halves: Uint16Array
  readonly #roms: Rom[] = []
  /** Page number to 1 where decoded code is cached; pages of RAM only. */
  readonly codePages: Uint8Array
  /** Called before bytes of a page that `codePages` marks are written. */
  onCodeWrite: (physical: number, sizeBytes: number) => void = () => {}
  /** Below this address there is RAM that nothing overlays. */
  #plainEnd: number

  /** @param sizeBytes a multiple of 4096 */
  constructor(sizeBytes: number) {
    this.ram = new Uint8Array(sizeBytes)
    this.#words = new Int32Array(this.ram.buffer)
    this.#halves = new Uint16Array(this.ram.buffer)
    this.codePages = new Uint8Array(sizeBytes / PAGE)
    this.#plainEnd = sizeBytes
  }

  /** Maps `bytes` at `start`, over whatever is there; read only. */
  addRom(start: number, bytes: Uint8Array): void {
    this.#roms.push({ start, bytes })
    this.#plainEnd = Math.min(this.#plainEnd, start)
  }

  get plainEnd(): number {
    return this.#plainEnd
  }

  /** True where loads and stores of RAM need no further look: not over a ROM. */
  #isRam(physical: number): boolean {
    if (physical < this.#plainEnd) return true
    return physical < this.ram.length && this.#romAt(physical) === null
  }

  #romAt(physical: number): Rom | null {
    for (const rom of this.#roms) if (physical >= rom.start && physical < rom.start + rom.bytes.length) return rom
    return null
  }

  /** Little-endian load of 1, 2 or 4 bytes that do not cross a page; what is not there floats high. */
  load(physical: number, sizeBytes: number): number {
    const at = physical >>> 0
    if (this.#isRam(at)) {
      if (sizeBytes === 4 && (at & 3) === 0) return this.#words[at >> 2]
      if (sizeBytes === 1) return this.ram[at]
      if (sizeBytes === 2 && (at & 1) === 0) return this.#halves[at >> 1]
    }
    let value = 0
    for (let b = 0; b < sizeBytes; b++) value |= this.#loadByte(at + b) << (8 * b)
    return value
  }

  store(physical: number, sizeBytes: number, value: number): void {
    const at = physical >>> 0
    if (!this.#isRam(at)) return
    if (this.codePages[at >>> 12] !== 0) this.onCodeWrite(at, sizeBytes)
    if (sizeBytes === 4 && (at & 3) === 0) this.#words[at >> 2] = value
    else for (let b = 0; b < sizeBytes; b++) this.ram[at + b] = value >>> (8 * b)
  }

  #loadByte(at: number): number {
    const rom = this.#romAt(at)
    if (rom !== null) return rom.bytes[at - rom.start]
    return at < this.ram.length ? this.ram[at] : 0xff
  }

  /** 32-bit hash of all RAM. */
  hash(): number {
    let h = 0x811c9dc5
    for (let k = 0; k < this.#words.length; k++) {
      h = Math.imul(h ^ this.#words[k], 0x9e3779b1)
      h ^= h >>> 15
    }
    return h
  }
}
