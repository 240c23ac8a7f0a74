/** Debug registers, single-stepping, RF, and the one-instruction shadows (SDM vol. 3B chapter 19, vol. 3A 7.8.3). */
import type { Cpu } from './cpu.ts'
import type { Op } from './decode.ts'
import { DB } from './exceptions.ts'
import {
  CR4, CR4_DE, CS, DR0, DR6, DR7, EFLAGS, EIP, EVENT, EVENT_EXCEPTION, EVENT_VALID, RF, SEG_BASE, SHADOW, SHADOW_HITS_SHIFT, SHADOW_MOV_SS,
  SHADOW_STI, TF,
} from './registers.ts'
import { chooseFlags, undefinedAfter } from './undefinedFlags.ts'

/** DR6 bits. */
const DR6_HITS = 0xf
export const DR6_BD = 1 << 13
export const DR6_BS = 1 << 14
export const DR6_BT = 1 << 15
/** General detect enable: MOV to or from a debug register faults. */
export const DR7_GD = 1 << 13
/** L0-L3 and LE, which a task switch clears. */
export const DR7_LOCAL = 0x155

/** R/W fields of DR7. */
const ON_EXECUTE = 0
const ON_WRITE = 1
const ON_IO = 2
const LENGTHS = [1, 2, 8, 4]

/** DR6 bits 0-3 of the enabled breakpoints that `matches` (by R/W field) and whose bytes the access touches. */
function hits(r: Int32Array, linear: number, size: number, matches: (rw: number) => boolean): number {
  let found = 0
  const dr7 = r[DR7]
  for (let n = 0; n < 4; n++) {
    if (((dr7 >> (n * 2)) & 3) === 0) continue
    const control = (dr7 >>> (16 + n * 4)) & 15
    if (!matches(control & 3)) continue
    // A breakpoint of n bytes is aligned to n (SDM vol. 3B 19.2.5).
    const length = (control & 3) === ON_EXECUTE ? 1 : LENGTHS[control >> 2]
    const start = (r[DR0 + n] & ~(length - 1)) >>> 0
    if (start < (linear >>> 0) + size && (linear >>> 0) < start + length) found |= 1 << n
  }
  return found
}

/** Notes the data breakpoints that an access touches; `execute` reports them after the instruction. */
export function noteDataBreakpoints(cpu: Cpu, linear: number, size: number, write: boolean): void {
  if ((cpu.r[DR7] & 0xff) === 0 || cpu.stop !== 0) return
  cpu.debugHits |= hits(cpu.r, linear, size, (rw) => rw === 3 || (write && rw === ON_WRITE))
}

/** The same for port I/O, with CR4.DE. */
export function noteIoBreakpoints(cpu: Cpu, port: number, size: number): void {
  const r = cpu.r
  if ((r[DR7] & 0xff) === 0 || (r[CR4] & CR4_DE) === 0 || cpu.stop !== 0) return
  cpu.debugHits |= hits(r, port, size, (rw) => rw === ON_IO)
}

/** Sets DR6 for a debug exception: `found` replaces the breakpoint bits, the others accumulate until software clears them. */
function reportHits(r: Int32Array, found: number): void {
  r[DR6] = (r[DR6] & ~DR6_HITS) | found
}

/** A debug trap after the instruction that has just completed becomes the event to deliver. */
export function debugTrap(cpu: Cpu, found: number): void {
  const r = cpu.r
  reportHits(r, found & DR6_HITS)
  r[DR6] |= found & ~DR6_HITS
  r[EVENT] = EVENT_VALID | EVENT_EXCEPTION | DB
}

/** `execute` where TF, RF, a breakpoint or a shadow is in force, or undefined flags are chosen. */
export function executeWatched(cpu: Cpu, op: Op): void {
  const r = cpu.r
  const flags = r[EFLAGS]
  const shadow = r[SHADOW] & (SHADOW_STI | SHADOW_MOV_SS)
  const deferred = deferredHits(r)
  const armed = (r[DR7] & 0xff) !== 0
  // Instruction breakpoints are faults, before anything else of the instruction, and not right after MOV SS.
  if (armed && (flags & RF) === 0 && (shadow & SHADOW_MOV_SS) === 0) {
    const found = hits(r, (r[SEG_BASE + CS] + r[EIP]) | 0, 1, (rw) => rw === ON_EXECUTE)
    if (found !== 0) {
      reportHits(r, found)
      return cpu.fault(DB)
    }
  }
  // Known before: the count of a shift may be overwritten.
  const loose = cpu.undefinedFlags.kind === 'fixed' ? 0 : undefinedAfter(op, r).flags
  op.handler(cpu, op)
  // A fault leaves the shadow to delivery, which ends it.
  if (cpu.stop !== 0) return
  if (loose !== 0) chooseFlags(cpu.undefinedFlags, r, loose)
  r[EIP] = cpu.next
  if (!cpu.keepsRf) r[EFLAGS] &= ~RF
  const found = cpu.debugHits | deferred
  // A shadow covers the one instruction after the one that cast it.
  r[SHADOW] &= ~(shadow | (DR6_HITS << SHADOW_HITS_SHIFT))
  if ((r[SHADOW] & SHADOW_MOV_SS) !== 0) {
    // MOV SS and POP SS put off their own data breakpoints, and are not single-stepped.
    r[SHADOW] |= found << SHADOW_HITS_SHIFT
    return
  }
  const step = (flags & TF) !== 0 && !cpu.switchedTask ? DR6_BS : 0
  if ((r[EVENT] & EVENT_VALID) !== 0) r[SHADOW] |= found << SHADOW_HITS_SHIFT
  else if ((found | step) !== 0) debugTrap(cpu, found | step)
}

/**
 * A software interrupt has been delivered: data breakpoints that MOV SS had put off trap before the first instruction of the handler
 * (SDM vol. 3A 7.8.3: that is why kernels switch stacks by MOV SS only where none can be hit). INT1 is a #DB itself: they are one.
 */
export function trapAfterInterrupt(cpu: Cpu, hitsBefore: number): void {
  if (hitsBefore !== 0 && (cpu.r[EVENT] & EVENT_VALID) === 0) debugTrap(cpu, hitsBefore)
}

/** Data breakpoints that wait for the event to be delivered (DR6 bits). */
export function deferredHits(r: Int32Array): number {
  return (r[SHADOW] >> SHADOW_HITS_SHIFT) & DR6_HITS
}
