/** The memory port of one vCPU of the platform: sequentially consistent, every access done at once. */
import type { Bus } from '../cpu/bus.ts'
import type { CpuClass } from '../cpu/classes.ts'
import { MSR_APIC_BASE } from '../cpu/registers.ts'
import { IOAPIC_PAGE, type BoardMemory } from './boardMemory.ts'
import { ImmediateBus } from './immediateBus.ts'
import type { IoApic } from './ioApic.ts'
import type { LocalApic } from './localApic.ts'
import { ModelMsrs } from './modelMsrs.ts'
import type { MsrBank, Words } from './msrBank.ts'
import { Mtrrs } from './mtrr.ts'
import { CodePage } from './opCache.ts'
import type { PortDevice } from './portDevice.ts'
import { Tsc } from './tsc.ts'

const IOAPIC_AT = IOAPIC_PAGE | 0
const APIC_NOWHERE = IOAPIC_AT
const TSC = 0x10
const TSC_ADJUST = 0x3b
const APIC_BASE = 0x1b
const X2APIC_FIRST = 0x800
const X2APIC_LAST = 0x8ff
const APIC_GLOBAL = 1 << 11
const APIC_X2 = 1 << 10

export interface Chipset {
  readonly memory: BoardMemory
  readonly devices: readonly PortDevice[]
  readonly ioApic: IoApic
  /** Virtual time in ticks of the TSC. */
  now(): number
  /** Set by every write to a device: timers and pending interrupts may have changed. */
  touched: boolean
}

export class PlatformBus extends ImmediateBus implements Bus {
  /** Counts what others could notice, and what the vCPU reads that changes by itself: stores, ports, device registers, time. */
  activity = 0
  /** The register block of the vCPU: the APIC base MSR says where its APIC is. */
  r!: Int32Array
  readonly #chipset: Chipset
  readonly #memory: BoardMemory
  readonly #apic: LocalApic
  readonly tscCounter: Tsc
  readonly codePage = new CodePage()
  readonly msrs: readonly MsrBank[]
  /** WRMSR sets all 64 bits of the counter, and there is IA32_TSC_ADJUST; before the Pentium 4 the upper half is cleared (SDM vol. 3B 19.17). */
  readonly #wideTsc: boolean
  /** Physical page (as int32) at which the vCPU's own APIC is; IOAPIC_PAGE where it is at none. */
  #apicPage = APIC_NOWHERE
  /** Below here there is RAM only. */
  #plainEnd = 0

  constructor(chipset: Chipset, apic: LocalApic, cpu: CpuClass) {
    super()
    this.#chipset = chipset
    this.#memory = chipset.memory
    this.#apic = apic
    this.tscCounter = new Tsc(() => chipset.now())
    this.#wideTsc = cpu.family >= 15
    this.msrs = [new ModelMsrs(cpu), ...(cpu.features.has('mtrr') ? [new Mtrrs()] : [])]
  }

  read8(physical: number): number {
    if (physical >>> 0 < this.#plainEnd) return this.#memory.ram[physical]
    return this.#isDevice(physical) ? (this.#readDevice(physical) >>> ((physical & 3) * 8)) & 0xff : this.#memory.load(physical, 1)
  }
  read16(physical: number): number {
    if (physical >>> 0 < this.#plainEnd) return this.#memory.load(physical, 2)
    return this.#isDevice(physical) ? (this.#readDevice(physical) >>> ((physical & 2) * 8)) & 0xffff : this.#memory.load(physical, 2)
  }
  read32(physical: number): number {
    if (physical >>> 0 < this.#plainEnd) return this.#memory.load(physical, 4)
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

  walkOr(physical: number, bits: number): void {
    this.#write(physical, 4, this.#memory.load(physical, 4) | bits)
  }

  // Only the page that is executed from is remembered; data accesses walk.
  override invalidatePage(): void {
    this.codePage.forget()
  }
  override invalidateTlb(): void {
    this.codePage.forget()
  }
  override retarget(): void {
    this.codePage.forget()
  }

  in(port: number, sizeBytes: number): number {
    this.activity++
    for (const device of this.#chipset.devices) {
      const value = device.read(port, sizeBytes)
      if (value !== null) return value
    }
    return sizeBytes === 4 ? -1 : (1 << (sizeBytes * 8)) - 1
  }
  out(port: number, sizeBytes: number, value: number): void {
    this.activity++
    this.#chipset.touched = true
    for (const device of this.#chipset.devices) if (device.write(port, sizeBytes, value)) return
  }

  tsc(): number {
    this.activity++
    const [low, high] = this.tscCounter.read()
    this.high = high | 0
    return low | 0
  }

  /** What software can see of this vCPU beside its registers, for state hashes. */
  *words(): Iterable<number> {
    yield* this.tscCounter.words()
    for (const bank of this.msrs) yield* bank.words()
  }

  readMsr(msr: number): boolean {
    this.activity++
    if (msr === TSC_ADJUST && this.#wideTsc) return this.#answer(this.tscCounter.adjust)
    for (const bank of this.msrs) {
      const value = bank.read(msr)
      if (value !== null) return this.#answer(value)
    }
    if (msr < X2APIC_FIRST || msr > X2APIC_LAST || !this.#apic.x2apic) return false
    const value = this.#apic.readMsr(msr)
    return value !== null && this.#answer(value)
  }
  writeMsr(msr: number, low: number, high: number): boolean {
    this.activity++
    this.#chipset.touched = true
    if (msr === APIC_BASE) {
      this.apicBaseChanged()
      return true
    }
    if (msr === TSC) {
      this.tscCounter.set(low, this.#wideTsc ? high : 0)
      return true
    }
    if (msr === TSC_ADJUST && this.#wideTsc) {
      this.tscCounter.setAdjust(low, high)
      return true
    }
    for (const bank of this.msrs) if (bank.write(msr, low, high)) return true
    if (msr < X2APIC_FIRST || msr > X2APIC_LAST || !this.#apic.x2apic) return false
    return this.#apic.writeMsr(msr, low, high)
  }

  #answer({ low, high }: Words): boolean {
    this.low = low
    this.high = high
    return true
  }

  guestCall(_number: number, eax: number): number {
    return eax
  }

  /** IA32_APIC_BASE is as `r` has it: it says where the APIC is, and in which mode. In x2APIC mode there is no page. */
  apicBaseChanged(): void {
    const base = this.r[MSR_APIC_BASE]
    const enabled = (base & APIC_GLOBAL) !== 0
    const x2apic = enabled && (base & APIC_X2) !== 0
    this.#apic.changeMode(enabled, x2apic)
    this.#apicPage = enabled && !x2apic ? base & ~0xfff : APIC_NOWHERE
    this.#plainEnd = Math.min(this.#memory.plainEnd, this.#apicPage >>> 0)
  }

  #isDevice(physical: number): boolean {
    const page = physical & ~0xfff
    return page === this.#apicPage || page === IOAPIC_AT
  }

  #readDevice(physical: number): number {
    this.activity++
    const offset = physical & 0xfff
    return (physical & ~0xfff) === IOAPIC_AT ? this.#chipset.ioApic.read(offset) : this.#apic.readPage(offset)
  }

  #write(physical: number, sizeBytes: number, value: number): void {
    this.activity++
    if (physical >>> 0 < this.#plainEnd) return this.#memory.store(physical, sizeBytes, value)
    if (!this.#isDevice(physical)) return this.#memory.store(physical, sizeBytes, value)
    this.#chipset.touched = true
    const offset = physical & 0xfff
    if ((physical & ~0xfff) === IOAPIC_AT) return this.#chipset.ioApic.write(offset, value)
    // Registers are written whole, at their own address (SDM vol. 3A 11.4.1).
    if ((physical & 0xf) === 0) this.#apic.writePage(offset, value)
  }
}
