/** The memory port of one vCPU of the platform: sequentially consistent, every access done at once. */
import type { Bus } from '../cpu/bus.ts'
import { MSR_APIC_BASE } from '../cpu/registers.ts'
import { APIC_PAGE, IOAPIC_PAGE, type BoardMemory } from './boardMemory.ts'
import type { PortDevice } from './devices.ts'
import type { IoApic } from './ioApic.ts'
import type { LocalApic } from './localApic.ts'

const X2APIC_FIRST = 0x800
const X2APIC_LAST = 0x8ff
const APIC_GLOBAL = 1 << 11
const APIC_X2 = 1 << 10

export interface Board {
  readonly memory: BoardMemory
  readonly devices: readonly PortDevice[]
  readonly ioApic: IoApic
  /** Virtual time in ticks of the TSC. */
  now(): number
  /** Set by every write to a device: timers and pending interrupts may have changed. */
  touched: boolean
}

export class PlatformBus implements Bus {
  locked = false
  high = 0
  low = 0
  /** The register block of the vCPU: the APIC base MSR says where its APIC is. */
  r!: Int32Array
  readonly #board: Board
  readonly #memory: BoardMemory
  readonly #apic: LocalApic

  constructor(board: Board, apic: LocalApic) {
    this.#board = board
    this.#memory = board.memory
    this.#apic = apic
  }

  read8(physical: number): number {
    return isDevice(physical) ? (this.#readDevice(physical) >>> ((physical & 3) * 8)) & 0xff : this.#memory.load(physical, 1)
  }
  read16(physical: number): number {
    return isDevice(physical) ? (this.#readDevice(physical) >>> ((physical & 2) * 8)) & 0xffff : this.#memory.load(physical, 2)
  }
  read32(physical: number): number {
    return isDevice(physical) ? this.#readDevice(physical) : this.#memory.load(physical, 4)
  }
  read64(physical: number): number {
    this.high = this.read32((physical + 4) | 0)
    return this.read32(physical)
  }
  write8(physical: number, value: number): void {
    this.#write(physical, 1, value & 0xff)
  }
  write16(physical: number, value: number): void {
    this.#write(physical, 2, value & 0xffff)
  }
  write32(physical: number, value: number): void {
    this.#write(physical, 4, value)
  }
  write64(physical: number, low: number, high: number): void {
    this.#write(physical, 4, low)
    this.#write((physical + 4) | 0, 4, high)
  }

  walk32(physical: number): number {
    return this.read32(physical)
  }
  walk64(physical: number): number {
    return this.read64(physical)
  }
  walkOr(physical: number, bits: number): void {
    this.#write(physical, 4, this.#memory.load(physical, 4) | bits)
  }

  // Stores are done at once and code is fetched from memory as it is: there is nothing to wait for or forget.
  fence(): void {}
  serialize(): void {}
  branch(): void {}
  invalidatePage(): void {}
  invalidateTlb(): void {}

  in(port: number, sizeBytes: number): number {
    for (const device of this.#board.devices) {
      const value = device.read(port, sizeBytes)
      if (value !== null) return value
    }
    return sizeBytes === 4 ? -1 : (1 << (sizeBytes * 8)) - 1
  }
  out(port: number, sizeBytes: number, value: number): void {
    this.#board.touched = true
    for (const device of this.#board.devices) if (device.write(port, sizeBytes, value)) return
  }

  tsc(): number {
    const now = this.#board.now()
    this.high = Math.floor(now / 2 ** 32) | 0
    return now | 0
  }

  readMsr(msr: number): boolean {
    this.syncApicBase()
    if (msr < X2APIC_FIRST || msr > X2APIC_LAST || !this.#apic.x2apic) return false
    const value = this.#apic.readMsr(msr)
    if (value === null) return false
    this.low = value.low
    this.high = value.high
    return true
  }
  writeMsr(msr: number, low: number, high: number): boolean {
    this.syncApicBase()
    if (msr < X2APIC_FIRST || msr > X2APIC_LAST || !this.#apic.x2apic) return false
    this.#board.touched = true
    return this.#apic.writeMsr(msr, low, high)
  }

  guestCall(_number: number, eax: number): number {
    return eax
  }
  hypercall(): boolean {
    return false
  }

  /** After each instruction that may have written it: IA32_APIC_BASE decides the mode. */
  syncApicBase(): void {
    const base = this.r[MSR_APIC_BASE]
    this.#apic.x2apic = (base & (APIC_GLOBAL | APIC_X2)) === (APIC_GLOBAL | APIC_X2)
  }

  #readDevice(physical: number): number {
    const page = (physical & ~0xfff) >>> 0
    if (page === APIC_PAGE) {
      this.syncApicBase()
      return this.#apic.x2apic ? -1 : this.#apic.readPage(physical & 0xfff)
    }
    return this.#board.ioApic.read(physical & 0xfff)
  }

  #write(physical: number, sizeBytes: number, value: number): void {
    if (!isDevice(physical)) return this.#memory.store(physical, sizeBytes, value)
    this.#board.touched = true
    const page = (physical & ~0xfff) >>> 0
    if (page === IOAPIC_PAGE) return this.#board.ioApic.write(physical & 0xfff, value)
    this.syncApicBase()
    if (!this.#apic.x2apic && (physical & 0xf) === 0) this.#apic.writePage(physical & 0xfff, value)
  }
}

function isDevice(physical: number): boolean {
  const page = (physical & ~0xfff) >>> 0
  return page === APIC_PAGE || page === IOAPIC_PAGE
}
