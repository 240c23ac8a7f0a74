/** Registers of single parts that kernels read or set on the way up, and that change nothing here (SDM vol. 4). */
import type { CpuClass } from '../cpu/classes.ts'
import type { MsrBank, Words } from './msrBank.ts'

interface Row {
  readonly msr: number
  /** CPU families that have it. */
  readonly families: readonly number[]
  readonly reset: Words
  /** Bits that keep what is written. */
  readonly writable: Words
  /** Bits that ignore what is written; the rest is reserved (#GP). */
  readonly readOnly: Words
}

const NOTHING: Words = { low: 0, high: 0 }
const ANYTHING: Words = { low: -1, high: -1 }

const ROWS: readonly Row[] = [
  // P5_MC_ADDR and P5_MC_TYPE: no machine check ever happened.
  { msr: 0x00, families: [5, 6, 15], reset: NOTHING, writable: NOTHING, readOnly: ANYTHING },
  { msr: 0x01, families: [5, 6, 15], reset: NOTHING, writable: NOTHING, readOnly: ANYTHING },
  // IA32_PLATFORM_ID, EBL_CR_POWERON.
  { msr: 0x17, families: [6, 15], reset: NOTHING, writable: NOTHING, readOnly: NOTHING },
  { msr: 0x2a, families: [6, 15], reset: NOTHING, writable: NOTHING, readOnly: ANYTHING },
  // IA32_MCG_CAP: no banks; IA32_MCG_STATUS.
  { msr: 0x179, families: [6, 15], reset: NOTHING, writable: NOTHING, readOnly: NOTHING },
  { msr: 0x17a, families: [6, 15], reset: NOTHING, writable: { low: 7, high: 0 }, readOnly: NOTHING },
  // IA32_MISC_ENABLE: fast strings; neither branch trace storage nor PEBS (bits 11 and 12 say so).
  { msr: 0x1a0, families: [15], reset: { low: 0x1801, high: 0 }, writable: { low: 0xc50809 & ~0x1880, high: 4 }, readOnly: { low: 0x1880, high: 0 } },
  // IA32_DEBUGCTL: without branch records only its place is there.
  { msr: 0x1d9, families: [6, 15], reset: NOTHING, writable: NOTHING, readOnly: { low: 0x7f, high: 0 } },
]

export class ModelMsrs implements MsrBank {
  readonly #rows: ReadonlyMap<number, Row>
  readonly #values: Map<number, Words>

  constructor(cpu: CpuClass) {
    const rows = ROWS.filter(({ families }) => families.includes(cpu.family))
    this.#rows = new Map(rows.map((row) => [row.msr, row]))
    this.#values = new Map(rows.map(({ msr, reset }) => [msr, reset]))
  }

  read(msr: number): Words | null {
    return this.#values.get(msr) ?? null
  }

  write(msr: number, low: number, high: number): boolean {
    const row = this.#rows.get(msr)
    if (row === undefined) return false
    const { writable, readOnly, reset } = row
    const known = { low: writable.low | readOnly.low, high: writable.high | readOnly.high }
    if ((low & ~known.low) !== 0 || (high & ~known.high) !== 0 || (known.low | known.high) === 0) return false
    this.#values.set(msr, { low: (low & writable.low) | (reset.low & readOnly.low), high: (high & writable.high) | (reset.high & readOnly.high) })
    return true
  }

  *words(): Iterable<number> {
    for (const { low, high } of this.#values.values()) {
      yield low
      yield high
    }
  }
}
