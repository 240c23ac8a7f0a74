/** What firmware leaves for kernels to find the vCPUs by: the MP table (MultiProcessor Specification 1.4) and ACPI's RSDP, RSDT, FADT, MADT. */
import { APIC_PAGE, IOAPIC_PAGE, type BoardMemory } from './boardMemory.ts'

const MP_POINTER = 0xf5000
const MP_TABLE = 0xf5010
const RSDP = 0xf6000
const RSDT = 0xf6040
const FADT = 0xf6100
const MADT = 0xf6200

export function writeTables(memory: BoardMemory, vcpus: number): void {
  writeMp(memory, vcpus)
  writeAcpi(memory, vcpus)
}

class Writer {
  readonly #ram: Uint8Array
  readonly start: number
  at: number
  constructor(memory: BoardMemory, start: number) {
    this.#ram = memory.ram
    this.start = start
    this.at = start
  }
  text(value: string, length: number): this {
    for (let k = 0; k < length; k++) this.#ram[this.at++] = k < value.length ? value.charCodeAt(k) : 0x20
    return this
  }
  bytes(...values: number[]): this {
    for (const value of values) this.#ram[this.at++] = value
    return this
  }
  word(value: number): this {
    return this.bytes(value & 0xff, (value >>> 8) & 0xff)
  }
  dword(value: number): this {
    return this.word(value).word(value >>> 16)
  }
  /** Sets byte `offset` so that all up to here sum to 0. */
  checksum(offset: number): void {
    let sum = 0
    for (let k = this.start; k < this.at; k++) sum += this.#ram[k]
    this.#ram[this.start + offset] = -sum
  }
}

function writeMp(memory: BoardMemory, vcpus: number): void {
  new Writer(memory, MP_POINTER).text('_MP_', 4).dword(MP_TABLE).bytes(1, 4, 0, 0, 0, 0, 0, 0).checksum(10)
  const entries = vcpus + 2 + 16
  const size = 44 + vcpus * 20 + 8 + 8 + 16 * 8
  const table = new Writer(memory, MP_TABLE).text('PCMP', 4).word(size).bytes(4, 0).text('XMCHECK', 8).text('PLATFORM', 12).dword(0).word(0).word(entries).dword(APIC_PAGE).dword(0)
  for (let v = 0; v < vcpus; v++) table.bytes(0, v, 0x14, v === 0 ? 3 : 1).dword(0x600).dword(0x201).dword(0).dword(0)
  table.bytes(1, 0).text('ISA', 6)
  table.bytes(2, vcpus, 0x11, 1).dword(IOAPIC_PAGE)
  for (let irq = 0; irq < 16; irq++) table.bytes(3, 0).word(0).bytes(0, irq, vcpus, irq === 0 ? 2 : irq)
  table.checksum(7)
}

function writeAcpi(memory: BoardMemory, vcpus: number): void {
  new Writer(memory, RSDP).text('RSD PTR ', 8).bytes(0).text('XMCHK', 6).bytes(0).dword(RSDT).checksum(8)
  header(memory, RSDT, 'RSDT', 44).dword(FADT).dword(MADT).checksum(9)
  const fadt = header(memory, FADT, 'FACP', 116)
  while (fadt.at < FADT + 116) fadt.bytes(0)
  fadt.checksum(9)
  const madt = header(memory, MADT, 'APIC', 44 + vcpus * 8 + 12 + 10).dword(APIC_PAGE).dword(1)
  for (let v = 0; v < vcpus; v++) madt.bytes(0, 8, v, v).dword(1)
  madt.bytes(1, 12, vcpus, 0).dword(IOAPIC_PAGE).dword(0)
  madt.bytes(2, 10, 0, 0).dword(2).word(0)
  madt.checksum(9)
}

function header(memory: BoardMemory, at: number, signature: string, size: number): Writer {
  return new Writer(memory, at).text(signature, 4).dword(size).bytes(1, 0).text('XMCHK', 6).text('PLATFORM', 8).dword(1).text('XMC', 4).dword(1)
}
