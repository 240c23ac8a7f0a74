/**
 * Which mode a vCPU is in, and at which privilege. There is no CPL register: the DPL of SS is the CPL (as in a VMCS,
 * SDM vol. 3C 24.4.1), which real mode leaves at 0 and virtual-8086 mode at 3.
 */
import { ATTR_BIG, CR0, CR0_PE, EFLAGS, IOPL, SEG_ATTR, SS, VM } from './registers.ts'

const CPL_3 = 0x60

export function cplOf(r: Int32Array): number {
  return (r[SEG_ATTR + SS] & CPL_3) >> 5
}
export function isUser(r: Int32Array): boolean {
  return (r[SEG_ATTR + SS] & CPL_3) === CPL_3
}
export function ioplOf(r: Int32Array): number {
  return (r[EFLAGS] & IOPL) >> 12
}
export function inVirtual8086(r: Int32Array): boolean {
  return (r[EFLAGS] & VM) !== 0
}
export function inRealMode(r: Int32Array): boolean {
  return (r[CR0] & CR0_PE) === 0
}
/** Protected mode, and not virtual-8086 mode. */
export function inProtectedMode(r: Int32Array): boolean {
  return (r[CR0] & CR0_PE) !== 0 && (r[EFLAGS] & VM) === 0
}
/** The bits of ESP that address the stack, by SS.B. */
export function stackMask(r: Int32Array): number {
  return (r[SEG_ATTR + SS] & ATTR_BIG) !== 0 ? -1 : 0xffff
}
