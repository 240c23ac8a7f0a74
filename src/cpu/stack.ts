/** A stack that need not be the current one yet: what gates and task switches push on (SDM vol. 3A 7.12.1). */
import type { Cpu } from './cpu.ts'
import { AC_, GP, SS_, TS_ } from './exceptions.ts'
import { cplOf } from './modes.ts'
import { ATTR_BIG, ATTR_PRESENT, ESP, SEG_ATTR, SEG_BASE, SEG_LIMIT, SELECTOR, SS, TR } from './registers.ts'
import {
  attrOf, baseOf, dataSegmentFault, isNull, isOutside, limitOf, markAccessed, misaligned, readDescriptor, selectorError, setSegment, type Descriptor,
} from './segmentation.ts'

export interface Stack {
  readonly selector: number
  /** Null: the current stack. */
  readonly descriptor: Descriptor | null
  readonly base: number
  readonly limit: number
  readonly attr: number
  /** Pushes are user accesses. */
  readonly user: boolean
  /** Error code of the #SS when it overflows. */
  readonly error: number
  esp: number
}

export function currentStack(cpu: Cpu, error: number): Stack {
  const r = cpu.r
  return {
    selector: r[SELECTOR + SS], descriptor: null, base: r[SEG_BASE + SS], limit: r[SEG_LIMIT + SS], attr: r[SEG_ATTR + SS],
    user: cplOf(r) === 3, error, esp: r[ESP],
  }
}

/**
 * The stack that the TSS names for privilege level `cpl`, checked (SDM vol. 2A, CALL and INT n: "more privilege").
 * Raises #TS or #SS with bit 0 of the error code `ext`; the result counts only when nothing stopped.
 */
export function innerStack(cpu: Cpu, cpl: number, ext: number): Stack | null {
  const r = cpu.r
  const wide = (r[SEG_ATTR + TR] & 8) !== 0
  const at = wide ? cpl * 8 + 4 : cpl * 4 + 2
  if (at + (wide ? 5 : 3) > r[SEG_LIMIT + TR] >>> 0) {
    cpu.fault(TS_, selectorError(r[SELECTOR + TR]) | ext)
    return null
  }
  const linear = (r[SEG_BASE + TR] + at) | 0
  const esp = cpu.readSystem(linear, wide ? 4 : 2)
  const selector = cpu.readSystem((linear + (wide ? 4 : 2)) | 0, 2)
  if (cpu.stop !== 0) return null
  if (isNull(selector)) {
    cpu.fault(TS_, ext)
    return null
  }
  const descriptor = readDescriptor(cpu, selector, TS_, ext)
  if (cpu.stop !== 0) return null
  const attr = attrOf(descriptor.high)
  const wrong = dataSegmentFault(SS, selector, attr, cpl)
  if (wrong !== 0) {
    cpu.fault(wrong === GP ? TS_ : wrong, selectorError(selector) | ext)
    return null
  }
  const mask = (attr & ATTR_BIG) !== 0 ? -1 : 0xffff
  return {
    selector, descriptor, base: baseOf(descriptor), limit: limitOf(descriptor), attr, user: cpl === 3, error: selectorError(selector) | ext,
    esp: (r[ESP] & ~mask) | (esp & mask),
  }
}

/** Writes a word or dword below the top; may stop. */
export function pushOn(cpu: Cpu, stack: Stack, size: number, value: number): void {
  if (cpu.stop !== 0) return
  const mask = (stack.attr & ATTR_BIG) !== 0 ? -1 : 0xffff
  const offset = (stack.esp - size) & mask
  if ((stack.attr & ATTR_PRESENT) === 0 || isOutside(stack.attr, stack.limit, offset, size)) return cpu.fault(SS_, stack.error)
  if (stack.user && misaligned(cpu.r, (stack.base + offset) | 0, size)) return cpu.fault(AC_, 0)
  cpu.writeAs((stack.base + offset) | 0, size, value, stack.user)
  stack.esp = (stack.esp & ~mask) | offset
}

/** Marks the descriptor accessed; the last access before `commitStack`. */
export function touchStack(cpu: Cpu, stack: Stack): void {
  if (stack.descriptor !== null && cpu.stop === 0) markAccessed(cpu, stack.selector, stack.descriptor)
}

/** Makes it the current stack. */
export function commitStack(cpu: Cpu, stack: Stack): void {
  if (stack.descriptor !== null) setSegment(cpu, SS, stack.selector, stack.descriptor)
  cpu.r[ESP] = stack.esp
}
