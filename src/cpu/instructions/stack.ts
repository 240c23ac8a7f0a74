/** PUSH and POP in all their forms, ENTER and LEAVE. SS.B says whether ESP or SP is the stack pointer. */
import type { Cpu } from '../cpu.ts'
import { MEM, SREG } from '../decode.ts'
import { GP } from '../exceptions.ts'
import { ANY_LEVEL, mergeFlags } from '../farTransfer.ts'
import { cplOf, inVirtual8086, ioplOf, stackMask } from '../modes.ts'
import {
  AC, CR4, CR4_VME, EAX, EBP, EDI, EFLAGS, ESP, ID, IF, IOPL, NT, RF, SS, TF, VIF, VIP, VM,
} from '../registers.ts'
import type { Handler, HandlerRow } from './handler.ts'
import { loadRegister } from './segments.ts'

const push: Handler = (cpu, op) => {
  const value = cpu.get(op, op.a)
  if (cpu.stop !== 0) return
  const r = cpu.r
  if (op.a.kind === SREG && op.opSize === 4) {
    // ESP moves by 4, and a word is written: every part since the 386 leaves the upper one as it was (SDM vol. 2B, PUSH).
    const mask = stackMask(r)
    const offset = (r[ESP] - 4) & mask
    cpu.writeMemory(SS, offset, 2, value)
    if (cpu.stop === 0) r[ESP] = (r[ESP] & ~mask) | offset
    return
  }
  const esp = cpu.pushAt(r[ESP], op.opSize, value)
  if (cpu.stop === 0) r[ESP] = esp
}

const pop: Handler = (cpu, op) => {
  const r = cpu.r
  // Of a selector a word is read, whatever the operand size.
  const value = cpu.readStack(0, op.a.kind === SREG ? 2 : op.opSize)
  if (cpu.stop !== 0) return
  const esp = cpu.espAbove(op.opSize)
  if (op.a.kind === SREG) {
    loadRegister(cpu, op.a.value, value)
    if (cpu.stop === 0) r[ESP] = esp
    return
  }
  if (op.a.kind === MEM) {
    // The address of a memory operand is computed with the new ESP (SDM vol. 2B, POP).
    const moved = op.base === ESP ? esp - r[ESP] : 0
    cpu.writeMemory(op.seg, (cpu.address(op) + moved) | 0, op.opSize, value)
    if (cpu.stop === 0) r[ESP] = esp
    return
  }
  r[ESP] = esp
  cpu.setRegister(op.a.value, op.opSize, value)
}

export function pushMany(cpu: Cpu, size: number, values: readonly number[]): void {
  let esp = cpu.r[ESP]
  for (const value of values) {
    esp = cpu.pushAt(esp, size, value)
    if (cpu.stop !== 0) return
  }
  cpu.r[ESP] = esp
}

const popa: Handler = (cpu, op) => {
  const values: number[] = []
  for (let n = 0; n < 8; n++) {
    values.push(cpu.readStack(n * op.opSize, op.opSize))
    if (cpu.stop !== 0) return
  }
  const esp = cpu.espAbove(8 * op.opSize)
  for (let n = 0; n < 8; n++) if (7 - n !== ESP) cpu.setRegister(7 - n, op.opSize, values[n])
  cpu.r[ESP] = esp
}

/** With VME, IOPL < 3 and 16-bit operands a virtual-8086 task sees VIF as its IF (SDM vol. 3B 22.3.2.4). */
function usesVirtualIf(cpu: Cpu, size: number): boolean {
  const r = cpu.r
  if (!inVirtual8086(r) || ioplOf(r) === 3) return false
  if (size === 4 || (r[CR4] & CR4_VME) === 0) cpu.fault(GP, 0)
  return true
}

const pushf: Handler = (cpu, op) => {
  const virtual = usesVirtualIf(cpu, op.opSize)
  if (cpu.stop !== 0) return
  let flags = cpu.r[EFLAGS] & ~(VM | RF)
  if (virtual) flags = (flags & ~IF) | IOPL | ((flags & VIF) !== 0 ? IF : 0)
  pushMany(cpu, op.opSize, [flags])
}

const popf: Handler = (cpu, op) => {
  const r = cpu.r
  const virtual = usesVirtualIf(cpu, op.opSize)
  if (cpu.stop !== 0) return
  const value = cpu.readStack(0, op.opSize)
  if (cpu.stop !== 0) return
  let loaded = ANY_LEVEL | NT | (op.opSize === 4 ? AC | ID : 0)
  if (virtual && ((value & TF) !== 0 || ((value & IF) !== 0 && (r[EFLAGS] & VIP) !== 0))) return cpu.fault(GP, 0)
  if (cplOf(r) <= ioplOf(r)) loaded |= IF
  if (cplOf(r) === 0) loaded |= IOPL
  const flags = mergeFlags(cpu, value, loaded)
  r[ESP] = cpu.espAbove(op.opSize)
  r[EFLAGS] = virtual ? (flags & ~VIF) | ((value & IF) !== 0 ? VIF : 0) : flags
}

/** Levels 1-31 copy the enclosing frames' pointers (SDM vol. 1 6.6.1). */
const enter: Handler = (cpu, op) => {
  const r = cpu.r
  const size = op.opSize
  const level = op.imm2 & 31
  const mask = stackMask(r)
  let esp = cpu.pushAt(r[ESP], size, cpu.register(EBP, size))
  const frame = esp
  if (level > 0) {
    let ebp = r[EBP]
    for (let n = 1; n < level && cpu.stop === 0; n++) {
      ebp = (ebp - size) & mask
      esp = cpu.pushAt(esp, size, cpu.readMemory(SS, ebp, size))
    }
    if (cpu.stop === 0) esp = cpu.pushAt(esp, size, frame)
  }
  if (cpu.stop !== 0) return
  esp = (esp & ~mask) | ((esp - op.a.value) & mask)
  // It faults where a write at the final stack pointer would.
  const linear = cpu.linear(SS, esp & mask, size, true)
  if (cpu.stop === 0) cpu.translate(linear, true)
  if (cpu.stop !== 0) return
  r[ESP] = esp
  cpu.setRegister(EBP, size, frame)
}

const leave: Handler = (cpu, op) => {
  const r = cpu.r
  const mask = stackMask(r)
  const value = cpu.readMemory(SS, r[EBP] & mask, op.opSize)
  if (cpu.stop !== 0) return
  r[ESP] = (r[ESP] & ~mask) | ((r[EBP] + op.opSize) & mask)
  cpu.setRegister(EBP, op.opSize, value)
}

export const STACK: readonly HandlerRow[] = [
  ['push', push],
  ['pop', pop],
  ['pusha', (cpu, op) => pushMany(cpu, op.opSize, Array.from(cpu.r.subarray(EAX, EDI + 1)))],
  ['popa', popa],
  ['pushf', pushf],
  ['popf', popf],
  ['enter', enter],
  ['leave', leave],
]
