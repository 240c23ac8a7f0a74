/**
 * Descriptors of the little world: a local table that the harness installs (modify_ldt), and the part of the host's global table that
 * every x86-64 Linux has. The same words go into the model's tables.
 */
import { CODE, CODE_BYTES, DATA, DATA_BYTES } from './layout.ts'

export interface Segment {
  readonly base: number
  /** As the descriptor has it: in bytes, or in pages where `pages` is set. */
  readonly limit: number
  /** Access rights, descriptor bits 40-47. */
  readonly rights: number
  readonly pages?: boolean
  /** D or B: 32 bits. */
  readonly big?: boolean
  /** L: 64-bit code, which the model does not have; it is only asked about. */
  readonly long?: boolean
}

const DATA_RW = 0xf3
const DATA_RO = 0xf1
const DOWN_RW = 0xf7
const DOWN_RO = 0xf5
const CODE_RX = 0xfb
const CODE_XO = 0xf9
const CONFORMING = 0xff
const PRESENT = 0x80

/** LDT entries from 1 on. Everything is DPL 3 and accessed: modify_ldt gives nothing else. */
export const LOCAL: readonly Segment[] = [
  { base: DATA, limit: DATA_BYTES - 1, rights: DATA_RW, big: true },
  { base: DATA, limit: 0x17ff, rights: DATA_RO, big: true },
  { base: DATA, limit: 0x7ff, rights: DOWN_RW, big: true },
  { base: DATA, limit: 0x3ff, rights: DOWN_RW },
  { base: 0, limit: 0xfffff, rights: DATA_RW, pages: true, big: true },
  { base: DATA, limit: DATA_BYTES - 1, rights: DATA_RW },
  { base: CODE, limit: CODE_BYTES - 1, rights: CODE_RX, big: true },
  { base: CODE, limit: CODE_BYTES - 1, rights: CODE_XO, big: true },
  { base: CODE, limit: CODE_BYTES - 1, rights: CODE_RX },
  { base: CODE, limit: 0x1880, rights: CODE_XO },
  { base: DATA, limit: 0xfff, rights: DATA_RW & ~PRESENT, big: true },
  { base: CODE, limit: 0xfff, rights: CODE_RX & ~PRESENT, big: true },
  { base: CODE, limit: 0xfff, rights: CONFORMING & ~PRESENT, big: true },
  { base: DATA + 0x123, limit: 0xfff, rights: DATA_RW },
  // Offsets above 4 GB less 2 KB wrap into the data pages.
  { base: DATA + 0x800, limit: 0xfffff, rights: DATA_RW, pages: true, big: true },
  { base: DATA, limit: 1, rights: DATA_RW, pages: true, big: true },
  { base: DATA, limit: 0x9ff, rights: DOWN_RO, big: true },
  { base: DATA + 0x1000, limit: 0, rights: DATA_RW, big: true },
]

const flat = (rights: number, more: Partial<Segment> = {}): Segment => ({ base: 0, limit: 0xfffff, rights, pages: true, big: true, ...more })
/** GDT entries from 1 on; what the host has behind them is not asked about. */
export const GLOBAL: readonly Segment[] = [
  flat(0x9b), flat(0x9b, { big: false, long: true }), flat(0x93), flat(0xfb), flat(0xf3), flat(0xfb, { big: false, long: true }),
]
export const GDT_LIMIT = 16 * 8 - 1

export const USER_CS = 0x23
export const USER_DS = 0x2b
export const LONG_CS = 0x30

/** LDT entry `index` of `LOCAL`, as a selector of ring 3. */
export const localSelector = (index: number): number => (index + 1) * 8 + 7

/** The segment of a selector that can be in a segment register; null: a null selector. */
export function segmentOf(selector: number): Segment | null {
  if ((selector & 0xfffc) === 0) return null
  return ((selector & 4) === 0 ? GLOBAL : LOCAL)[(selector >> 3) - 1]
}

/** Both words of a descriptor. */
export function descriptorOf({ base, limit, rights, pages, big, long }: Segment): [low: number, high: number] {
  const flags = (pages === true ? 8 : 0) | (big === true ? 4 : 0) | (long === true ? 2 : 0)
  return [(limit & 0xffff) | (base << 16), ((base >>> 16) & 0xff) | (rights << 8) | (limit & 0xf0000) | (flags << 20) | (base & 0xff000000)]
}

/** Limit in bytes. */
export function limitBytes({ limit, pages }: Segment): number {
  return pages === true ? limit * 0x1000 + 0xfff : limit
}
