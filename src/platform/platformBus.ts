/** The memory port of one vCPU of the platform: sequentially consistent, every access done at once. */
import type { Bus } from '../cpu/bus.ts'
import { MSR_APIC_BASE } from '../cpu/registers.ts'
import { IOAPIC_PAGE, type BoardMemory } from './boardMemory.ts'
import type { PortDevice } from './devices.ts'
import type { IoApic } from './ioApic.ts'
import type { LocalApic } from './localApic.ts'
import { Mtrrs } from './mtrr.ts'

const IOAPIC_AT = IOAPIC_PAGE | 0
const APIC_NOWHERE = IOAPIC_AT
const APIC_BASE = 0x1b
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
  readonly mtrrs: Mtrrs | null
  /** Physical page (as int32) at which the vCPU's own APIC is; IOAPIC_PAGE where it is at none. */
  #apicPage = APIC_NOWHERE

  /** @param mtrrs the vCPU has memory type range registers */
  constructor(board: Board, apic: LocalApic, mtrrs: boolean) {
    this.#board = board
    this.#memory = board.memory
    this.#apic = apic
    this.mtrrs = mtrrs ? new Mtrrs() : null
  }

  read8(physical: number): number {
    return this.#isDevice(physical) ? (this.#readDevice(physical) >>> ((physical & 3) * 8)) & 0xff : this.#memory.load(physical, 1)
  }
  read16(physical: number): number {
    return this.#isDevice(physical) ? (this.#readDevice(physical) >>> ((physical & 2) * 8)) & 0xffff : this.#memory.load(physical, 2)
  }
  read32(physical: number): number {
    return this.#isDevice(physical) ? this.#readDevice(physical) : this.#memory.load(physical, 4)
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
    const range = this.mtrrs?.read(msr) ?? null
    if (range !== null) {
      this.low = range.low
      this.high = range.high
      return true
    }
    if (msr < X2APIC_FIRST || msr > X2APIC_LAST || !this.#apic.x2apic) return false
    const value = this.#apic.readMsr(msr)
    if (value === null) return false
    this.low = value.low
    this.high = value.high
    return true
  }
  writeMsr(msr: number, low: number, high: number): boolean {
    this.#board.touched = true
    if (msr === APIC_BASE) {
      this.apicBaseChanged()
      return true
    }
    if (this.mtrrs?.write(msr, low, high) === true) return true
    if (msr < X2APIC_FIRST || msr > X2APIC_LAST || !this.#apic.x2apic) return false
    return this.#apic.writeMsr(msr, low, high)
  }

  guestCall(_number: number, eax: number): number {
    return eax
  }
  hypercall(): boolean {
    return false
  }

  /** IA32_APIC_BASE is as `r` has it: it says where the APIC is, and in which mode. In x2APIC mode there is no page. */
  apicBaseChanged(): void {
    const base = this.r[MSR_APIC_BASE]
    const enabled = (base & APIC_GLOBAL) !== 0
    const x2apic = enabled && (base & APIC_X2) !== 0
    this.#apic.changeMode(enabled, x2apic)
    this.#apicPage = enabled && !x2apic ? base & ~0xfff : APIC_NOWHERE
  }

  #isDevice(physical: number): boolean {
    const page = physical & ~0xfff
    return page === this.#apicPage || page === IOAPIC_AT
  }

  #readDevice(physical: number): number {
    const offset = physical & 0xfff
    return (physical & ~0xfff) === IOAPIC_AT ? this.#board.ioApic.read(offset) : this.#apic.readPage(offset)
  }

  #write(physical: number, sizeBytes: number, value: number): void {
    if (!this.#isDevice(physical)) return this.#memory.store(physical, sizeBytes, value)
    this.#board.touched = true
    const offset = physical & 0xfff
    if ((physical & ~0xfff) === IOAPIC_AT) return this.#board.ioApic.write(offset, value)
    // Registers are written whole, at their own address (SDM vol. 3A 11.4.1).
    if ((physical & 0xf) === 0) this.#apic.writePage(offset, value)
  }
}
