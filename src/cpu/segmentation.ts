/** Segments: limit and type checks, descriptors, loading segment registers (SDM vol. 3A chapters 3 and 6). */
import { noteDataBreakpoints } from './debug.ts'
import type { Cpu } from './cpu.ts'
import { AC_, GP, NP, SS_ } from './exceptions.ts'
import { cplOf, inProtectedMode, inRealMode, inVirtual8086, isUser } from './modes.ts'
import {
  AC, ATTR_ACCESSED, ATTR_BIG, ATTR_CODE, ATTR_CONFORMING, ATTR_DPL_SHIFT, ATTR_EXPAND_DOWN, ATTR_GRANULAR, ATTR_PRESENT, ATTR_RW,
  ATTR_SEGMENT, CR0, CR0_AM, CS, DR7, EFLAGS, GDT_BASE, GDT_LIMIT, LDTR, SEG_ATTR, SEG_BASE, SEG_LIMIT, SELECTOR, SS,
} from './registers.ts'

/** The eight bytes of a descriptor. */
export interface Descriptor {
  readonly low: number
  readonly high: number
}

/** Bits of an error code that stand for the selector: without its RPL. */
export function selectorError(selector: number): number {
  return selector & 0xfffc
}
export function isNull(selector: number): boolean {
  return (selector & 0xfffc) === 0
}

/** Descriptor bits 40-47 and 52-55 as registers.ts keeps them. */
export function attrOf(high: number): number {
  return (high >>> 8) & 0xf0ff
}
export function dplOf(attr: number): number {
  return (attr >> ATTR_DPL_SHIFT) & 3
}
export function baseOf({ low, high }: Descriptor): number {
  return (low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)
}
/** In bytes, scaled; as an unsigned number in an int32. */
export function limitOf({ low, high }: Descriptor): number {
  const limit = (low & 0xffff) | (high & 0xf0000)
  return (attrOf(high) & ATTR_GRANULAR) !== 0 ? (limit << 12) | 0xfff : limit
}

export function isCode(attr: number): boolean {
  return (attr & (ATTR_SEGMENT | ATTR_CODE)) === (ATTR_SEGMENT | ATTR_CODE)
}
export function isConforming(attr: number): boolean {
  return (attr & ATTR_CONFORMING) !== 0
}
export function isWritableData(attr: number): boolean {
  return (attr & (ATTR_SEGMENT | ATTR_CODE | ATTR_RW)) === (ATTR_SEGMENT | ATTR_RW)
}
/** Data, or code that may be read. */
export function isReadable(attr: number): boolean {
  return (attr & ATTR_SEGMENT) !== 0 && (attr & (ATTR_CODE | ATTR_RW)) !== ATTR_CODE
}

/** Whether bytes `offset` to `offset + size - 1` are outside the segment (SDM vol. 3A 6.3). */
export function isOutside(attr: number, limit: number, offset: number, size: number): boolean {
  const first = offset >>> 0
  const last = first + size - 1
  if ((attr & (ATTR_CODE | ATTR_EXPAND_DOWN)) !== ATTR_EXPAND_DOWN) return last > limit >>> 0
  return first <= limit >>> 0 || last > ((attr & ATTR_BIG) !== 0 ? 0xffffffff : 0xffff)
}

/** The linear address of an access through a segment register, or a fault (SDM vol. 3A 6.3 to 6.5). */
export function linearAddress(cpu: Cpu, seg: number, offset: number, size: number, write: boolean): number {
  const r = cpu.r
  const attr = r[SEG_ATTR + seg]
  const readable = (attr & ATTR_PRESENT) !== 0 && (attr & (ATTR_CODE | ATTR_RW)) !== ATTR_CODE
  const allowed = write ? (attr & (ATTR_PRESENT | ATTR_CODE | ATTR_RW)) === (ATTR_PRESENT | ATTR_RW) : readable
  // In real mode only the limit counts: CS may still have the type that protected mode gave it.
  if ((!allowed && !((attr & ATTR_PRESENT) !== 0 && inRealMode(r))) || isOutside(attr, r[SEG_LIMIT + seg], offset, size)) {
    cpu.fault(seg === SS ? SS_ : GP, 0)
    return 0
  }
  const linear = (r[SEG_BASE + seg] + offset) | 0
  if (((r[EFLAGS] & AC) | (r[DR7] & 0xff)) !== 0) {
    if (misaligned(r, linear, size)) cpu.fault(AC_, 0)
    else noteDataBreakpoints(cpu, linear, size, write)
  }
  return linear
}

/** Alignment checking (SDM vol. 3A 7.15, #AC): at CPL 3, with CR0.AM and EFLAGS.AC. */
export function misaligned(r: Int32Array, linear: number, size: number): boolean {
  return (linear & (size - 1)) !== 0 && (r[EFLAGS] & AC) !== 0 && (r[CR0] & CR0_AM) !== 0 && isUser(r)
}

// --- descriptors ----------------------------------------------------------------------------------------

/** Linear address of a descriptor; -1: null or outside its table. */
function descriptorAddress(r: Int32Array, selector: number): number | null {
  const local = (selector & 4) !== 0
  if (local && (r[SEG_ATTR + LDTR] & ATTR_PRESENT) === 0) return null
  if (!local && isNull(selector)) return null
  const limit = local ? r[SEG_LIMIT + LDTR] : r[GDT_LIMIT]
  if (((selector & 0xffff) | 7) > limit >>> 0) return null
  return ((local ? r[SEG_BASE + LDTR] : r[GDT_BASE]) + (selector & 0xfff8)) | 0
}

/** The descriptor of a selector, or null where there is none (nothing is raised); may stop. */
export function findDescriptor(cpu: Cpu, selector: number): Descriptor | null {
  const at = descriptorAddress(cpu.r, selector)
  if (at === null) return null
  const low = cpu.readSystem(at, 4)
  const high = cpu.readSystem((at + 4) | 0, 4)
  return { low, high }
}

const NO_DESCRIPTOR: Descriptor = { low: 0, high: 0 }

/** The descriptor of a selector that is not null; outside its table: exception `vector`. `ext` is bit 0 of the error code. */
export function readDescriptor(cpu: Cpu, selector: number, vector: number = GP, ext: number = 0): Descriptor {
  const descriptor = findDescriptor(cpu, selector)
  if (descriptor !== null) return descriptor
  cpu.fault(vector, selectorError(selector) | ext)
  return NO_DESCRIPTOR
}

/** Sets the accessed bit of a code or data descriptor, if it is not set. */
export function markAccessed(cpu: Cpu, selector: number, descriptor: Descriptor): void {
  if ((attrOf(descriptor.high) & ATTR_ACCESSED) === 0) setTypeBits(cpu, selector, ATTR_ACCESSED)
}

/** Sets bits of the access-rights byte by a locked OR. */
export function setTypeBits(cpu: Cpu, selector: number, bits: number): void {
  const at = descriptorAddress(cpu.r, selector)
  if (at === null) return
  const physical = cpu.translateSystem((at + 5) | 0, true)
  if (cpu.stop === 0) cpu.bus.walkOr(physical & ~3, bits << ((physical & 3) * 8))
}

/** Clears bits of the access-rights byte. */
export function clearTypeBits(cpu: Cpu, selector: number, bits: number): void {
  const at = descriptorAddress(cpu.r, selector)
  if (at === null) return
  const rights = cpu.readSystem((at + 5) | 0, 1)
  cpu.writeSystem((at + 5) | 0, 1, rights & ~bits)
}

// --- segment registers ----------------------------------------------------------------------------------

export function setSegment(cpu: Cpu, seg: number, selector: number, descriptor: Descriptor): void {
  const r = cpu.r
  const attr = attrOf(descriptor.high)
  r[SELECTOR + seg] = selector
  r[SEG_BASE + seg] = baseOf(descriptor)
  r[SEG_LIMIT + seg] = limitOf(descriptor)
  r[SEG_ATTR + seg] = (attr & ATTR_SEGMENT) !== 0 ? attr | ATTR_ACCESSED : attr
}

/** A code segment at privilege level `cpl`. */
export function setCodeSegment(cpu: Cpu, selector: number, descriptor: Descriptor, cpl: number): void {
  setSegment(cpu, CS, (selector & 0xfffc) | cpl, descriptor)
}

/** A null selector: any use faults. Base and limit stay, as on Intel parts. */
export function setNullSegment(cpu: Cpu, seg: number, selector: number): void {
  cpu.r[SELECTOR + seg] = selector
  cpu.r[SEG_ATTR + seg] = 0
}

/** Present, DPL 3, writable data: the rights that virtual-8086 mode gives every segment. */
const VIRTUAL_8086_ATTR = 0xf3
const REAL_ATTR = 0x93

/** A segment of virtual-8086 mode (SDM vol. 3B 22.2.1). */
export function setVirtual8086Segment(cpu: Cpu, seg: number, selector: number): void {
  const r = cpu.r
  r[SELECTOR + seg] = selector
  r[SEG_BASE + seg] = selector << 4
  r[SEG_LIMIT + seg] = 0xffff
  r[SEG_ATTR + seg] = VIRTUAL_8086_ATTR
}

/**
 * A segment load in real or virtual-8086 mode. In real mode limit and size stay as protected mode left them
 * (SDM vol. 3A 11.9.2); CS becomes writable.
 */
export function setRealSegment(cpu: Cpu, seg: number, selector: number): void {
  const r = cpu.r
  if (inVirtual8086(r)) return setVirtual8086Segment(cpu, seg, selector)
  r[SELECTOR + seg] = selector
  r[SEG_BASE + seg] = selector << 4
  const attr = r[SEG_ATTR + seg]
  if (seg === CS || (attr & ATTR_PRESENT) === 0) r[SEG_ATTR + seg] = (attr & (ATTR_BIG | ATTR_GRANULAR)) | REAL_ATTR
}

/**
 * Whether a descriptor may be loaded into a data segment register or SS at privilege level `cpl`: 0, or the vector of the
 * exception (GP stands for GP or, in a task switch, TS). SDM vol. 3A 6.6 and 6.7.
 */
export function dataSegmentFault(seg: number, selector: number, attr: number, cpl: number): number {
  const rpl = selector & 3
  const dpl = dplOf(attr)
  if (seg === SS) {
    if (!isWritableData(attr) || rpl !== cpl || dpl !== cpl) return GP
    return (attr & ATTR_PRESENT) === 0 ? SS_ : 0
  }
  if (!isReadable(attr)) return GP
  const conforming = isCode(attr) && isConforming(attr)
  if (!conforming && (rpl > dpl || cpl > dpl)) return GP
  return (attr & ATTR_PRESENT) === 0 ? NP : 0
}

/** Loads a data segment register or SS, in any mode (MOV, POP, LDS...). Registers change only when nothing stopped. */
export function loadSegment(cpu: Cpu, seg: number, selector: number): void {
  const r = cpu.r
  if (!inProtectedMode(r)) return setRealSegment(cpu, seg, selector)
  if (isNull(selector)) return seg === SS ? cpu.fault(GP, 0) : setNullSegment(cpu, seg, selector)
  const descriptor = readDescriptor(cpu, selector)
  if (cpu.stop !== 0) return
  const wrong = dataSegmentFault(seg, selector, attrOf(descriptor.high), cplOf(r))
  if (wrong !== 0) return cpu.fault(wrong, selectorError(selector))
  markAccessed(cpu, selector, descriptor)
  if (cpu.stop === 0) setSegment(cpu, seg, selector, descriptor)
}

/** Data segments that the new, less privileged level may not use become null, and null selectors 0 (SDM vol. 2B, RET). */
export function nullInaccessible(cpu: Cpu, cpl: number, segments: readonly number[]): void {
  const r = cpu.r
  for (const seg of segments) {
    const attr = r[SEG_ATTR + seg]
    if (isNull(r[SELECTOR + seg])) setNullSegment(cpu, seg, 0)
    else if ((attr & ATTR_PRESENT) !== 0 && !(isCode(attr) && isConforming(attr)) && dplOf(attr) < cpl) setNullSegment(cpu, seg, 0)
  }
}
