import type { Walk } from './paging.ts'

/**
 * The memory port: everything an instruction does outside its own registers goes through here, with
 * *physical* addresses. Plain run, recording and exploration are different buses under the same handlers.
 *
 * A bus may refuse to go on (another actor must be able to run first, or a monitor has judged): it sets
 * `cpu.stop` and returns 0. The handler then returns at once **without having written any register**; the
 * instruction is attempted again later from its beginning, and the bus answers the accesses that were
 * already made with what they gave the first time. So handlers obey one rule: *no register write before the
 * last access that may stop*, and after every access `if (cpu.stop !== 0) return`.
 *
 * No access crosses a 4 KB page: the CPU splits those. Crossing a cache line is the bus's business.
 */
export interface Bus {
  /** Loads of 1, 2, 4 bytes, zero-extended (32-bit: as int32). */
  read8(physical: number): number
  read16(physical: number): number
  read32(physical: number): number
  /** Load of 8 bytes as one access: returns the low word, leaves the high word in `high`. */
  read64(physical: number): number
  high: number
  write8(physical: number, value: number): void
  write16(physical: number, value: number): void
  write32(physical: number, value: number): void
  write64(physical: number, low: number, high: number): void

  /**
   * True while the current instruction is a locked read-modify-write (LOCK prefix, XCHG with memory,
   * descriptor and A/D updates): its accesses are one event. The CPU sets it before the first access;
   * whoever drives the CPU clears it when the attempt is over.
   */
  locked: boolean

  /** Page-walk load of an entry of 4 or 8 bytes (8: high word in `high`): memory only, never the own store buffer. */
  walk32(physical: number): number
  walk64(physical: number): number
  /**
   * Sets bits (accessed, dirty) in the low word of a page-table entry by a locked update, if it still is `expected`.
   * False: it is not, or the bus stopped.
   */
  walkMark(physical: number, bits: number, expected: number): boolean
  /** Sets bits of an aligned dword (the type of a descriptor) by a locked OR. */
  walkOr(physical: number, bits: number): void

  /**
   * What the translation caches offer an access (W, U, FETCH of cpu/paging.ts) while paging is on: NOT_CACHED: the tables
   * are walked; CACHED_PAGE: the translation is in `low`; CACHED_DIRECTORY: the walk starts at the entry in `low`, `high`.
   */
  lookup(linear: number, access: number): number
  /** A walk gave a translation for this access. */
  fill(linear: number, access: number, walk: Walk): void

  /** Earlier stores become visible before later ones (SFENCE); waits for nothing. */
  orderStores(): void
  /** Waits until the store buffer is empty (MFENCE, serialising, I/O). */
  fence(): void
  /** A core-serialising instruction completes: fence, and forget what was fetched ahead (SDM vol. 3A 9.3). */
  serialize(): void
  /** A near or far jump was taken: empties a 386/486 prefetch queue. */
  branch(): void

  /** Drops translations: one page (INVLPG), all but global (MOV CR3), all (CR4.PGE, CR0.PG, CR4.PAE). */
  invalidatePage(linear: number): void
  invalidateTlb(globalToo: boolean): void
  /** Comes before either of them, while the instruction can still stop: when others ran matters to what is dropped. */
  gateInvalidation(): void
  /** Registers that walks start from have changed, and nothing is dropped. */
  retarget(): void

  /** The own caches are written back and emptied (WBINVD); the line at `physical` is, in all caches (CLFLUSH). May stop. */
  flushCaches(): void
  flushLine(physical: number): void

  /** Port I/O; size 1, 2 or 4 bytes. */
  in(port: number, sizeBytes: number): number
  out(port: number, sizeBytes: number, value: number): void
  /** Time-stamp counter: low word returned, high word in `high`. */
  tsc(): number
  /** MSRs that are not CPU registers of ours (APIC and x2APIC). False: no such MSR (#GP). Low in, or out through, `low`/`high`. */
  low: number
  readMsr(msr: number): boolean
  writeMsr(msr: number, low: number, high: number): boolean

  /**
   * A call to the checker: `nopl 0x584D0000+number(%eax)`, a no-op on hardware. Arguments in EAX, EDX, ECX;
   * returns the new EAX.
   */
  guestCall(number: number, eax: number, edx: number, ecx: number): number
  /** VMCALL / VMMCALL. False: #UD. */
  hypercall(): boolean
}

/** `cpu.stop`: why the handler must return. */
export const GO = 0
/** The CPU raised a fault; `cpu.faultVector`, `cpu.faultError` say which. */
export const STOP_FAULT = 1
/** The bus wants another actor to be able to run first; attempt again later. */
export const STOP_PARK = 2
/** A monitor judged the execution violated; the attempt is abandoned. */
export const STOP_VIOLATION = 3
