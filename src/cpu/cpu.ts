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
import { deliver, raise } from './delivery.ts'
import { GP } from './exceptions.ts'
import { translate } from './paging.ts'
import {
  CS, EFLAGS, EIP, IF, REGISTER_WORDS, SEG_BASE, SEG_LIMIT, SELECTOR, SHADOW, SHADOW_MOV_SS, SHADOW_NMI, SHADOW_STI, SS,
} from './registers.ts'
import { linearAddress } from './segmentation.ts'

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

  /** After STOP_FAULT: the fault becomes the event to deliver. */
  raise(): void {
    raise(this)
  }
  /** Delivers r[EVENT]. */
  deliver(): void {
    deliver(this)
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

  /** Linear address of an access of `size` bytes, checked against the segment; may fault. */
  linear(seg: number, offset: number, size: number, write: boolean): number {
    return linearAddress(this, seg, offset, size, write)
  }
  /** Physical address of a linear one; may fault. */
  translate(linear: number, write: boolean): number {
    return translate(this, linear, write)
  }

  // --- stack ------------------------------------------------------------------------------------------

  /** Writes below the stack pointer `esp`; the caller commits the new one. */
  pushAt(esp: number, size: number, value: number): number {
    const next = (esp - size) | 0
    this.writeMemory(SS, next, size, value)
    return next
  }
}
