/**
 * Linear to physical addresses (SDM vol. 3A chapter 5). Physical addresses have 32 bits in every class (MAXPHYADDR = 32).
 *
 * A translation, as a TLB holds it, is one word: the frame of its 4 KB page in bits 31-12 (also inside a large page), then
 * the bits below: W and U those of all levels together, D and G those of the last one, PS for a large page, UNCACHED by
 * the memory type that the last one selects.
 */
import type { Cpu } from './cpu.ts'
import { GP, PF_ } from './exceptions.ts'
import {
  CR0, CR0_PG, CR0_WP, CR3, CR4, CR4_PAE, CR4_PGE, CR4_PSE, EFER_NXE, MSR_EFER, MSR_PAT_HI, MSR_PAT_LO, PDPTE,
} from './registers.ts'

/** Entry bits; those of P, W and U stand where the error code of #PF has them. */
export const P = 1 << 0
export const W = 1 << 1
export const U = 1 << 2
export const A = 1 << 5
export const D = 1 << 6
export const PS = 1 << 7
export const G = 1 << 8
/** Of a translation, not of an entry in memory: no code may be fetched; caches hold nothing of the page (memory types UC, UC- and WC). */
export const NO_FETCH = 1 << 11
export const UNCACHED = 1 << 9
/** PWT and PCD; PAT, in an entry of a page of 4 KB, and of a large one. */
const TYPE_SHIFT = 3
const PAT_4K = 1 << 7
const PAT_LARGE = 1 << 12
/** Memory types (SDM vol. 3A 13.12.2): 0 UC, 1 WC, 4 WT, 5 WP, 6 WB, 7 UC-. */
const WT = 4
const UC_MINUS = 7
/** Error-code bits of #PF (SDM vol. 3A 5.7); FETCH also marks the access of a fetch. */
const RSVD = 1 << 3
export const FETCH = 1 << 4
/** Bit 63 of a PAE entry, in its high word. */
const XD = 1 << 31
/** Bits 21-13 of a 4 MB entry: no PSE-36 here. Bits 20-13 of a 2 MB entry. */
const RESERVED_4M = 0x3fe000
const RESERVED_2M = 0x1fe000
/** Bits of a PDPTE that must be 0: 8-5 and 2-1 of the low word; the high word, as MAXPHYADDR is 32. */
const RESERVED_PDPTE = 0x1e6

/** What a look-up found (`Bus.lookup`): nothing, a translation (in `bus.low`), a directory entry (`bus.low`, `bus.high`). */
export const NOT_CACHED = 0
export const CACHED_PAGE = 1
export const CACHED_DIRECTORY = 2

/** Where a walk reads its entries. */
export interface WalkPort {
  walk32(physical: number): number
  walk64(physical: number): number
  high: number
  /** Sets bits of an entry by a locked update, if its low word is still `expected`. False: it is not, or the port stopped. */
  walkMark(physical: number, bits: number, expected: number): boolean
}

/** How a walk ended. */
export class Walk {
  /** The translation; 0: the access is refused. */
  entry = 0
  /** Error code of the #PF where it is. */
  error = 0
  /** The directory entry, where it led to a table: what a paging-structure cache may keep. 0: it did not. */
  pde = 0
  pdeHigh = 0
}

/**
 * The physical address of a linear one, or #PF. Sets accessed and dirty bits once nothing can fault any more.
 * @param user the access is a user-mode one, whatever the CPL is
 */
export function translate(cpu: Cpu, linear: number, write: boolean, user: boolean, fetch: boolean): number {
  const r = cpu.r
  cpu.uncached = false
  if ((r[CR0] & CR0_PG) === 0) return linear
  const { bus, walk } = cpu
  const access = (write ? W : 0) | (user ? U : 0) | (fetch ? FETCH : 0)
  const found = bus.lookup(linear, access)
  if (cpu.stop !== 0) return 0
  if (found === CACHED_PAGE) {
    const entry = bus.low
    cpu.uncached = (entry & UNCACHED) !== 0
    return denied(r, entry, access) ? refuse(cpu, linear, errorOf(r, access) | P) : (entry & ~0xfff) | (linear & 0xfff)
  }
  walk.pde = found === CACHED_DIRECTORY ? bus.low : 0
  walk.pdeHigh = found === CACHED_DIRECTORY ? bus.high : 0
  walkTables(r, bus, cpu, linear, access, found === CACHED_DIRECTORY, walk)
  if (cpu.stop !== 0) return 0
  if (walk.entry === 0) return refuse(cpu, linear, walk.error)
  bus.fill(linear, access, walk)
  cpu.uncached = (walk.entry & UNCACHED) !== 0
  return cpu.stop !== 0 ? 0 : (walk.entry & ~0xfff) | (linear & 0xfff)
}

function refuse(cpu: Cpu, linear: number, error: number): number {
  if (cpu.stop === 0) cpu.faultAddress = linear
  cpu.fault(PF_, error)
  return 0
}

/** Error code of a page fault, without the reason for it. */
export function errorOf(r: Int32Array, access: number): number {
  return (r[CR4] & CR4_PAE) !== 0 && (r[MSR_EFER] & EFER_NXE) !== 0 ? access : access & ~FETCH
}

/** Whether a translation, or the AND of the entries of a walk, denies an access. */
export function denied(r: Int32Array, rights: number, access: number): boolean {
  if ((access & FETCH) !== 0 && (rights & NO_FETCH) !== 0) return true
  if ((access & U) !== 0) return (access & ~rights & (U | W)) !== 0
  return (access & ~rights & W) !== 0 && (r[CR0] & CR0_WP) !== 0
}

/**
 * Walks the tables that `r` names and leaves the outcome in `out`; where the port stops (`gate.stop`), nothing.
 * @param cached the walk begins at the directory entry in `out.pde`, from a paging-structure cache
 */
export function walkTables(
  r: Int32Array, port: WalkPort, gate: { readonly stop: number }, linear: number, access: number, cached: boolean, out: Walk,
): void {
  const pde = out.pde
  const pdeHigh = out.pdeHigh
  const levels = (r[CR4] & CR4_PAE) !== 0 ? walkPae : walk
  out.entry = 0
  // An entry that changes between its load and the update of its bits is walked again.
  while (!levels(r, port, gate, linear, access, cached, out) && gate.stop === 0) {
    out.pde = pde
    out.pdeHigh = pdeHigh
  }
}

/** Two levels, pages of 4 KB and 4 MB (SDM vol. 3A 5.3). */
function walk(
  r: Int32Array, port: WalkPort, gate: { readonly stop: number }, linear: number, access: number, cached: boolean, out: Walk,
): boolean {
  const error = errorOf(r, access)
  const directory = (r[CR3] & ~0xfff) + (linear >>> 22) * 4
  const pde = cached ? out.pde : port.walk32(directory)
  out.pde = 0
  if (gate.stop !== 0) return true
  if ((pde & P) === 0) return reject(out, error)
  const marks = (access & W) !== 0 ? A | D : A
  if ((pde & PS) !== 0 && (r[CR4] & CR4_PSE) !== 0) {
    if ((pde & RESERVED_4M) !== 0) return reject(out, error | P | RSVD)
    if (denied(r, pde & ~NO_FETCH, access)) return reject(out, error | P)
    if ((pde & marks) !== marks && !port.walkMark(directory, marks, pde)) return false
    out.entry = entryOf(r, (pde & 0xffc00000) | (linear & 0x3ff000), pde, pde, access, PS | typeOf(r, pde, PAT_LARGE))
    return true
  }
  const table = (pde & ~0xfff) + ((linear >>> 12) & 0x3ff) * 4
  const pte = port.walk32(table)
  if (gate.stop !== 0) return true
  out.pde = pde
  if ((pte & P) === 0) return reject(out, error)
  if (denied(r, pde & pte & ~NO_FETCH, access)) return reject(out, error | P)
  if ((pde & A) === 0 && !port.walkMark(directory, A, pde)) return false
  if ((pte & marks) !== marks && !port.walkMark(table, marks, pte)) return false
  out.entry = entryOf(r, pte & ~0xfff, pde & pte, pte, access, typeOf(r, pte, PAT_4K))
  return true
}

/** Three levels of 8-byte entries, the first in registers; pages of 4 KB and 2 MB (SDM vol. 3A 5.4). */
function walkPae(
  r: Int32Array, port: WalkPort, gate: { readonly stop: number }, linear: number, access: number, cached: boolean, out: Walk,
): boolean {
  const nx = (r[MSR_EFER] & EFER_NXE) !== 0
  const error = errorOf(r, access)
  // Without NX, bit 63 is reserved.
  const reservedHigh = nx ? ~XD : -1
  const pdpte = r[PDPTE + (linear >>> 30) * 2]
  if (!cached && (pdpte & P) === 0) return reject(out, error)
  const directory = (pdpte & ~0xfff) + ((linear >>> 21) & 0x1ff) * 8
  const pde = cached ? out.pde : port.walk64(directory)
  const pdeHigh = cached ? out.pdeHigh : port.high
  out.pde = 0
  if (gate.stop !== 0) return true
  if ((pde & P) === 0) return reject(out, error)
  const marks = (access & W) !== 0 ? A | D : A
  const large = (pde & PS) !== 0
  if ((pdeHigh & reservedHigh) !== 0 || (large && (pde & RESERVED_2M) !== 0)) return reject(out, error | P | RSVD)
  if (large) {
    const noFetch = (pdeHigh & XD) !== 0 ? NO_FETCH : 0
    if (denied(r, (pde & ~NO_FETCH) | noFetch, access)) return reject(out, error | P)
    if ((pde & marks) !== marks && !port.walkMark(directory, marks, pde)) return false
    out.entry = entryOf(r, (pde & 0xffe00000) | (linear & 0x1ff000), pde, pde, access, noFetch | PS | typeOf(r, pde, PAT_LARGE))
    return true
  }
  const table = (pde & ~0xfff) + ((linear >>> 12) & 0x1ff) * 8
  const pte = port.walk64(table)
  const pteHigh = port.high
  if (gate.stop !== 0) return true
  out.pde = pde
  out.pdeHigh = pdeHigh
  if ((pte & P) === 0) return reject(out, error)
  if ((pteHigh & reservedHigh) !== 0) return reject(out, error | P | RSVD)
  const noFetch = ((pdeHigh | pteHigh) & XD) !== 0 ? NO_FETCH : 0
  if (denied(r, (pde & pte & ~NO_FETCH) | noFetch, access)) return reject(out, error | P)
  if ((pde & A) === 0 && !port.walkMark(directory, A, pde)) return false
  if ((pte & marks) !== marks && !port.walkMark(table, marks, pte)) return false
  out.entry = entryOf(r, pte & ~0xfff, pde & pte, pte, access, noFetch | typeOf(r, pte, PAT_4K))
  return true
}

function reject(out: Walk, error: number): true {
  out.error = error
  return true
}

/**
 * A translation. Its A bit says that every level had A set *before* this walk, so that whoever only looks can tell; its
 * D bit counts a write of this walk.
 */
function entryOf(r: Int32Array, frame: number, both: number, last: number, access: number, more: number): number {
  const dirty = (access & W) !== 0 ? D : last & D
  const global = (r[CR4] & CR4_PGE) !== 0 ? last & G : 0
  return (frame & ~0xfff) | P | (both & (W | U | A)) | dirty | global | more
}

/** UNCACHED, where the page attribute table has such a type for this entry (SDM vol. 3A 13.12.3); MTRRs are taken to say WB. */
function typeOf(r: Int32Array, entry: number, pat: number): number {
  const half = (entry & pat) === 0 ? r[MSR_PAT_LO] : r[MSR_PAT_HI]
  const type = (half >>> (((entry >>> TYPE_SHIFT) & 3) * 8)) & 7
  return type < WT || type === UC_MINUS ? UNCACHED : 0
}

/**
 * Reads the four PDPTEs at `cr3` (SDM vol. 3A 5.4.1). Null: stopped, or a reserved bit is set (#GP(0)).
 * @returns low and high words, to be written to the PDPTE registers
 */
export function readPdptes(cpu: Cpu, cr3: number): Int32Array | null {
  const entries = new Int32Array(8)
  // The load of CR3 is serialising: the own stores are in memory before.
  cpu.bus.fence()
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
