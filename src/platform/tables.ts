/**
 * What a PC's firmware leaves in memory: the BIOS data area, the MP table (MultiProcessor Specification 1.4), and ACPI's RSDP, RSDT,
 * FADT, FACS, DSDT and MADT.
 */
import { APIC_PAGE, IOAPIC_PAGE, type BoardMemory } from './boardMemory.ts'
import { PM1_CONTROL, PM_BASE, PM_TIMER } from './power.ts'

/** Base memory that is free; the extended BIOS data area follows, up to 640 KB. */
export const BASE_MEMORY_BYTES = 0x9fc00
const EBDA = BASE_MEMORY_BYTES
const EBDA_KILOBYTES = 1
/** Words of the BIOS data area (IBM PC AT Technical Reference): first serial and parallel port, EBDA segment, equipment, base memory in KB, video mode, columns, CRT controller. */
const BIOS_DATA: readonly (readonly [number, number])[] = [
  [0x400, 0x3f8], [0x40e, EBDA >> 4], [0x410, 0x0222], [0x413, BASE_MEMORY_BYTES >> 10], [0x449, 3], [0x44a, 80], [0x463, 0x3d4],
]

const MP_POINTER = 0xf5000
const MP_TABLE = 0xf5010
const RSDP = 0xf6000
const RSDT = 0xf6040
const FADT = 0xf6100
const MADT = 0xf6200
const DSDT = 0xf6800
/** FACS is written by kernels: not in the area that BIOSes protect. */
const FACS = EBDA + 0x100
/** Where a kernel leaves the real-mode address at which it goes on after suspend to RAM (ACPI 6.5, 5.2.10). */
export const WAKING_VECTOR = FACS + 12
/** Of the I/O APIC; its register says the same. */
const IOAPIC_ID = 0
const SCI = 9
const CENTURY_REGISTER = 0x32

/** Ranges of memory: start, length, and 1 where it is free, 2 where it is not. */
export function memoryMap(sizeBytes: number): (readonly [number, number, number])[] {
  return [[0, BASE_MEMORY_BYTES, 1], [BASE_MEMORY_BYTES, 0xa0000 - BASE_MEMORY_BYTES, 2], [0xe0000, 0x20000, 2], [0x100000, sizeBytes - 0x100000, 1]]
}

export function writeBiosData(memory: BoardMemory): void {
  for (const [at, value] of BIOS_DATA) new Writer(memory, at).word(value)
  new Writer(memory, EBDA).bytes(EBDA_KILOBYTES)
}

export function writeTables(memory: BoardMemory, vcpus: number): void {
  writeBiosData(memory)
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
  zeroTo(address: number): this {
    while (this.at < address) this.bytes(0)
    return this
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
  table.bytes(2, IOAPIC_ID, 0x11, 1).dword(IOAPIC_PAGE)
  for (let irq = 0; irq < 16; irq++) table.bytes(3, 0).word(0).bytes(0, irq, IOAPIC_ID, irq === 0 ? 2 : irq)
  table.checksum(7)
}

function writeAcpi(memory: BoardMemory, vcpus: number): void {
  new Writer(memory, RSDP).text('RSD PTR ', 8).bytes(0).text('XMCHK', 6).bytes(0).dword(RSDT).checksum(8)
  header(memory, RSDT, 'RSDT', 44).dword(FADT).dword(MADT).checksum(9)
  const fadt = header(memory, FADT, 'FACP', 116)
  fadt.dword(FACS).dword(DSDT).bytes(0, 0).word(SCI).dword(0).bytes(0, 0, 0, 0)
  // PM1a events and control, PM timer; their lengths; WBINVD works, C1 is there.
  fadt.dword(PM_BASE).dword(0).dword(PM_BASE + PM1_CONTROL).dword(0).dword(0).dword(PM_BASE + PM_TIMER).dword(0).dword(0).bytes(4, 2, 0, 4, 0, 0, 0, 0).zeroTo(FADT + 108)
  fadt.bytes(CENTURY_REGISTER).zeroTo(FADT + 112).dword(5).checksum(9)
  new Writer(memory, FACS).text('FACS', 4).dword(64).zeroTo(FACS + 64)
  // Name (\_S5, Package (2) { 0, 0 }), Name (\_S3, Package (2) { 1, 1 }): the sleep types of soft off and suspend to RAM.
  header(memory, DSDT, 'DSDT', 36 + 20).bytes(0x08, 0x5f, 0x53, 0x35, 0x5f, 0x12, 0x04, 0x02, 0x00, 0x00, 0x08, 0x5f, 0x53, 0x33, 0x5f, 0x12, 0x04, 0x02, 0x01, 0x01).checksum(9)
  const madt = header(memory, MADT, 'APIC', 44 + vcpus * 8 + 12 + 10).dword(APIC_PAGE).dword(1)
  for (let v = 0; v < vcpus; v++) madt.bytes(0, 8, v, v).dword(1)
  madt.bytes(1, 12, IOAPIC_ID, 0).dword(IOAPIC_PAGE).dword(0)
  madt.bytes(2, 10, 0, 0).dword(2).word(0)
  madt.checksum(9)
}

function header(memory: BoardMemory, at: number, signature: string, size: number): Writer {
  return new Writer(memory, at).text(signature, 4).dword(size).bytes(1, 0).text('XMCHK', 6).text('PLATFORM', 8).dword(1).text('XMC', 4).dword(1)
}
