/** Events: faults become them, and they are delivered through the IDT (SDM vol. 3A chapter 7). */
import type { Cpu } from './cpu.ts'
import { combinesToDoubleFault, DF_, GP, hasErrorCode, NP } from './exceptions.ts'
import {
  ACTIVITY, CS, EFLAGS, EIP, ESP, EVENT, EVENT_ERROR, EVENT_EXCEPTION, EVENT_HAS_ERROR, EVENT_VALID, IDT_BASE, IDT_LIMIT, IF, NT, RF,
  SELECTOR, SHADOW, SHADOW_NMI, SHUTDOWN, SS, TF, VM,
} from './registers.ts'
import { attrOf, readDescriptor, setSegment } from './segmentation.ts'

/** After STOP_FAULT: the fault becomes the event to deliver, combined with one that was being delivered. */
export function raise(cpu: Cpu): void {
  const r = cpu.r
  let vector = cpu.faultVector
  let error = cpu.faultError
  cpu.stop = 0
  if ((r[EVENT] & EVENT_VALID) !== 0) {
    const first = r[EVENT] & 0xff
    if (first === DF_) {
      r[ACTIVITY] = SHUTDOWN
      r[EVENT] = 0
      return
    }
    if (combinesToDoubleFault(first, vector)) {
      vector = DF_
      error = 0
    }
  }
  r[EVENT] = EVENT_VALID | EVENT_EXCEPTION | vector | (hasErrorCode(vector) ? EVENT_HAS_ERROR : 0)
  r[EVENT_ERROR] = error
}

/** Delivers r[EVENT] through an interrupt or trap gate at the same privilege (SDM vol. 3A 7.12.1). */
export function deliver(cpu: Cpu): void {
  const r = cpu.r
  const event = r[EVENT]
  const vector = event & 0xff
  cpu.stop = 0
  if (vector * 8 + 7 > r[IDT_LIMIT] >>> 0) return cpu.fault(GP, vector * 8 + 2)
  const low = cpu.readLinear((r[IDT_BASE] + vector * 8) | 0, 4)
  const high = cpu.readLinear((r[IDT_BASE] + vector * 8 + 4) | 0, 4)
  if (cpu.stop !== 0) return
  const type = (high >>> 8) & 0x1f
  if (type !== 0x0e && type !== 0x0f) return cpu.fault(GP, vector * 8 + 2)
  if ((high & 0x8000) === 0) return cpu.fault(NP, vector * 8 + 2)
  const selector = low >>> 16
  const descriptor = readDescriptor(cpu, selector)
  if (cpu.stop !== 0) return
  const attr = attrOf(descriptor.high)
  if ((attr & 0x18) !== 0x18) return cpu.fault(GP, selector & ~3)
  if ((attr & 0x80) === 0) return cpu.fault(NP, selector & ~3)
  let esp = r[ESP]
  const frame = [r[EFLAGS], r[SELECTOR + CS], r[EIP]]
  if ((event & EVENT_HAS_ERROR) !== 0) frame.push(r[EVENT_ERROR])
  for (const value of frame) {
    esp = (esp - 4) | 0
    cpu.writeMemory(SS, esp, 4, value)
    if (cpu.stop !== 0) return
  }
  r[ESP] = esp
  setSegment(cpu, CS, selector, descriptor)
  r[EIP] = (low & 0xffff) | (high & ~0xffff)
  r[EFLAGS] &= ~(TF | NT | RF | VM | (type === 0x0e ? IF : 0))
  r[SHADOW] &= ~3
  if (vector === 2 && ((event >>> 8) & 7) === 2) r[SHADOW] |= SHADOW_NMI
  r[EVENT] = 0
  r[EVENT_ERROR] = 0
}
