/** Segment registers, and the instructions that ask about selectors (SDM vol. 3A 6.10). */
import type { Cpu } from '../cpu.ts'
import { MEM, SREG, type Op } from '../decode.ts'
import { GP, NP, UD } from '../exceptions.ts'
import { setFlags } from '../flags.ts'
import { cplOf, inProtectedMode } from '../modes.ts'
import { ATTR_PRESENT, CS, DS, ES, FS, GS, LDTR, SELECTOR, SHADOW, SHADOW_MOV_SS, SS, TR, ZF } from '../registers.ts'
import {
  attrOf, dplOf, findDescriptor, isCode, isConforming, isNull, isReadable, isWritableData, limitOf, loadSegment, readDescriptor, selectorError,
  setNullSegment, setSegment, setTypeBits, type Descriptor,
} from '../segmentation.ts'
import { BUSY, TSS_16, TSS_32 } from '../taskSwitch.ts'
import type { Handler, HandlerRow } from './handler.ts'

/** MOV and POP to a segment register: SS holds off interrupts and debug traps for one instruction (SDM vol. 3A 7.8.3). */
export function loadRegister(cpu: Cpu, seg: number, selector: number): void {
  if (seg === CS || seg > GS) return cpu.fault(UD)
  loadSegment(cpu, seg, selector)
  if (cpu.stop === 0 && seg === SS) cpu.r[SHADOW] |= SHADOW_MOV_SS
}

/** MOV from and to a segment register. */
export const moveSegment: Handler = (cpu, op) => {
  if (op.a.kind === SREG) {
    const selector = cpu.get(op, op.b)
    if (cpu.stop === 0) loadRegister(cpu, op.a.value, selector & 0xffff)
    return
  }
  if (op.b.value > GS) return cpu.fault(UD)
  storeWord(cpu, op, cpu.r[SELECTOR + op.b.value])
}

/** A word into memory whatever the operand size, into a register zero-extended to it. */
export function storeWord(cpu: Cpu, op: Op, value: number): void {
  if (op.a.kind === MEM) cpu.writeMemory(op.seg, cpu.address(op), 2, value)
  else cpu.setRegister(op.a.value, op.opSize, value)
}

/** LDS, LES, LFS, LGS, LSS: no shadow, they load the pointer as a whole. */
const farPointer = (seg: number): Handler => (cpu, op) => {
  const at = cpu.address(op)
  const offset = cpu.readMemory(op.seg, at, op.opSize)
  const selector = cpu.readMemory(op.seg, (at + op.opSize) | 0, 2)
  if (cpu.stop !== 0) return
  loadSegment(cpu, seg, selector)
  if (cpu.stop === 0) cpu.set(op, op.a, offset)
}

/** Instructions that exist in protected mode only. */
const protectedOnly = (apply: Handler): Handler => (cpu, op) => (inProtectedMode(cpu.r) ? apply(cpu, op) : cpu.fault(UD))
const atLevel0 = (apply: Handler): Handler => protectedOnly((cpu, op) => (cplOf(cpu.r) === 0 ? apply(cpu, op) : cpu.fault(GP, 0)))

const lldt = atLevel0((cpu, op) => {
  const selector = cpu.get(op, op.a) & 0xffff
  if (cpu.stop !== 0) return
  let descriptor: Descriptor | null = null
  if (!isNull(selector)) {
    if ((selector & 4) !== 0) return cpu.fault(GP, selectorError(selector))
    descriptor = readDescriptor(cpu, selector)
    if (cpu.stop !== 0) return
    const attr = attrOf(descriptor.high)
    if ((attr & 0x1f) !== 2) return cpu.fault(GP, selectorError(selector))
    if ((attr & ATTR_PRESENT) === 0) return cpu.fault(NP, selectorError(selector))
  }
  cpu.bus.serialize()
  if (cpu.stop !== 0) return
  if (descriptor === null) setNullSegment(cpu, LDTR, selector)
  else setSegment(cpu, LDTR, selector, descriptor)
})

const ltr = atLevel0((cpu, op) => {
  const selector = cpu.get(op, op.a) & 0xffff
  if (cpu.stop !== 0) return
  if (isNull(selector)) return cpu.fault(GP, 0)
  if ((selector & 4) !== 0) return cpu.fault(GP, selectorError(selector))
  const descriptor = readDescriptor(cpu, selector)
  if (cpu.stop !== 0) return
  const attr = attrOf(descriptor.high)
  const type = attr & 0x1f
  if (type !== TSS_16 && type !== TSS_32) return cpu.fault(GP, selectorError(selector))
  if ((attr & ATTR_PRESENT) === 0) return cpu.fault(NP, selectorError(selector))
  setTypeBits(cpu, selector, BUSY)
  cpu.bus.serialize()
  if (cpu.stop !== 0) return
  setSegment(cpu, TR, selector, { low: descriptor.low, high: descriptor.high | (BUSY << 8) })
})

/** The descriptor that a selector names, if the present level may see it; null: no. */
function visibleDescriptor(cpu: Cpu, selector: number): Descriptor | null {
  const descriptor = isNull(selector) ? null : findDescriptor(cpu, selector)
  if (cpu.stop !== 0 || descriptor === null) return null
  const attr = attrOf(descriptor.high)
  if (isCode(attr) && isConforming(attr)) return descriptor
  return dplOf(attr) < cplOf(cpu.r) || dplOf(attr) < (selector & 3) ? null : descriptor
}

/** Bit n: LAR, LSL accept system type n (SDM vol. 2A tables 3-55, 3-57). */
const LAR_TYPES = (1 << 1) | (1 << 2) | (1 << 3) | (1 << 4) | (1 << 5) | (1 << 9) | (1 << 11) | (1 << 12)
const LSL_TYPES = (1 << 1) | (1 << 2) | (1 << 3) | (1 << 9) | (1 << 11)

const query = (types: number, result: (descriptor: Descriptor) => number): Handler =>
  protectedOnly((cpu, op) => {
    const selector = cpu.get(op, op.b) & 0xffff
    const descriptor = cpu.stop === 0 ? visibleDescriptor(cpu, selector) : null
    if (cpu.stop !== 0) return
    const type = descriptor === null ? 0 : attrOf(descriptor.high) & 0x1f
    const found = descriptor !== null && ((type & 0x10) !== 0 || ((types >> type) & 1) !== 0)
    if (found) cpu.set(op, op.a, result(descriptor))
    setFlags(cpu.r, found ? ZF : 0, ZF)
  })

const verify = (allows: (attr: number) => boolean): Handler =>
  protectedOnly((cpu, op) => {
    const selector = cpu.get(op, op.a) & 0xffff
    const descriptor = cpu.stop === 0 ? visibleDescriptor(cpu, selector) : null
    if (cpu.stop !== 0) return
    setFlags(cpu.r, descriptor !== null && allows(attrOf(descriptor.high)) ? ZF : 0, ZF)
  })

/** The destination is read as such: it need not be writable where it stays as it is. */
const arpl = protectedOnly((cpu, op) => {
  const destination = cpu.get(op, op.a)
  const source = cpu.get(op, op.b)
  if (cpu.stop !== 0) return
  const raises = (destination & 3) < (source & 3)
  if (raises) cpu.set(op, op.a, (destination & ~3) | (source & 3))
  if (cpu.stop === 0) setFlags(cpu.r, raises ? ZF : 0, ZF)
})

export const SEGMENT: readonly HandlerRow[] = [
  ['les', farPointer(ES)],
  ['lds', farPointer(DS)],
  ['lss', farPointer(SS)],
  ['lfs', farPointer(FS)],
  ['lgs', farPointer(GS)],
  ['lldt', lldt],
  ['ltr', ltr],
  ['sldt', protectedOnly((cpu, op) => storeWord(cpu, op, cpu.r[SELECTOR + LDTR]))],
  ['str', protectedOnly((cpu, op) => storeWord(cpu, op, cpu.r[SELECTOR + TR]))],
  // Bits 16-19 are undefined; parts give those of the descriptor.
  ['lar', query(LAR_TYPES, ({ high }) => high & 0x00ffff00)],
  ['lsl', query(LSL_TYPES, limitOf)],
  ['verr', verify(isReadable)],
  ['verw', verify(isWritableData)],
  ['arpl', arpl],
]
