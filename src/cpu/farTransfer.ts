/** Far JMP, CALL, RET and IRET in every mode (SDM vol. 3A 6.8; vol. 2 the pseudo-code of each). */
import type { Cpu } from './cpu.ts'
import { GP, NP, SS_ } from './exceptions.ts'
import { cplOf, inProtectedMode, inRealMode, inVirtual8086, ioplOf, stackMask } from './modes.ts'
import {
  AC, ATTR_PRESENT, CR4, CR4_VME, CS, DS, EFLAGS, EIP, ES, ESP, FS, GS, ID, IF, IOPL, NT, RF, SEG_LIMIT, SELECTOR, SS, TF, VIF, VIP, VM,
} from './registers.ts'
import {
  attrOf, dataSegmentFault, dplOf, isCode, isConforming, isNull, limitOf, markAccessed, nullInaccessible, readDescriptor, selectorError,
  setCodeSegment, setRealSegment, setSegment, setVirtual8086Segment, type Descriptor,
} from './segmentation.ts'
import { commitStack, currentStack, innerStack, pushOn, touchStack, type Stack } from './stack.ts'
import { gateTask, returnToTask, switchTask, TSS_16, TSS_32 } from './taskSwitch.ts'

const CALL_GATE_16 = 4
const TASK_GATE = 5
const CALL_GATE_32 = 12
/** EFLAGS that IRET and POPF load at any privilege; IF, IOPL, VM, VIF and VIP follow their own rules. */
export const ANY_LEVEL = 0xdd5

/** What CS could be loaded with; null when stopped. */
function descriptorOf(cpu: Cpu, selector: number): Descriptor | null {
  if (isNull(selector)) {
    cpu.fault(GP, 0)
    return null
  }
  const descriptor = readDescriptor(cpu, selector)
  return cpu.stop !== 0 ? null : descriptor
}

/** Far JMP or CALL to `selector`:`offset` with operand size `size`. Leaves the target in `cpu.next`. */
export function farTransfer(cpu: Cpu, call: boolean, selector: number, offset: number, size: number): void {
  const r = cpu.r
  if (!inProtectedMode(r)) return transferReal(cpu, call, selector, offset, size)
  const descriptor = descriptorOf(cpu, selector)
  if (descriptor === null) return
  const attr = attrOf(descriptor.high)
  const error = selectorError(selector)
  const cpl = cplOf(r)
  if (isCode(attr)) {
    const allowed = isConforming(attr) ? dplOf(attr) <= cpl : (selector & 3) <= cpl && dplOf(attr) === cpl
    if (!allowed) return cpu.fault(GP, error)
    if ((attr & ATTR_PRESENT) === 0) return cpu.fault(NP, error)
    return enterCode(cpu, call ? currentStack(cpu, 0) : null, selector, descriptor, offset, size)
  }
  const type = attr & 0x1f
  const system = type === CALL_GATE_16 || type === CALL_GATE_32 || type === TASK_GATE || type === TSS_16 || type === TSS_32
  if (!system || dplOf(attr) < cpl || dplOf(attr) < (selector & 3)) return cpu.fault(GP, error)
  if ((attr & ATTR_PRESENT) === 0) return cpu.fault(NP, error)
  if (type === CALL_GATE_16 || type === CALL_GATE_32) return throughCallGate(cpu, call, descriptor, type === CALL_GATE_32)
  const kind = call ? 'call' : 'jump'
  const target = type === TASK_GATE ? descriptor.low >>> 16 : selector
  const task = type === TASK_GATE ? gateTask(cpu, target, GP, 0) : descriptor
  if (task === null) return
  switchTask(cpu, { kind, selector: target, descriptor: task, ext: 0, eip: cpu.next, eflags: r[EFLAGS], error: null })
  cpu.next = r[EIP]
}

function transferReal(cpu: Cpu, call: boolean, selector: number, offset: number, size: number): void {
  const r = cpu.r
  const stack = currentStack(cpu, 0)
  if (call) {
    pushOn(cpu, stack, size, r[SELECTOR + CS])
    pushOn(cpu, stack, size, cpu.next)
  }
  if (cpu.stop === 0 && offset >>> 0 > (inVirtual8086(r) ? 0xffff : r[SEG_LIMIT + CS] >>> 0)) cpu.fault(GP, 0)
  if (cpu.stop !== 0) return
  commitStack(cpu, stack)
  setRealSegment(cpu, CS, selector)
  cpu.next = offset
  cpu.bus.branch()
}

/** To a code segment at the present privilege; `stack`: where a CALL pushes. */
function enterCode(cpu: Cpu, stack: Stack | null, selector: number, descriptor: Descriptor, offset: number, size: number): void {
  const r = cpu.r
  if (stack !== null) {
    pushOn(cpu, stack, size, r[SELECTOR + CS])
    pushOn(cpu, stack, size, cpu.next)
  }
  if (cpu.stop === 0 && offset >>> 0 > limitOf(descriptor) >>> 0) cpu.fault(GP, 0)
  if (cpu.stop === 0) markAccessed(cpu, selector, descriptor)
  if (cpu.stop !== 0) return
  if (stack !== null) commitStack(cpu, stack)
  setCodeSegment(cpu, selector, descriptor, cplOf(r))
  cpu.next = offset
  cpu.bus.branch()
}

/** Through a call gate: perhaps to an inner level, with a new stack and copied parameters (SDM vol. 3A 6.8.3, 6.8.5). */
function throughCallGate(cpu: Cpu, call: boolean, gate: Descriptor, wide: boolean): void {
  const r = cpu.r
  const size = wide ? 4 : 2
  const selector = gate.low >>> 16
  const offset = wide ? (gate.low & 0xffff) | (gate.high & ~0xffff) : gate.low & 0xffff
  const descriptor = descriptorOf(cpu, selector)
  if (descriptor === null) return
  const attr = attrOf(descriptor.high)
  const error = selectorError(selector)
  const cpl = cplOf(r)
  const dpl = dplOf(attr)
  if (!isCode(attr) || dpl > cpl || (!call && !isConforming(attr) && dpl !== cpl)) return cpu.fault(GP, error)
  if ((attr & ATTR_PRESENT) === 0) return cpu.fault(NP, error)
  if (!call || isConforming(attr) || dpl === cpl)
    return enterCode(cpu, call ? currentStack(cpu, 0) : null, selector, descriptor, offset, size)

  const stack = innerStack(cpu, dpl, 0)
  if (stack === null) return
  const count = gate.high & 31
  const parameters: number[] = []
  for (let n = 0; n < count; n++) parameters.push(cpu.readStack(n * size, size))
  pushOn(cpu, stack, size, r[SELECTOR + SS])
  pushOn(cpu, stack, size, r[ESP])
  for (let n = count - 1; n >= 0; n--) pushOn(cpu, stack, size, parameters[n])
  pushOn(cpu, stack, size, r[SELECTOR + CS])
  pushOn(cpu, stack, size, cpu.next)
  if (cpu.stop === 0 && offset >>> 0 > limitOf(descriptor) >>> 0) cpu.fault(GP, 0)
  touchStack(cpu, stack)
  if (cpu.stop === 0) markAccessed(cpu, selector, descriptor)
  if (cpu.stop !== 0) return
  commitStack(cpu, stack)
  setCodeSegment(cpu, selector, descriptor, dpl)
  cpu.next = offset
  cpu.bus.branch()
}

/** The code segment that a return leads to, checked; null when stopped. SDM vol. 2B, RET. */
function returnSegment(cpu: Cpu, selector: number): Descriptor | null {
  const descriptor = descriptorOf(cpu, selector)
  if (descriptor === null) return null
  const attr = attrOf(descriptor.high)
  const rpl = selector & 3
  const allowed = isCode(attr) && rpl >= cplOf(cpu.r) && (isConforming(attr) ? dplOf(attr) <= rpl : dplOf(attr) === rpl)
  if (!allowed) cpu.fault(GP, selectorError(selector))
  else if ((attr & ATTR_PRESENT) === 0) cpu.fault(NP, selectorError(selector))
  else markAccessed(cpu, selector, descriptor)
  return cpu.stop !== 0 ? null : descriptor
}

/** Far RET; `extra` bytes of parameters are released. */
export function farReturn(cpu: Cpu, size: number, extra: number): void {
  const r = cpu.r
  // In this order and size, as parts do: it shows in which of two page faults is taken.
  const selector = cpu.readStack(size, 2)
  const offset = cpu.readStack(0, size)
  if (cpu.stop !== 0) return
  if (!inProtectedMode(r)) {
    if (offset >>> 0 > (inVirtual8086(r) ? 0xffff : r[SEG_LIMIT + CS] >>> 0)) return cpu.fault(GP, 0)
    r[ESP] = cpu.espAbove(2 * size + extra)
    setRealSegment(cpu, CS, selector)
    cpu.next = offset
    return cpu.bus.branch()
  }
  const descriptor = returnSegment(cpu, selector)
  if (descriptor === null) return
  if ((selector & 3) === cplOf(r)) {
    if (offset >>> 0 > limitOf(descriptor) >>> 0) return cpu.fault(GP, 0)
    r[ESP] = cpu.espAbove(2 * size + extra)
    setCodeSegment(cpu, selector, descriptor, selector & 3)
    cpu.next = offset
    return cpu.bus.branch()
  }
  returnOutward(cpu, selector, descriptor, offset, size, 2 * size + extra, extra, null)
}

/**
 * To an outer level: SS and ESP are popped from `above` bytes over the stack pointer, then `extra` bytes released there too.
 * @param flags EFLAGS to load (IRET); null: they stay
 */
function returnOutward(
  cpu: Cpu, selector: number, descriptor: Descriptor, offset: number, size: number, above: number, extra: number, flags: number | null,
): void {
  const r = cpu.r
  const cpl = selector & 3
  const esp = cpu.readStack(above, size)
  const ss = cpu.readStack(above + size, size) & 0xffff
  if (cpu.stop !== 0) return
  if (isNull(ss)) return cpu.fault(GP, 0)
  const stack = readDescriptor(cpu, ss)
  if (cpu.stop !== 0) return
  const wrong = dataSegmentFault(SS, ss, attrOf(stack.high), cpl)
  if (wrong !== 0) return cpu.fault(wrong === SS_ ? SS_ : GP, selectorError(ss))
  markAccessed(cpu, ss, stack)
  if (cpu.stop === 0 && offset >>> 0 > limitOf(descriptor) >>> 0) cpu.fault(GP, 0)
  if (flags !== null && cpu.stop === 0) cpu.bus.serialize()
  if (cpu.stop !== 0) return
  if (flags !== null) r[EFLAGS] = flags
  setCodeSegment(cpu, selector, descriptor, cpl)
  setSegment(cpu, SS, ss, stack)
  // A 16-bit stack takes SP only: the upper half of ESP is the inner level's.
  const mask = stackMask(r)
  r[ESP] = (r[ESP] & ~mask) | ((esp + extra) & mask)
  nullInaccessible(cpu, cpl, [ES, FS, GS, DS])
  cpu.next = offset
  cpu.bus.branch()
}

/** IRET without its NMI unblocking (SDM vol. 2A). */
export function interruptReturn(cpu: Cpu, size: number): void {
  const r = cpu.r
  cpu.keepsRf = true
  if (inProtectedMode(r) && (r[EFLAGS] & NT) !== 0) {
    cpu.bus.serialize()
    if (cpu.stop === 0) returnToTask(cpu, cpu.next, r[EFLAGS] & ~NT)
    cpu.next = r[EIP]
    return
  }
  const virtual = inVirtual8086(r)
  if (virtual && ioplOf(r) < 3 && ((r[CR4] & CR4_VME) === 0 || size === 4)) return cpu.fault(GP, 0)
  const popped = cpu.readStack(2 * size, size)
  const selector = cpu.readStack(size, size) & 0xffff
  const offset = cpu.readStack(0, size)
  if (cpu.stop !== 0) return
  if (virtual || inRealMode(r)) return returnReal(cpu, size, selector, offset, popped)
  if (size === 4 && (popped & VM) !== 0 && cplOf(r) === 0) return returnToVirtual8086(cpu, selector, offset, popped)
  const descriptor = returnSegment(cpu, selector)
  if (descriptor === null) return
  const flags = returnFlags(cpu, popped, size)
  if ((selector & 3) !== cplOf(r)) return returnOutward(cpu, selector, descriptor, offset, size, 3 * size, 0, flags)
  if (offset >>> 0 > limitOf(descriptor) >>> 0) return cpu.fault(GP, 0)
  cpu.bus.serialize()
  if (cpu.stop !== 0) return
  r[ESP] = cpu.espAbove(3 * size)
  r[EFLAGS] = flags
  setCodeSegment(cpu, selector, descriptor, selector & 3)
  cpu.next = offset
  cpu.bus.branch()
}

/** EFLAGS after an IRET in protected mode at the present privilege. */
function returnFlags(cpu: Cpu, popped: number, size: number): number {
  const r = cpu.r
  const cpl = cplOf(r)
  let loaded = ANY_LEVEL | NT
  if (size === 4) loaded |= RF | AC | ID
  if (cpl <= ioplOf(r)) loaded |= IF
  if (cpl === 0) loaded |= IOPL | (size === 4 ? VIF | VIP : 0)
  return mergeFlags(cpu, popped, loaded)
}

/** EFLAGS with the bits `loaded` taken from `popped`, as far as the class has them. */
export function mergeFlags(cpu: Cpu, popped: number, loaded: number): number {
  const mask = loaded & cpu.flagsMask
  return (cpu.r[EFLAGS] & ~mask) | (popped & mask) | 2
}

function returnReal(cpu: Cpu, size: number, selector: number, offset: number, popped: number): void {
  const r = cpu.r
  const virtual = inVirtual8086(r)
  if (offset >>> 0 > (virtual ? 0xffff : r[SEG_LIMIT + CS] >>> 0)) return cpu.fault(GP, 0)
  let loaded = ANY_LEVEL | NT | (size === 4 ? RF | AC | ID : 0)
  if (!virtual) loaded |= IF | IOPL
  else if (ioplOf(r) === 3) loaded |= IF
  else if ((popped & TF) !== 0 || ((popped & IF) !== 0 && (r[EFLAGS] & VIP) !== 0)) return cpu.fault(GP, 0)
  let flags = mergeFlags(cpu, popped, loaded)
  // With VME and IOPL < 3, the IF that is popped is VIF.
  if (virtual && ioplOf(r) < 3) flags = (flags & ~VIF) | ((popped & IF) !== 0 ? VIF : 0)
  cpu.bus.serialize()
  if (cpu.stop !== 0) return
  r[ESP] = cpu.espAbove(3 * size)
  r[EFLAGS] = flags
  setRealSegment(cpu, CS, selector)
  cpu.next = offset
  cpu.bus.branch()
}

/** IRETD at CPL 0 with VM set in the popped EFLAGS: nine dwords. */
function returnToVirtual8086(cpu: Cpu, selector: number, offset: number, popped: number): void {
  const r = cpu.r
  const esp = cpu.readStack(12, 4)
  const segments = [SS, ES, DS, FS, GS].map((seg, n): [number, number] => [seg, cpu.readStack(16 + n * 4, 4) & 0xffff])
  if (cpu.stop === 0 && offset >>> 0 > 0xffff) cpu.fault(GP, 0)
  cpu.bus.serialize()
  if (cpu.stop !== 0) return
  r[EFLAGS] = mergeFlags(cpu, popped, -1)
  r[ESP] = esp
  setVirtual8086Segment(cpu, CS, selector)
  for (const [seg, value] of segments) setVirtual8086Segment(cpu, seg, value)
  cpu.next = offset
  cpu.bus.branch()
}
