/** Far transfers, software interrupts, IRET, SYSENTER and SYSEXIT. */
import { STOP_FAULT } from '../bus.ts'
import type { Cpu } from '../cpu.ts'
import { IMM, type Op } from '../decode.ts'
import { BR, GP } from '../exceptions.ts'
import { farTransfer, interruptReturn } from '../farTransfer.ts'
import { cplOf, inRealMode } from '../modes.ts'
import {
  CS, ECX, EDX, EFLAGS, ESP, EVENT, EVENT_INT1, EVENT_INT3, EVENT_INT_N, EVENT_LENGTH_SHIFT, EVENT_VALID, IF, MSR_SYSENTER_CS,
  MSR_SYSENTER_EIP, MSR_SYSENTER_ESP, OF, RF, SEG_ATTR, SEG_BASE, SEG_LIMIT, SELECTOR, SHADOW, SHADOW_NMI, SS, VM,
} from '../registers.ts'
import type { Handler, HandlerRow } from './handler.ts'

export function isFar(op: Op): boolean {
  return op.row!.operands[0] === 'Ap' || op.row!.operands[0] === 'Mp'
}

function transfer(cpu: Cpu, op: Op, call: boolean): void {
  if (op.a.kind === IMM) return farTransfer(cpu, call, op.imm2, op.a.value, op.opSize)
  const at = cpu.address(op)
  const offset = cpu.readMemory(op.seg, at, op.opSize)
  const selector = cpu.readMemory(op.seg, (at + op.opSize) | 0, 2)
  if (cpu.stop === 0) farTransfer(cpu, call, selector, offset, op.opSize)
}
export const farCall: Handler = (cpu, op) => transfer(cpu, op, true)
export const farJump: Handler = (cpu, op) => transfer(cpu, op, false)

const iret: Handler = (cpu, op) => {
  interruptReturn(cpu, op.opSize)
  // NMIs are unblocked even by an IRET that faults (SDM vol. 3A 7.7.1).
  if (cpu.stop === 0 || cpu.stop === STOP_FAULT) cpu.r[SHADOW] &= ~SHADOW_NMI
}

/** INT n, INT1, INT3, INTO: EIP is past the instruction when the event is delivered, and goes back if it cannot be. */
function softwareEvent(cpu: Cpu, op: Op, type: number, vector: number): void {
  cpu.r[EVENT] = EVENT_VALID | type | vector | (op.length << EVENT_LENGTH_SHIFT)
}

const bound: Handler = (cpu, op) => {
  const at = cpu.address(op)
  const size = op.opSize
  const shift = 32 - size * 8
  const index = cpu.register(op.reg, size) << shift
  const lower = cpu.readMemory(op.seg, at, size) << shift
  if (cpu.stop !== 0) return
  // Below the lower bound the upper one is not looked at: parts do not fault on it.
  if (index < lower) return cpu.fault(BR)
  const upper = cpu.readMemory(op.seg, (at + size) | 0, size) << shift
  if (cpu.stop === 0 && index > upper) cpu.fault(BR)
}

/** A flat segment as SYSENTER and SYSEXIT load it, without reading a descriptor. */
function setFlat(cpu: Cpu, seg: number, selector: number, attr: number): void {
  const r = cpu.r
  r[SELECTOR + seg] = selector
  r[SEG_BASE + seg] = 0
  r[SEG_LIMIT + seg] = -1
  r[SEG_ATTR + seg] = attr
}
/** Present, 4 GB, 32-bit, accessed; code readable, data writable. The DPL is added. */
const FLAT_CODE = 0xc09b
const FLAT_DATA = 0xc093

const sysenter: Handler = (cpu) => {
  const r = cpu.r
  const selector = r[MSR_SYSENTER_CS] & 0xfffc
  if (inRealMode(r) || selector === 0) return cpu.fault(GP, 0)
  r[EFLAGS] &= ~(VM | IF | RF)
  setFlat(cpu, CS, selector, FLAT_CODE)
  setFlat(cpu, SS, selector + 8, FLAT_DATA)
  r[ESP] = r[MSR_SYSENTER_ESP]
  cpu.next = r[MSR_SYSENTER_EIP]
  cpu.bus.branch()
}

const sysexit: Handler = (cpu) => {
  const r = cpu.r
  const selector = r[MSR_SYSENTER_CS] & 0xfffc
  if (inRealMode(r) || selector === 0 || cplOf(r) !== 0) return cpu.fault(GP, 0)
  setFlat(cpu, CS, (selector + 16) | 3, FLAT_CODE | 0x60)
  setFlat(cpu, SS, (selector + 24) | 3, FLAT_DATA | 0x60)
  r[ESP] = r[ECX]
  cpu.next = r[EDX]
  cpu.bus.branch()
}

export const FAR: readonly HandlerRow[] = [
  ['iret', iret],
  ['int3', (cpu, op) => softwareEvent(cpu, op, EVENT_INT3, 3)],
  ['int', (cpu, op) => softwareEvent(cpu, op, EVENT_INT_N, op.a.value)],
  ['into', (cpu, op) => {
    if ((cpu.r[EFLAGS] & OF) !== 0) softwareEvent(cpu, op, EVENT_INT3, 4)
  }],
  ['int1', (cpu, op) => softwareEvent(cpu, op, EVENT_INT1, 1)],
  ['bound', bound],
  ['sysenter', sysenter],
  ['sysexit', sysexit],
]

