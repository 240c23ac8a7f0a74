/** Linear to physical addresses (SDM vol. 3A chapter 5). */
import type { Cpu } from './cpu.ts'
import { PF_ } from './exceptions.ts'
import { CR0, CR2, CR3, CR4, CS, SELECTOR } from './registers.ts'

const PAGING = 1 << 31
const WRITE_PROTECT = 1 << 16
const CR4_PSE = 1 << 4

/** Two-level page walk (SDM vol. 3A 5.3) where paging is on. */
export function translate(cpu: Cpu, linear: number, write: boolean): number {
  const r = cpu.r
  if ((r[CR0] & PAGING) === 0) return linear
  const user = (r[SELECTOR + CS] & 3) === 3
  const refuse = (present: boolean): number => {
    if (cpu.stop === 0) r[CR2] = linear
    cpu.fault(PF_, (present ? 1 : 0) | (write ? 2 : 0) | (user ? 4 : 0))
    return 0
  }
  const directory = (r[CR3] & ~0xfff) + (linear >>> 22) * 4
  const pde = cpu.bus.walk32(directory)
  if (cpu.stop !== 0) return 0
  if ((pde & 1) === 0) return refuse(false)
  const large = (pde & 0x80) !== 0 && (r[CR4] & CR4_PSE) !== 0
  const table = (pde & ~0xfff) + ((linear >>> 12) & 0x3ff) * 4
  const entry = large ? pde : cpu.bus.walk32(table)
  if (cpu.stop !== 0) return 0
  if ((entry & 1) === 0) return refuse(false)
  const rights = pde & entry
  if ((user && (rights & 4) === 0) || (write && (rights & 2) === 0 && (user || (r[CR0] & WRITE_PROTECT) !== 0))) return refuse(true)
  if (!large && (pde & 0x20) === 0) cpu.bus.walkOr(directory, 0x20)
  const marks = write ? 0x60 : 0x20
  if ((entry & marks) !== marks) cpu.bus.walkOr(large ? directory : table, marks)
  return large ? (pde & 0xffc00000) | (linear & 0x3fffff) : (entry & ~0xfff) | (linear & 0xfff)
}
