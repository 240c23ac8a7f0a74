/**
 * One i386 vCPU: registers, segmented and paged memory access, faults and event delivery.
 *
 * The life of an instruction, as the driver sees it:
 *
 * ```
 *  fetchPhysical ─► decode ─► execute ─┬─ stop = 0            EIP has moved; r[EVENT] may hold an INT n
 *                                      ├─ STOP_PARK           nothing has changed; attempt again later
 *                                      ├─ STOP_VIOLATION      nothing has changed; the execution is over
 *                                      └─ STOP_FAULT ─► raise ─► r[EVENT]
 *  r[EVENT] valid ─► deliver ─┬─ stop = 0      in the handler
 *                             └─ as above; a fault while delivering is raised again (#DF, triple fault)
 * ```
 */
import { type Bus, STOP_FAULT } from './bus.ts'
import type { CpuClass } from './classes.ts'
import { IMM, MEM, REG, SREG, type Op, type Operand } from './decode.ts'
import {
  ACTIVITY, CR0, CR2, CR3, CR4, CS, EFLAGS, EIP, ESP, EVENT, EVENT_ERROR, EVENT_EXCEPTION, EVENT_HAS_ERROR, EVENT_VALID,
  GDT_BASE, GDT_LIMIT, IDT_BASE, IDT_LIMIT, IF, LDTR, NT, REGISTER_WORDS, RF, SEG_ATTR, SEG_BASE, SEG_LIMIT, SELECTOR, SHADOW,
  SHADOW_MOV_SS, SHADOW_NMI, SHADOW_STI, SHUTDOWN, SS, TF, VM,
} from './registers.ts'

export const DE = 0
export const UD = 6
export const DF = 8
export const TS = 10
export const NP = 11
export const SF_ = 12
export const GP = 13
export const PF_ = 14
/** Exceptions that push an error code, and those that combine to a double fault (SDM vol. 3A table 7-5). */
const WITH_ERROR = new Set([DF, TS, NP, SF_, GP, PF_, 17])
const CONTRIBUTORY = new Set([DE, TS, NP, SF_, GP])
const PAGING = 1 << 31
const WRITE_PROTECT = 1 << 16
const CR4_PSE = 1 << 4

export class Cpu {
  readonly r: Int32Array
  readonly bus: Bus
  readonly cls: CpuClass
  stop = 0
  faultVector = 0
  faultError = 0
  /** Name of an instruction that the table knows and this CPU does not execute. */
  unimplemented: string | null = null
  /** Address of the instruction after the one that executes. */
  next = 0

  /** @param words the machine's state; @param base first word of the register block */
  constructor(words: Int32Array, base: number, bus: Bus, cls: CpuClass) {
    this.r = words.subarray(base, base + REGISTER_WORDS)
    this.bus = bus
    this.cls = cls
  }

  execute(op: Op): void {
    const r = this.r
    const shadow = r[SHADOW] & (SHADOW_STI | SHADOW_MOV_SS)
    this.stop = 0
    this.unimplemented = null
    this.next = (r[EIP] + op.length) | 0
    op.handler(this, op)
    if (this.stop !== 0) return
    r[EIP] = this.next
    // The shadow covers the one instruction after the one that cast it.
    if (shadow !== 0 && (r[SHADOW] & 3) === shadow) r[SHADOW] &= ~3
  }

  fault(vector: number, error: number = 0): void {
    if (this.stop !== 0) return
    this.stop = STOP_FAULT
    this.faultVector = vector
    this.faultError = error
  }

  /** After STOP_FAULT: the fault becomes the event to deliver, combined with one that was being delivered. */
  raise(): void {
    const r = this.r
    let vector = this.faultVector
    let error = this.faultError
    this.stop = 0
    if ((r[EVENT] & EVENT_VALID) !== 0) {
      const first = r[EVENT] & 0xff
      if (first === DF) {
        r[ACTIVITY] = SHUTDOWN
        r[EVENT] = 0
        return
      }
      const second = CONTRIBUTORY.has(vector)
      if ((CONTRIBUTORY.has(first) && second) || (first === PF_ && (second || vector === PF_))) {
        vector = DF
        error = 0
      }
    }
    r[EVENT] = EVENT_VALID | EVENT_EXCEPTION | vector | (WITH_ERROR.has(vector) ? EVENT_HAS_ERROR : 0)
    r[EVENT_ERROR] = error
  }

  /** Delivers r[EVENT] through an interrupt or trap gate at the same privilege (SDM vol. 3A 7.12.1). */
  deliver(): void {
    const r = this.r
    const event = r[EVENT]
    const vector = event & 0xff
    this.stop = 0
    if (vector * 8 + 7 > r[IDT_LIMIT] >>> 0) return this.fault(GP, vector * 8 + 2)
    const low = this.readLinear((r[IDT_BASE] + vector * 8) | 0, 4)
    const high = this.readLinear((r[IDT_BASE] + vector * 8 + 4) | 0, 4)
    if (this.stop !== 0) return
    const type = (high >>> 8) & 0x1f
    if (type !== 0x0e && type !== 0x0f) return this.fault(GP, vector * 8 + 2)
    if ((high & 0x8000) === 0) return this.fault(NP, vector * 8 + 2)
    const selector = low >>> 16
    const descriptor = this.readDescriptor(selector)
    if (this.stop !== 0) return
    const attr = attrOf(descriptor.high)
    if ((attr & 0x18) !== 0x18) return this.fault(GP, selector & ~3)
    if ((attr & 0x80) === 0) return this.fault(NP, selector & ~3)
    let esp = r[ESP]
    const frame = [r[EFLAGS], r[SELECTOR + CS], r[EIP]]
    if ((event & EVENT_HAS_ERROR) !== 0) frame.push(r[EVENT_ERROR])
    for (const value of frame) {
      esp = (esp - 4) | 0
      this.writeMemory(SS, esp, 4, value)
      if (this.stop !== 0) return
    }
    r[ESP] = esp
    this.setSegment(CS, selector, descriptor)
    r[EIP] = (low & 0xffff) | (high & ~0xffff)
    r[EFLAGS] &= ~(TF | NT | RF | VM | (type === 0x0e ? IF : 0))
    r[SHADOW] &= ~3
    if (vector === 2 && ((event >>> 8) & 7) === 2) r[SHADOW] |= SHADOW_NMI
    r[EVENT] = 0
    r[EVENT_ERROR] = 0
  }

  canTakeInterrupt(): boolean {
    return (this.r[EFLAGS] & IF) !== 0 && (this.r[SHADOW] & 3) === 0
  }
  canTakeNmi(): boolean {
    return (this.r[SHADOW] & (SHADOW_NMI | SHADOW_MOV_SS)) === 0
  }

  /** Physical address of the code byte at offset `offset` of CS; may fault. */
  fetchPhysical(offset: number): number {
    if (offset >>> 0 > this.r[SEG_LIMIT + CS] >>> 0) {
      this.fault(GP, 0)
      return 0
    }
    return this.translate((this.r[SEG_BASE + CS] + offset) | 0, false)
  }

  // --- operands ---------------------------------------------------------------------------------------

  /** Offset of the memory operand. */
  address(op: Op): number {
    const r = this.r
    let offset = op.disp
    if (op.base >= 0) offset += r[op.base]
    if (op.index >= 0) offset += r[op.index] << op.scale
    return op.addrSize === 4 ? offset | 0 : offset & 0xffff
  }

  /** Value of an operand, zero-extended to its size (4: int32). May stop. */
  get(op: Op, operand: Operand): number {
    switch (operand.kind) {
      case REG:
        return this.register(operand.value, operand.size)
      case MEM:
        return this.readMemory(op.seg, this.address(op), operand.size)
      case IMM:
        return operand.size === 4 ? operand.value : operand.value & (operand.size === 1 ? 0xff : 0xffff)
      case SREG:
        return this.r[SELECTOR + operand.value]
      default:
        return 0
    }
  }

  /** Writes a general operand; a register only when nothing has stopped. */
  set(op: Op, operand: Operand, value: number): void {
    if (operand.kind === MEM) this.writeMemory(op.seg, this.address(op), operand.size, value)
    else if (this.stop === 0) this.setRegister(operand.value, operand.size, value)
  }

  /** A read-modify-write instruction is about to touch its destination. */
  beginLocked(op: Op): void {
    if (op.lock) this.bus.locked = true
  }

  register(index: number, size: number): number {
    const r = this.r
    if (size === 4) return r[index]
    if (size === 2) return r[index] & 0xffff
    return index < 4 ? r[index] & 0xff : (r[index - 4] >>> 8) & 0xff
  }

  setRegister(index: number, size: number, value: number): void {
    const r = this.r
    if (size === 4) r[index] = value
    else if (size === 2) r[index] = (r[index] & ~0xffff) | (value & 0xffff)
    else if (index < 4) r[index] = (r[index] & ~0xff) | (value & 0xff)
    else r[index - 4] = (r[index - 4] & ~0xff00) | ((value & 0xff) << 8)
  }

  // --- memory -----------------------------------------------------------------------------------------

  readMemory(seg: number, offset: number, size: number): number {
    const linear = this.linear(seg, offset, size, false)
    return this.stop !== 0 ? 0 : this.readLinear(linear, size)
  }

  writeMemory(seg: number, offset: number, size: number, value: number): void {
    const linear = this.linear(seg, offset, size, true)
    if (this.stop === 0) this.writeLinear(linear, size, value)
  }

  readLinear(linear: number, size: number): number {
    if (this.stop !== 0) return 0
    if ((linear & 0xfff) + size > 0x1000) {
      let value = 0
      for (let b = 0; b < size; b++) value |= this.readLinear((linear + b) | 0, 1) << (b * 8)
      return value
    }
    const physical = this.translate(linear, false)
    if (this.stop !== 0) return 0
    return size === 4 ? this.bus.read32(physical) : size === 1 ? this.bus.read8(physical) : this.bus.read16(physical)
  }

  writeLinear(linear: number, size: number, value: number): void {
    if (this.stop !== 0) return
    if ((linear & 0xfff) + size > 0x1000) {
      // Both pages must be writable before a byte is written (SDM vol. 3A 7.5: faults restart the instruction).
      this.translate((linear + size - 1) | 0, true)
      for (let b = 0; b < size; b++) this.writeLinear((linear + b) | 0, 1, (value >>> (b * 8)) & 0xff)
      return
    }
    const physical = this.translate(linear, true)
    if (this.stop !== 0) return
    if (size === 4) this.bus.write32(physical, value)
    else if (size === 1) this.bus.write8(physical, value)
    else this.bus.write16(physical, value)
  }

  /** Segment and limit checks (SDM vol. 3A 6.3): the linear address, or a fault. */
  linear(seg: number, offset: number, size: number, write: boolean): number {
    const r = this.r
    const attr = r[SEG_ATTR + seg]
    const limit = r[SEG_LIMIT + seg] >>> 0
    const last = (offset >>> 0) + size - 1
    const code = (attr & 8) !== 0
    const bad =
      (attr & 0x80) === 0 ||
      (write ? code || (attr & 2) === 0 : code && (attr & 2) === 0) ||
      (!code && (attr & 4) !== 0 ? offset >>> 0 <= limit : last > limit)
    if (bad) this.fault(seg === SS ? SF_ : GP, 0)
    return (r[SEG_BASE + seg] + offset) | 0
  }

  /** Two-level page walk (SDM vol. 3A 5.3) where paging is on. */
  translate(linear: number, write: boolean): number {
    const r = this.r
    if ((r[CR0] & PAGING) === 0) return linear
    const user = (r[SELECTOR + CS] & 3) === 3
    const refuse = (present: boolean): number => {
      if (this.stop === 0) r[CR2] = linear
      this.fault(PF_, (present ? 1 : 0) | (write ? 2 : 0) | (user ? 4 : 0))
      return 0
    }
    const directory = (r[CR3] & ~0xfff) + (linear >>> 22) * 4
    const pde = this.bus.walk32(directory)
    if (this.stop !== 0) return 0
    if ((pde & 1) === 0) return refuse(false)
    const large = (pde & 0x80) !== 0 && (r[CR4] & CR4_PSE) !== 0
    const table = (pde & ~0xfff) + ((linear >>> 12) & 0x3ff) * 4
    const entry = large ? pde : this.bus.walk32(table)
    if (this.stop !== 0) return 0
    if ((entry & 1) === 0) return refuse(false)
    const rights = pde & entry
    if ((user && (rights & 4) === 0) || (write && (rights & 2) === 0 && (user || (r[CR0] & WRITE_PROTECT) !== 0))) return refuse(true)
    if (!large && (pde & 0x20) === 0) this.bus.walkOr(directory, 0x20)
    const marks = write ? 0x60 : 0x20
    if ((entry & marks) !== marks) this.bus.walkOr(large ? directory : table, marks)
    return large ? (pde & 0xffc00000) | (linear & 0x3fffff) : (entry & ~0xfff) | (linear & 0xfff)
  }

  // --- segments ---------------------------------------------------------------------------------------

  readDescriptor(selector: number): Descriptor {
    const r = this.r
    const local = (selector & 4) !== 0
    const base = local ? r[SEG_BASE + LDTR] : r[GDT_BASE]
    const limit = (local ? r[SEG_LIMIT + LDTR] : r[GDT_LIMIT]) >>> 0
    if ((selector & ~3) === 0 || (selector | 7) > limit) {
      this.fault(GP, selector & ~3)
      return { low: 0, high: 0 }
    }
    const low = this.readLinear((base + (selector & ~7)) | 0, 4)
    const high = this.readLinear((base + (selector & ~7) + 4) | 0, 4)
    return { low, high }
  }

  /** Loads a data segment register (MOV, POP, LDS...; SDM vol. 3A 4.4.4). */
  loadSegment(seg: number, selector: number): void {
    if ((selector & ~3) === 0 && seg !== SS && seg !== CS) {
      this.r[SELECTOR + seg] = selector
      this.r[SEG_ATTR + seg] = 0
      return
    }
    const descriptor = this.readDescriptor(selector)
    if (this.stop !== 0) return
    const attr = attrOf(descriptor.high)
    const code = (attr & 8) !== 0
    const wrong = seg === SS ? code || (attr & 2) === 0 : code && (attr & 2) === 0
    if ((attr & 0x10) === 0 || wrong) return this.fault(GP, selector & ~3)
    if ((attr & 0x80) === 0) return this.fault(seg === SS ? SF_ : NP, selector & ~3)
    this.setSegment(seg, selector, descriptor)
  }

  setSegment(seg: number, selector: number, { low, high }: Descriptor): void {
    const r = this.r
    const attr = attrOf(high)
    const limit = (low & 0xffff) | (high & 0xf0000)
    r[SELECTOR + seg] = selector
    r[SEG_BASE + seg] = (low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)
    r[SEG_LIMIT + seg] = (attr & 0x8000) !== 0 ? (limit << 12) | 0xfff : limit
    r[SEG_ATTR + seg] = attr | 1
  }

  // --- stack ------------------------------------------------------------------------------------------

  /** Writes below the stack pointer `esp`; the caller commits the new one. */
  pushAt(esp: number, size: number, value: number): number {
    const next = (esp - size) | 0
    this.writeMemory(SS, next, size, value)
    return next
  }
}

export interface Descriptor {
  readonly low: number
  readonly high: number
}

/** Descriptor bits 40-47 and 52-55 as registers.ts keeps them. */
function attrOf(high: number): number {
  return (high >>> 8) & 0xf0ff
}

