// Seeded faults: every row of the table is spoiled in several ways, and the vectors must notice each.
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import type { Cpu } from '../../src/cpu/cpu.ts'
import { AF, CF, EAX, EFLAGS, OF, PF, SF, ZF } from '../../src/cpu/registers.ts'
import { differences, looseAfter, Model } from './native/compare.ts'
import { explain } from './native/explained.ts'
import { readVectors, type Captured } from './native/vectors.ts'

const ALL = process.env.XMCHECK_CONFORMANCE === '1'

interface Mutant {
  readonly name: string
  /** Flag that it spoils; 0: none. */
  readonly flag: number
  /** Wraps what the instruction does. */
  readonly spoil: (cpu: Cpu, run: () => void) => void
}

const completed = (change: (cpu: Cpu) => void) => (cpu: Cpu, run: () => void) => {
  run()
  if (cpu.stop === 0) change(cpu)
}
const MISSING_FAULT = 'missing fault'
const FLAGS = { CF, PF, AF, ZF, SF, OF }

const MUTANTS: readonly Mutant[] = [
  { name: 'wrong result', flag: 0, spoil: completed((cpu) => (cpu.r[EAX] ^= 0x10)) },
  ...Object.entries(FLAGS).map(([name, flag]): Mutant => ({ name: `wrong ${name}`, flag, spoil: completed((cpu) => (cpu.r[EFLAGS] ^= flag)) })),
  { name: 'wrong EIP', flag: 0, spoil: completed((cpu) => cpu.next++) },
  {
    name: MISSING_FAULT,
    flag: 0,
    spoil: (cpu, run) => {
      run()
      cpu.stop = 0
    },
  },
]

it('every spoiled row is noticed', { timeout: 3_600_000 }, () => {
  const { header, vectors } = readVectors(gunzipSync(readFileSync(new URL('native/vectors.bin.gz', import.meta.url))))
  const byRow = new Map<number, Captured[]>()
  for (const vector of vectors()) {
    // A few rows in `npm test`.
    if (!ALL && vector.row % 23 !== 5) continue
    if (explain(header.rows[vector.row], vector.before, vector.after) === null) (byRow.get(vector.row) ?? byRow.set(vector.row, []).get(vector.row)!).push(vector)
  }
  const model = new Model()
  const survivors: string[] = []
  let tried = 0
  for (const [row, list] of byRow) {
    const ops = list.map(({ before }) => model.run(before).op)
    for (const mutant of MUTANTS) {
      // Where no instance completes (or faults, or defines the flag) there is nothing to spoil.
      const applies = list.some(({ before, after }, k) =>
        mutant.name === MISSING_FAULT
          ? after.trap !== 3 && after.eip === before.eip
          : after.eip !== before.eip && (looseAfter(before, after, ops[k]).flags & mutant.flag) === 0,
      )
      if (!applies) continue
      tried++
      model.spoil = (_op, cpu, run) => mutant.spoil(cpu, run)
      const noticed = list.some(({ before, after }) => {
        const { after: got, op } = model.run(before)
        return differences(before, after, got, op).length > 0
      })
      model.spoil = null
      if (!noticed) survivors.push(`${header.rows[row]}: ${mutant.name}`)
    }
  }
  if (ALL) console.log(`${tried} mutants of ${byRow.size} rows; ${survivors.length} survive`)
  expect(tried).toBeGreaterThan(50)
  expect(survivors).toEqual([])
})
