/** Events: faults become them, and they are delivered through the IVT or the IDT (SDM vol. 3A chapter 7, vol. 2A INT n). */
import type { Cpu } from './cpu.ts'
import { combinesToDoubleFault, DB, DF_, GP, hasErrorCode, NP, PF_ } from './exceptions.ts'
import { cplOf, inRealMode, inVirtual8086, ioplOf } from './modes.ts'
import {
  AC, ACTIVE, ACTIVITY, CR2, CR4, CR4_VME, CS, DR7, DS, EFLAGS, EIP, ES, ESP, EVENT, EVENT_ERROR, EVENT_EXCEPTION, EVENT_FAULT, EVENT_HAS_ERROR,
  EVENT_INT_N, EVENT_INT3, EVENT_LENGTH_SHIFT, EVENT_NMI, EVENT_TYPE, EVENT_VALID, FS, GS, IDT_BASE, IDT_LIMIT, IF, IOPL, NT, RF, SEG_BASE,
  SEG_LIMIT, SELECTOR, SHADOW, SHADOW_NMI, SHUTDOWN, SS, TF, TR, VIF, VM,
} from './registers.ts'
import {
  attrOf, dplOf, isCode, isConforming, isNull, limitOf, markAccessed, readDescriptor, selectorError, setCodeSegment, setNullSegment, setRealSegment,
} from './segmentation.ts'
import { commitStack, currentStack, innerStack, pushOn, touchStack, type Stack } from './stack.ts'
import { deferredHits, DR7_GD, trapAfterInterrupt } from './debug.ts'
import { gateTask, switchTask } from './taskSwitch.ts'

/** Gate types (SDM vol. 3A table 3-2). */
const TASK_GATE = 5
const INTERRUPT_GATE_16 = 6
const TRAP_GATE_16 = 7
const INTERRUPT_GATE = 14
const TRAP_GATE = 15
/** The shadows and what they put off; NMI blocking stays. */
const SHADOWS = 0xf03

/** After STOP_FAULT: the fault becomes the event to deliver, combined with one that was being delivered. */
export function raise(cpu: Cpu): void {
  const r = cpu.r
  let vector = cpu.faultVector
  let error = cpu.faultError
  const event = r[EVENT]
  cpu.stop = 0
  if (vector === PF_) r[CR2] = cpu.faultAddress
  if ((event & EVENT_VALID) !== 0) {
    const first = event & 0xff
    const type = event & EVENT_TYPE
    if (type === EVENT_EXCEPTION) {
      if (first === DF_) {
        r[ACTIVITY] = SHUTDOWN
        r[EVENT] = 0
        return
      }
      if (combinesToDoubleFault(first, vector)) {
        vector = DF_
        error = 0
      }
    } else if (type >= EVENT_INT_N) r[EIP] -= (event >>> EVENT_LENGTH_SHIFT) & 15
  }
  // In real mode no exception has an error code.
  const withError = hasErrorCode(vector) && !inRealMode(r)
  // An instruction breakpoint leaves RF to its handler (SDM vol. 3B 19.3.1.1); #DF is an abort.
  const fault = vector !== DB && vector !== DF_
  r[EVENT] = EVENT_VALID | EVENT_EXCEPTION | vector | (withError ? EVENT_HAS_ERROR : 0) | (fault ? EVENT_FAULT : 0)
  r[EVENT_ERROR] = withError ? error : 0
}

/** Delivers r[EVENT]; afterwards the vCPU is at the first instruction of the handler. */
export function deliver(cpu: Cpu): void {
  const r = cpu.r
  cpu.stop = 0
  const type = r[EVENT] & EVENT_TYPE
  const blocksNmi = type === EVENT_NMI
  if (inRealMode(r)) deliverReal(cpu)
  else if (type === EVENT_INT_N && inVirtual8086(r) && redirects(cpu)) deliverToProgram(cpu)
  else if (cpu.stop === 0) deliverProtected(cpu)
  if (cpu.stop !== 0) return
  const deferred = type === EVENT_INT_N || type === EVENT_INT3 ? deferredHits(r) : 0
  r[SHADOW] &= ~SHADOWS
  if (blocksNmi) r[SHADOW] |= SHADOW_NMI
  r[ACTIVITY] = ACTIVE
  trapAfterInterrupt(cpu, deferred)
}

/** EFLAGS as they are pushed. */
function pushedFlags(r: Int32Array): number {
  return (r[EVENT] & EVENT_FAULT) !== 0 ? r[EFLAGS] | RF : r[EFLAGS]
}

function finish(r: Int32Array): void {
  // Delivering #DB opens the debug registers to its handler (SDM vol. 3B 19.2.4).
  if ((r[EVENT] & 0xff) === DB && (r[EVENT] & EVENT_TYPE) === EVENT_EXCEPTION) r[DR7] &= ~DR7_GD
  r[EVENT] = 0
  r[EVENT_ERROR] = 0
}

/** Through the interrupt vector table (SDM vol. 3B 22.1.4). */
function deliverReal(cpu: Cpu): void {
  const r = cpu.r
  const vector = r[EVENT] & 0xff
  if (vector * 4 + 3 > r[IDT_LIMIT] >>> 0) return cpu.fault(GP, 0)
  const pointer = cpu.readSystem((r[IDT_BASE] + vector * 4) | 0, 4)
  if (cpu.stop !== 0) return
  const stack = currentStack(cpu, 0)
  for (const value of [r[EFLAGS], r[SELECTOR + CS], r[EIP]]) pushOn(cpu, stack, 2, value & 0xffff)
  if (cpu.stop !== 0) return
  if ((pointer & 0xffff) > r[SEG_LIMIT + CS] >>> 0) return cpu.fault(GP, 0)
  commitStack(cpu, stack)
  setRealSegment(cpu, CS, pointer >>> 16)
  r[EIP] = pointer & 0xffff
  r[EFLAGS] &= ~(IF | TF | AC | RF)
  finish(r)
}

/** Whether INT n of a virtual-8086 task goes to the task's own IVT (SDM vol. 3B 22.3, table 22-2); else it may have faulted. */
function redirects(cpu: Cpu): boolean {
  const r = cpu.r
  if ((r[CR4] & CR4_VME) === 0) {
    if (ioplOf(r) < 3) cpu.fault(GP, 0)
    return false
  }
  // The software interrupt redirection bitmap: 32 bytes below the I/O permission bitmap.
  const map = cpu.readSystem((r[SEG_BASE + TR] + 102) | 0, 2)
  const at = map - 32 + ((r[EVENT] & 0xff) >> 3)
  if (cpu.stop === 0 && (103 > r[SEG_LIMIT + TR] >>> 0 || at < 0 || at > r[SEG_LIMIT + TR] >>> 0)) cpu.fault(GP, 0)
  const bits = cpu.readSystem((r[SEG_BASE + TR] + at) | 0, 1)
  if (cpu.stop !== 0) return false
  if (((bits >> (r[EVENT] & 7)) & 1) === 0) return true
  if (ioplOf(r) < 3) cpu.fault(GP, 0)
  return false
}

/** INT n of a virtual-8086 task with VME to the 8086 program's own handler (SDM vol. 3B 22.3.2.3). */
function deliverToProgram(cpu: Cpu): void {
  const r = cpu.r
  const pointer = cpu.readLinear((r[EVENT] & 0xff) * 4, 4)
  if (cpu.stop !== 0) return
  const virtual = ioplOf(r) < 3
  // With IOPL < 3 the program's IF is VIF.
  const flags = virtual ? (r[EFLAGS] & ~IF) | IOPL | ((r[EFLAGS] & VIF) !== 0 ? IF : 0) : r[EFLAGS]
  const stack = currentStack(cpu, 0)
  for (const value of [flags, r[SELECTOR + CS], r[EIP]]) pushOn(cpu, stack, 2, value & 0xffff)
  if (cpu.stop !== 0) return
  commitStack(cpu, stack)
  setRealSegment(cpu, CS, pointer >>> 16)
  r[EIP] = pointer & 0xffff
  r[EFLAGS] &= ~(TF | RF | (virtual ? VIF : IF))
  finish(r)
}

function deliverProtected(cpu: Cpu): void {
  const r = cpu.r
  const event = r[EVENT]
  const vector = event & 0xff
  const type = event & EVENT_TYPE
  const software = type === EVENT_INT_N || type === EVENT_INT3
  const ext = software ? 0 : 1
  const gateError = vector * 8 + 2 + ext
  if (vector * 8 + 7 > r[IDT_LIMIT] >>> 0) return cpu.fault(GP, gateError)
  const low = cpu.readSystem((r[IDT_BASE] + vector * 8) | 0, 4)
  const high = cpu.readSystem((r[IDT_BASE] + vector * 8 + 4) | 0, 4)
  if (cpu.stop !== 0) return
  const rights = attrOf(high)
  const kind = rights & 0x1f
  if (kind !== TASK_GATE && kind !== INTERRUPT_GATE_16 && kind !== TRAP_GATE_16 && kind !== INTERRUPT_GATE && kind !== TRAP_GATE)
    return cpu.fault(GP, gateError)
  if (software && dplOf(rights) < cplOf(r)) return cpu.fault(GP, gateError)
  if ((rights & 0x80) === 0) return cpu.fault(NP, gateError)
  const selector = low >>> 16
  if (kind === TASK_GATE) return deliverToTask(cpu, selector, ext)

  const wide = kind >= INTERRUPT_GATE
  if (isNull(selector)) return cpu.fault(GP, ext)
  const descriptor = readDescriptor(cpu, selector, GP, ext)
  if (cpu.stop !== 0) return
  const attr = attrOf(descriptor.high)
  const error = selectorError(selector) | ext
  const cpl = cplOf(r)
  const dpl = dplOf(attr)
  if (!isCode(attr) || dpl > cpl) return cpu.fault(GP, error)
  if ((attr & 0x80) === 0) return cpu.fault(NP, error)
  const inner = !isConforming(attr) && dpl < cpl
  const fromVirtual = inVirtual8086(r)
  if (fromVirtual && (!inner || dpl !== 0)) return cpu.fault(GP, error)
  const stack = inner ? innerStack(cpu, dpl, ext) : currentStack(cpu, ext)
  if (stack === null) return
  const offset = wide ? (low & 0xffff) | (high & ~0xffff) : low & 0xffff
  pushFrame(cpu, stack, wide ? 4 : 2, inner, fromVirtual)
  if (cpu.stop === 0 && offset >>> 0 > limitOf(descriptor) >>> 0) cpu.fault(GP, ext)
  touchStack(cpu, stack)
  if (cpu.stop === 0) markAccessed(cpu, selector, descriptor)
  if (cpu.stop !== 0) return

  commitStack(cpu, stack)
  setCodeSegment(cpu, selector, descriptor, inner ? dpl : cpl)
  if (fromVirtual) for (const seg of [ES, DS, FS, GS]) setNullSegment(cpu, seg, 0)
  r[EIP] = offset
  r[EFLAGS] &= ~(TF | NT | RF | VM | (kind === INTERRUPT_GATE || kind === INTERRUPT_GATE_16 ? IF : 0))
  finish(r)
}

function pushFrame(cpu: Cpu, stack: Stack, size: number, inner: boolean, fromVirtual: boolean): void {
  const r = cpu.r
  if (fromVirtual) for (const seg of [GS, FS, DS, ES]) pushOn(cpu, stack, size, r[SELECTOR + seg])
  if (inner) {
    pushOn(cpu, stack, size, r[SELECTOR + SS])
    pushOn(cpu, stack, size, r[ESP])
  }
  pushOn(cpu, stack, size, pushedFlags(r))
  pushOn(cpu, stack, size, r[SELECTOR + CS])
  pushOn(cpu, stack, size, r[EIP])
  if ((r[EVENT] & EVENT_HAS_ERROR) !== 0) pushOn(cpu, stack, size, r[EVENT_ERROR])
}

/** Through a task gate (SDM vol. 3A 7.12.2): the error code goes on the new task's stack. */
function deliverToTask(cpu: Cpu, selector: number, ext: number): void {
  const r = cpu.r
  const task = gateTask(cpu, selector, GP, ext)
  if (task === null) return
  const saved = pushedFlags(r)
  const error = (r[EVENT] & EVENT_HAS_ERROR) !== 0 ? r[EVENT_ERROR] : null
  switchTask(cpu, { kind: 'interrupt', selector, descriptor: task, ext, eip: r[EIP], eflags: saved, error })
}
