// A vCPU on flat memory with nothing around it: ports are logged, all else is the CPU. Tests and ROMs run on it.
import type { Bus } from '../../src/cpu/bus.ts'
import { STOP_FAULT } from '../../src/cpu/bus.ts'
import { classOf } from '../../src/cpu/classes.ts'
import { Cpu } from '../../src/cpu/cpu.ts'
import { decode, type Op } from '../../src/cpu/decode.ts'
import type { IsaRow } from '../../src/cpu/isa.ts'
import * as reg from '../../src/cpu/registers.ts'
import { changesSegment, CONTROL_CHANGES, DEBUG_CHANGES, DELIVERY_CHANGES, FLAG_CHANGES, systemEffectOf } from '../../src/cpu/systemEffects.ts'
import { ImmediateBus } from '../../src/platform/immediateBus.ts'

export interface PortAccess {
  readonly port: number
  readonly sizeBytes: number
  readonly value: number
}

export class FlatBus extends ImmediateBus implements Bus {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly out_: PortAccess[] = []
  /** What IN gives; by default ones. */
  input: (port: number, sizeBytes: number) => number = () => -1
  serialized = 0
  readonly invalidated: number[] = []
  readonly msrs = new Map<number, [number, number]>()
  /** Bytes from here on cannot be written. */
  romStart = Infinity

  constructor(sizeBytes: number) {
    super()
    this.bytes = new Uint8Array(sizeBytes)
    this.view = new DataView(this.bytes.buffer)
  }
  at(physical: number): number {
    return (physical >>> 0) % this.bytes.length
  }
  read8(p: number): number {
    return this.bytes[this.at(p)]
  }
  read16(p: number): number {
    return this.view.getUint16(this.at(p), true)
  }
  read32(p: number): number {
    return this.view.getInt32(this.at(p), true)
  }
  read64(p: number): number {
    this.high = this.read32(p + 4)
    return this.read32(p)
  }
  write8(p: number, value: number): void {
    if (this.at(p) < this.romStart) this.bytes[this.at(p)] = value
  }
  write16(p: number, value: number): void {
    if (this.at(p) < this.romStart) this.view.setUint16(this.at(p), value, true)
  }
  write32(p: number, value: number): void {
    if (this.at(p) < this.romStart) this.view.setInt32(this.at(p), value, true)
  }
  write64(p: number, low: number, high: number): void {
    this.write32(p, low)
    this.write32(p + 4, high)
  }
  walkOr(p: number, bits: number): void {
    if ((p & 3) !== 0) throw new Error('walkOr of a dword that is not aligned')
    this.write32(p, this.read32(p) | bits)
  }
  override serialize(): void {
    this.serialized++
  }
  override invalidatePage(linear: number): void {
    this.invalidated.push(linear)
  }
  override invalidateTlb(): void {
    this.invalidated.push(-1)
  }
  in(port: number, sizeBytes: number): number {
    const value = this.input(port, sizeBytes)
    return sizeBytes === 4 ? value | 0 : value & (sizeBytes === 1 ? 0xff : 0xffff)
  }
  out(port: number, sizeBytes: number, value: number): void {
    this.out_.push({ port, sizeBytes, value: sizeBytes === 4 ? value : value & (sizeBytes === 1 ? 0xff : 0xffff) })
  }
  tsc(): number {
    this.high = 7
    return 42
  }
  readMsr(msr: number): boolean {
    const value = this.msrs.get(msr)
    if (value !== undefined) [this.low, this.high] = value
    return value !== undefined
  }
  writeMsr(msr: number, low: number, high: number): boolean {
    if (this.msrs.has(msr)) this.msrs.set(msr, [low, high])
    return this.msrs.has(msr)
  }
  guestCall(): number {
    return 0
  }
}

/** What systemEffects.ts tells of: index, bits, what announces a change of them. */
const ANNOUNCED: readonly (readonly [index: number, bits: number, change: number])[] = [
  ...[reg.CR0, reg.CR3, reg.CR4].map((index) => [index, -1, CONTROL_CHANGES] as const),
  [reg.DR7, -1, DEBUG_CHANGES],
  [reg.EFLAGS, reg.IF | reg.IOPL, FLAG_CHANGES],
  ...[reg.ES, reg.DS, reg.SS, reg.FS, reg.GS, reg.LDTR].flatMap((seg) => [[reg.SELECTOR + seg, -1, changesSegment(seg)], [reg.SEG_BASE + seg, -1, changesSegment(seg)]] as const),
]

/** What a step did. */
export type Outcome = 'ran' | 'faulted' | 'delivered' | 'halted' | 'shutdown'

export class FlatMachine {
  /** Called with the row of every instruction that completes. */
  static onCompleted: ((row: IsaRow) => void) | null = null
  /** Stands around every instruction, for tests of the tests. */
  static spoil: ((cpu: Cpu, op: Op, run: () => void) => void) | null = null
  readonly bus: FlatBus
  readonly cpu: Cpu
  readonly r: Int32Array
  op: Op | null = null
  steps = 0
  readonly #bytes = new Uint8Array(16)

  /** @param port what stands between the CPU and the flat bus; default: nothing */
  constructor(className = 'p4', sizeBytes = 1 << 20, port: (bus: FlatBus) => Bus = (bus) => bus) {
    this.bus = new FlatBus(sizeBytes)
    const words = new Int32Array(reg.REGISTER_WORDS)
    this.cpu = new Cpu(words, 0, port(this.bus), classOf(className))
    this.r = this.cpu.r
    this.reset()
  }

  /** As RESET leaves it (SDM vol. 3A table 10-1). */
  reset(): void {
    const r = this.r
    r.fill(0)
    r[reg.EIP] = 0xfff0
    r[reg.EFLAGS] = 2
    r[reg.CR0] = 0x60000010
    if (!this.cpu.cls.features.has('486')) r[reg.CR0] = 0x10
    r[reg.EDX] = this.cpu.cls.signature
    for (let seg = 0; seg < 8; seg++) {
      r[reg.SEG_LIMIT + seg] = 0xffff
      r[reg.SEG_ATTR + seg] = seg === reg.TR ? 0x8b : seg === reg.LDTR ? 0x82 : 0x93
    }
    r[reg.SELECTOR + reg.CS] = 0xf000
    r[reg.SEG_BASE + reg.CS] = 0xffff0000 | 0
    r[reg.GDT_LIMIT] = 0xffff
    r[reg.IDT_LIMIT] = 0xffff
    r[reg.DR6] = 0xffff0ff0 | 0
    r[reg.DR7] = 0x400
    r[reg.MSR_PAT_LO] = 0x00070406
    r[reg.MSR_APIC_BASE] = 0xfee00900 | 0
    r[reg.MSR_PAT_HI] = 0x00070406
    r[reg.FPU_CW] = 0x40
    r[reg.FPU_TW] = 0x5555
  }

  step(): Outcome {
    const cpu = this.cpu
    const r = this.r
    if (r[reg.ACTIVITY] === reg.SHUTDOWN) return 'shutdown'
    if ((r[reg.EVENT] & reg.EVENT_VALID) !== 0) {
      this.#announced(DELIVERY_CHANGES, () => this.attempt(() => cpu.deliver()))
      if (cpu.stop === STOP_FAULT) cpu.raise()
      return 'delivered'
    }
    if (r[reg.ACTIVITY] === reg.HALTED) return 'halted'
    this.steps++
    this.bus.locked = false
    cpu.stop = 0
    const op = this.#fetch()
    this.op = op
    const { spoil } = FlatMachine
    if (op !== null && spoil === null) this.#announced(systemEffectOf(op), () => this.attempt(() => cpu.execute(op)))
    else if (op !== null) this.attempt(() => spoil!(cpu, op, () => cpu.execute(op)))
    if (cpu.stop === 0 && op?.row) FlatMachine.onCompleted?.(op.row)
    if (cpu.stop !== STOP_FAULT) return 'ran'
    cpu.raise()
    return 'faulted'
  }

  /** Whatever `run` changes of the registers in question, but for stack switches and task switches, is in `changes`. */
  #announced(changes: number, run: () => void): void {
    const { r } = this
    const task = r[reg.SELECTOR + reg.TR]
    const level = r[reg.SELECTOR + reg.CS]
    for (let k = 0; k < ANNOUNCED.length; k++) this.#before[k] = r[ANNOUNCED[k][0]]
    run()
    if (r[reg.SELECTOR + reg.TR] !== task) return
    for (let k = 0; k < ANNOUNCED.length; k++) {
      const [index, bits, change] = ANNOUNCED[k]
      if (((r[index] ^ this.#before[k]) & bits) === 0 || (changes & change) !== 0) continue
      // CS and SS change together with the ring.
      if (change === changesSegment(reg.SS) && r[reg.SELECTOR + reg.CS] !== level) continue
      throw new Error(`${this.op?.row?.mnemonic ?? 'a delivery'} changed register ${index}, which systemEffects.ts does not know`)
    }
  }
  readonly #before = new Int32Array(ANNOUNCED.length)

  /** Runs one instruction or delivery to its end. */
  protected attempt(run: () => void): void {
    run()
  }

  /** Steps until something else than running code and handlers happens, or `stepsMax` are over. */
  run(stepsMax: number): Outcome {
    for (let n = 0; n < stepsMax; n++) {
      const outcome = this.step()
      if (outcome === 'halted' || outcome === 'shutdown') return outcome
    }
    return 'ran'
  }

  #fetch(): Op | null {
    const cpu = this.cpu
    const eip = this.r[reg.EIP]
    const code32 = (this.r[reg.SEG_ATTR + reg.CS] & reg.ATTR_BIG) !== 0
    let physical = cpu.fetchPhysical(eip)
    if (cpu.stop !== 0) return null
    let available = 0
    let reason: [number, number, number] | null = null
    for (; available < 15; available++) {
      if (available > 0 && (physical & 0xfff) === 0) {
        physical = cpu.fetchPhysical((eip + available) | 0)
        if (cpu.stop !== 0) {
          reason = [cpu.faultVector, cpu.faultError, cpu.faultAddress]
          cpu.stop = 0
          break
        }
      }
      this.#bytes[available] = this.bus.read8(physical++)
    }
    const op = decode(this.#bytes, 0, available, code32)
    if (op.length !== 0) return op
    if (reason !== null) {
      cpu.faultAddress = reason[2]
      cpu.fault(reason[0], reason[1])
    }
    return null
  }
}
