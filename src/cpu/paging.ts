/** Linear to physical addresses (SDM vol. 3A chapter 5). Physical addresses have 32 bits in every class (MAXPHYADDR = 32). */
import type { Cpu } from './cpu.ts'
import { GP, PF_ } from './exceptions.ts'
import {
  CR0, CR0_PG, CR0_WP, CR3, CR4, CR4_PAE, CR4_PSE, EFER_NXE, MSR_EFER, PDPTE,
} from './registers.ts'

/** Entry bits; those of P, W and U stand where the error code of #PF has them. */
const P = 1 << 0
const W = 1 << 1
const U = 1 << 2
const A = 1 << 5
const D = 1 << 6
const PS = 1 << 7
/** Error-code bits of #PF (SDM vol. 3A 5.7). */
const RSVD = 1 << 3
const FETCH = 1 << 4
/** Bit 63 of a PAE entry, in its high word. */
const XD = 1 << 31
/** Bits 21-13 of a 4 MB entry: no PSE-36 here. Bits 20-13 of a 2 MB entry. */
const RESERVED_4M = 0x3fe000
const RESERVED_2M = 0x1fe000
/** Bits of a PDPTE that must be 0: 8-5 and 2-1 of the low word; the high word, as MAXPHYADDR is 32. */
const RESERVED_PDPTE = 0x1e6

/**
 * The physical address of a linear one, or #PF. Sets accessed and dirty bits once nothing can fault any more.
 * @param user the access is a user-mode one, whatever the CPL is
 */
export function translate(cpu: Cpu, linear: number, write: boolean, user: boolean, fetch: boolean): number {
  const r = cpu.r
  if ((r[CR0] & CR0_PG) === 0) return linear
  const access = (write ? W : 0) | (user ? U : 0)
  return (r[CR4] & CR4_PAE) !== 0 ? walkPae(cpu, linear, access, fetch) : walk(cpu, linear, access)
}

function refuse(cpu: Cpu, linear: number, error: number): number {
  if (cpu.stop === 0) cpu.faultAddress = linear
  cpu.fault(PF_, error)
  return 0
}

/** Whether `rights`, the AND of the entries of a walk, deny an access. */
function denied(r: Int32Array, rights: number, access: number): boolean {
  if ((access & U) !== 0) return (access & ~rights & (U | W)) !== 0
  return (access & ~rights & W) !== 0 && (r[CR0] & CR0_WP) !== 0
}

/** Two levels, pages of 4 KB and 4 MB (SDM vol. 3A 5.3). */
function walk(cpu: Cpu, linear: number, access: number): number {
  const r = cpu.r
  const bus = cpu.bus
  const directory = (r[CR3] & ~0xfff) + (linear >>> 22) * 4
  const pde = bus.walk32(directory)
  if (cpu.stop !== 0) return 0
  if ((pde & P) === 0) return refuse(cpu, linear, access)
  const marks = (access & W) !== 0 ? A | D : A
  if ((pde & PS) !== 0 && (r[CR4] & CR4_PSE) !== 0) {
    if ((pde & RESERVED_4M) !== 0) return refuse(cpu, linear, access | P | RSVD)
    if (denied(r, pde, access)) return refuse(cpu, linear, access | P)
    if ((pde & marks) !== marks) bus.walkOr(directory, marks)
    return (pde & 0xffc00000) | (linear & 0x3fffff)
  }
  const table = (pde & ~0xfff) + ((linear >>> 12) & 0x3ff) * 4
  const pte = bus.walk32(table)
  if (cpu.stop !== 0) return 0
  if ((pte & P) === 0) return refuse(cpu, linear, access)
  if (denied(r, pde & pte, access)) return refuse(cpu, linear, access | P)
  if ((pde & A) === 0) bus.walkOr(directory, A)
  if ((pte & marks) !== marks) bus.walkOr(table, marks)
  return (pte & ~0xfff) | (linear & 0xfff)
}

/** Three levels of 8-byte entries, the first in registers; pages of 4 KB and 2 MB (SDM vol. 3A 5.4). */
function walkPae(cpu: Cpu, linear: number, access: number, fetch: boolean): number {
  const r = cpu.r
  const bus = cpu.bus
  const nx = (r[MSR_EFER] & EFER_NXE) !== 0
  const error = access | (fetch && nx ? FETCH : 0)
  // Without NX, bit 63 is reserved.
  const reservedHigh = nx ? ~XD : -1
  const pdpte = r[PDPTE + (linear >>> 30) * 2]
  if ((pdpte & P) === 0) return refuse(cpu, linear, error)
  const directory = (pdpte & ~0xfff) + ((linear >>> 21) & 0x1ff) * 8
  const pde = bus.walk64(directory)
  const pdeHigh = bus.high
  if (cpu.stop !== 0) return 0
  if ((pde & P) === 0) return refuse(cpu, linear, error)
  const marks = (access & W) !== 0 ? A | D : A
  const large = (pde & PS) !== 0
  if ((pdeHigh & reservedHigh) !== 0 || (large && (pde & RESERVED_2M) !== 0)) return refuse(cpu, linear, error | P | RSVD)
  if (large) {
    if (denied(r, pde, access) || (fetch && nx && (pdeHigh & XD) !== 0)) return refuse(cpu, linear, error | P)
    if ((pde & marks) !== marks) bus.walkOr(directory, marks)
    return (pde & 0xffe00000) | (linear & 0x1fffff)
  }
  const table = (pde & ~0xfff) + ((linear >>> 12) & 0x1ff) * 8
  const pte = bus.walk64(table)
  const pteHigh = bus.high
  if (cpu.stop !== 0) return 0
  if ((pte & P) === 0) return refuse(cpu, linear, error)
  if ((pteHigh & reservedHigh) !== 0) return refuse(cpu, linear, error | P | RSVD)
  if (denied(r, pde & pte, access) || (fetch && nx && ((pdeHigh | pteHigh) & XD) !== 0)) return refuse(cpu, linear, error | P)
  if ((pde & A) === 0) bus.walkOr(directory, A)
  if ((pte & marks) !== marks) bus.walkOr(table, marks)
  return (pte & ~0xfff) | (linear & 0xfff)
}

/**
 * Reads the four PDPTEs at `cr3` (SDM vol. 3A 5.4.1). Null: stopped, or a reserved bit is set (#GP(0)).
 * @returns low and high words, to be written to the PDPTE registers
 */
export function readPdptes(cpu: Cpu, cr3: number): Int32Array | null {
  const entries = new Int32Array(8)
  for (let n = 0; n < 4; n++) {
    const low = cpu.bus.read64((cr3 & ~31) + n * 8)
    const high = cpu.bus.high
    if (cpu.stop !== 0) return null
    if ((low & P) !== 0 && ((low & RESERVED_PDPTE) !== 0 || high !== 0)) {
      cpu.fault(GP, 0)
      return null
    }
    entries[n * 2] = low
    entries[n * 2 + 1] = high
  }
  return entries
}
