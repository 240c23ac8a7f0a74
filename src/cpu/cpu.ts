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
import { executeWatched } from './debug.ts'
import { GP } from './exceptions.ts'
import { isUser, stackMask } from './modes.ts'
import { translate, Walk } from './paging.ts'
import {
  AC, CS, DR7, EFLAGS, EIP, ESP, ID, IF, REGISTER_WORDS, RF, SEG_BASE, SEG_LIMIT, SELECTOR, SHADOW, SHADOW_MOV_SS, SHADOW_NMI, SS, TF, VIF, VIP,
} from './registers.ts'
import { linearAddress } from './segmentation.ts'
import { FIXED_FLAGS, type UndefinedFlags } from './undefinedFlags.ts'

export class Cpu {
  readonly r: Int32Array
  /** The bytes of `r`. */
  readonly r8: Uint8Array
  readonly bus: Bus
  readonly cls: CpuClass
  stop = 0
  faultVector = 0
  faultError = 0
  /** Linear address of a page fault: CR2 once it is raised. */
  faultAddress = 0
  /** Of a #UD: that xmcheck does not model the instruction, or that the CPU class does not have it. */
  remark: string | null = null
  /** The last page walk. */
  readonly walk = new Walk()
  /** What a read-modify-write instruction is about to write back: size in bytes (0: nothing), linear and physical address. */
  private updateSize = 0
  private updateLinear = 0
  private updatePhysical = 0
  /** Of the last store: page address of the linear one XOR that of the physical one; 0 where they are the same, as without paging. */
  storeAlias = 0
  /** Of the last translation: caches hold nothing of the page. */
  uncached = false
  /** EFLAGS bits that the class has. */
  readonly flagsMask: number
  /** EIP of the instruction after the one that executes. */
  next = 0
  /** The write of this attempt puts back what a failed CMPXCHG read. */
  compareFailed = false
  /** Initial local APIC id, as CPUID reports it. */
  apicId = 0
  // Of the instruction that executes, for debug.ts: data breakpoints touched (DR6 bits), RF stays as it is now, it switched tasks.
  debugHits = 0
  keepsRf = false
  switchedTask = false

  /** An Intel386: flags that are undefined are its own (flags386.ts). */
  readonly is386: boolean
  /** What undefined flags are; 1 where they are chosen. */
  readonly undefinedFlags: UndefinedFlags
  readonly #chooses: number

  /** @param words the machine's state; @param base first word of the register block */
  constructor(words: Int32Array, base: number, bus: Bus, cls: CpuClass, undefinedFlags: UndefinedFlags = FIXED_FLAGS) {
    this.r = words.subarray(base, base + REGISTER_WORDS)
    this.r8 = new Uint8Array(this.r.buffer, this.r.byteOffset, this.r.byteLength)
    this.bus = bus
    this.cls = cls
    this.flagsMask = flagsOf(cls)
    this.is386 = cls.family === 3
    this.undefinedFlags = undefinedFlags
    this.#chooses = undefinedFlags.kind === 'fixed' ? 0 : 1
  }

  execute(op: Op): void {
    const r = this.r
    this.stop = 0
    this.updateSize = 0
    this.remark = null
    this.next = (r[EIP] + op.length) | 0
    if ((this.next - 1) >>> 0 > r[SEG_LIMIT + CS] >>> 0) return this.fault(GP, 0)
    if (((r[EFLAGS] & (TF | RF)) | (r[SHADOW] & 3) | (r[DR7] & 0xff) | this.#chooses) !== 0) {
      this.debugHits = 0
      this.keepsRf = false
      this.switchedTask = false
      return executeWatched(this, op)
    }
    op.handler(this, op)
    if (this.stop === 0) r[EIP] = this.next
  }

  /** The REP instruction that executes goes on with its next iteration: EIP stays, and an interrupt here pushes RF set. */
  repeat(): void {
    this.next = this.r[EIP]
    this.r[EFLAGS] |= RF
    this.keepsRf = true
  }

  fault(vector: number, error: number = 0): void {
    if (this.stop !== 0) return
    this.updateSize = 0
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
    return translate(this, (this.r[SEG_BASE + CS] + offset) | 0, false, isUser(this.r), true)
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

  /** Value of the destination of a read-modify-write instruction, as `get`. */
  getForUpdate(op: Op, operand: Operand): number {
    if (operand.kind !== MEM) return this.register(operand.value, operand.size)
    if (op.lock) this.bus.locked = true
    return this.readForUpdate(op.seg, this.address(op), operand.size)
  }

  /** Writes a general operand; a register only when nothing has stopped. */
  set(op: Op, operand: Operand, value: number): void {
    if (operand.kind === MEM) this.writeMemory(op.seg, this.address(op), operand.size, value)
    else if (this.stop === 0) this.setRegister(operand.value, operand.size, value)
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

  /** Reads what an instruction will write back: a fault is a write's (SDM vol. 3A 5.7, W/R). */
  readForUpdate(seg: number, offset: number, size: number): number {
    const linear = this.linear(seg, offset, size, true)
    if (this.stop !== 0) return 0
    const user = isUser(this.r)
    if ((linear & 0xfff) + size > 0x1000) return this.readAcross(linear, size, user, true)
    const physical = translate(this, linear, true, user, false)
    if (this.stop !== 0) return 0
    // Read and write are of one location, whatever a second look at the tables would give.
    this.updateSize = size
    this.updateLinear = linear
    this.updatePhysical = physical
    return this.readPhysical(physical, size)
  }

  readLinear(linear: number, size: number): number {
    return this.readAs(linear, size, isUser(this.r))
  }
  writeLinear(linear: number, size: number, value: number): void {
    this.writeAs(linear, size, value, isUser(this.r))
  }
  /** Accesses to descriptor tables and task state: supervisor's at any CPL (SDM vol. 3A 5.6). */
  readSystem(linear: number, size: number): number {
    return this.readAs(linear, size, false)
  }
  writeSystem(linear: number, size: number, value: number): void {
    this.writeAs(linear, size, value, false)
  }

  readAs(linear: number, size: number, user: boolean): number {
    if (this.stop !== 0) return 0
    if ((linear & 0xfff) + size > 0x1000) return this.readAcross(linear, size, user, false)
    const physical = translate(this, linear, false, user, false)
    return this.stop !== 0 ? 0 : this.readPhysical(physical, size)
  }

  private readPhysical(physical: number, size: number): number {
    return size === 4 ? this.bus.read32(physical) : size === 1 ? this.bus.read8(physical) : this.bus.read16(physical)
  }

  /** Across a page boundary: both pages must be accessible before a byte is read. */
  private readAcross(linear: number, size: number, user: boolean, write: boolean): number {
    const first = translate(this, linear, write, user, false)
    const firstUncached = this.uncached
    const room = 0x1000 - (linear & 0xfff)
    const second = this.stop !== 0 ? 0 : translate(this, (linear + room) | 0, write, user, false)
    const secondUncached = this.uncached
    let value = 0
    for (let b = 0; b < size && this.stop === 0; b++) {
      this.uncached = b < room ? firstUncached : secondUncached
      value |= this.bus.read8(b < room ? first + b : second + b - room) << (b * 8)
    }
    return this.stop !== 0 ? 0 : value
  }

  writeAs(linear: number, size: number, value: number, user: boolean): void {
    if (this.stop !== 0) return
    const updates = this.updateSize === size && this.updateLinear === linear
    const physical = updates ? this.updatePhysical : translate(this, linear, true, user, false)
    if (this.stop !== 0) return
    this.updateSize = 0
    this.storeAlias = (linear ^ physical) & ~0xfff
    if ((linear & 0xfff) + size > 0x1000) {
      // Both pages must be writable before a byte is written (SDM vol. 3A 7.5: faults restart the instruction).
      const room = 0x1000 - (linear & 0xfff)
      const firstUncached = this.uncached
      const second = translate(this, (linear + room) | 0, true, user, false)
      const secondUncached = this.uncached
      for (let b = 0; b < size && this.stop === 0; b++) {
        this.uncached = b < room ? firstUncached : secondUncached
        if (b === room) this.storeAlias = ((linear + room) ^ second) & ~0xfff
        this.bus.write8(b < room ? physical + b : second + b - room, (value >>> (b * 8)) & 0xff)
      }
    } else if (size === 4) this.bus.write32(physical, value)
    else if (size === 1) this.bus.write8(physical, value)
    else this.bus.write16(physical, value)
  }

  /** Linear address of an access of `size` bytes, checked against the segment; may fault. */
  linear(seg: number, offset: number, size: number, write: boolean): number {
    return linearAddress(this, seg, offset, size, write)
  }
  /** Physical address of a linear one, for an access at the present privilege level; may fault. */
  translate(linear: number, write: boolean): number {
    return translate(this, linear, write, isUser(this.r), false)
  }
  translateSystem(linear: number, write: boolean): number {
    return translate(this, linear, write, false, false)
  }

  // --- stack ------------------------------------------------------------------------------------------

  /** Writes below the stack pointer `esp`; the caller commits the new one. SS.B says which bits of it count. */
  pushAt(esp: number, size: number, value: number): number {
    const mask = stackMask(this.r)
    const offset = (esp - size) & mask
    this.writeMemory(SS, offset, size, value)
    return (esp & ~mask) | offset
  }

  /** Reads `above` bytes over the stack pointer. */
  readStack(above: number, size: number): number {
    const r = this.r
    return this.readMemory(SS, (r[ESP] + above) & stackMask(r), size)
  }

  /** The stack pointer moved up by `bytes`. */
  espAbove(bytes: number): number {
    const r = this.r
    const mask = stackMask(r)
    return (r[ESP] & ~mask) | ((r[ESP] + bytes) & mask)
  }
}

/** CF PF AF ZF SF TF IF DF OF IOPL NT RF VM, and what later parts added (SDM vol. 1 3.4.3). */
function flagsOf({ features }: CpuClass): number {
  return 0x37fd5 | (features.has('486') ? AC : 0) | (features.has('vme') ? VIF | VIP : 0) | (features.has('cpuid') ? ID : 0)
}
