/** Segments: limit and type checks, descriptors, loading segment registers (SDM vol. 3A chapters 3 and 6). */
import type { Cpu } from './cpu.ts'
import { GP, NP, SS_ } from './exceptions.ts'
import { CS, GDT_BASE, GDT_LIMIT, LDTR, SEG_ATTR, SEG_BASE, SEG_LIMIT, SELECTOR, SS } from './registers.ts'

export interface Descriptor {
  readonly low: number
  readonly high: number
}

/** Descriptor bits 40-47 and 52-55 as registers.ts keeps them. */
export function attrOf(high: number): number {
  return (high >>> 8) & 0xf0ff
}

/** Segment and limit checks (SDM vol. 3A 6.3): the linear address, or a fault. */
export function linearAddress(cpu: Cpu, seg: number, offset: number, size: number, write: boolean): number {
  const r = cpu.r
  const attr = r[SEG_ATTR + seg]
  const limit = r[SEG_LIMIT + seg] >>> 0
  const last = (offset >>> 0) + size - 1
  const code = (attr & 8) !== 0
  const bad =
    (attr & 0x80) === 0 ||
    (write ? code || (attr & 2) === 0 : code && (attr & 2) === 0) ||
    (!code && (attr & 4) !== 0 ? offset >>> 0 <= limit : last > limit)
  if (bad) cpu.fault(seg === SS ? SS_ : GP, 0)
  return (r[SEG_BASE + seg] + offset) | 0
}

export function readDescriptor(cpu: Cpu, selector: number): Descriptor {
  const r = cpu.r
  const local = (selector & 4) !== 0
  const base = local ? r[SEG_BASE + LDTR] : r[GDT_BASE]
  const limit = (local ? r[SEG_LIMIT + LDTR] : r[GDT_LIMIT]) >>> 0
  if ((selector & ~3) === 0 || (selector | 7) > limit) {
    cpu.fault(GP, selector & ~3)
    return { low: 0, high: 0 }
  }
  const low = cpu.readLinear((base + (selector & ~7)) | 0, 4)
  const high = cpu.readLinear((base + (selector & ~7) + 4) | 0, 4)
  return { low, high }
}

/** Loads a data segment register (MOV, POP, LDS...; SDM vol. 3A 4.4.4). */
export function loadSegment(cpu: Cpu, seg: number, selector: number): void {
  if ((selector & ~3) === 0 && seg !== SS && seg !== CS) {
    cpu.r[SELECTOR + seg] = selector
    cpu.r[SEG_ATTR + seg] = 0
    return
  }
  const descriptor = readDescriptor(cpu, selector)
  if (cpu.stop !== 0) return
  const attr = attrOf(descriptor.high)
  const code = (attr & 8) !== 0
  const wrong = seg === SS ? code || (attr & 2) === 0 : code && (attr & 2) === 0
  if ((attr & 0x10) === 0 || wrong) return cpu.fault(GP, selector & ~3)
  if ((attr & 0x80) === 0) return cpu.fault(seg === SS ? SS_ : NP, selector & ~3)
  setSegment(cpu, seg, selector, descriptor)
}

export function setSegment(cpu: Cpu, seg: number, selector: number, { low, high }: Descriptor): void {
  const r = cpu.r
  const attr = attrOf(high)
  const limit = (low & 0xffff) | (high & 0xf0000)
  r[SELECTOR + seg] = selector
  r[SEG_BASE + seg] = (low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)
  r[SEG_LIMIT + seg] = (attr & 0x8000) !== 0 ? (limit << 12) | 0xfff : limit
  r[SEG_ATTR + seg] = attr | 1
}
