// Seeded faults: every row of the table is spoiled in several ways, and the vectors must notice each.
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import type { Cpu } from '../../src/cpu/cpu.ts'
import type { Op } from '../../src/cpu/decode.ts'
import { groupOf } from '../../src/cpu/groups.ts'
import { AF, CF, EAX, EFLAGS, ESI, ESP, OF, PF, SELECTOR, SF, ZF } from '../../src/cpu/registers.ts'
import { differences, looseAfter, Model } from './native/compare.ts'
import { explain } from './native/explained.ts'
import { Scores } from './native/scores.ts'
import { readVectors, type Captured } from './native/vectors.ts'

const ALL = process.env.XMCHECK_CONFORMANCE === '1'

interface Mutant {
  readonly name: string
  /** Wraps what the instruction does. */
  readonly spoil: (cpu: Cpu, run: () => void) => void
  /** Bits to invert of what it stores. */
  readonly stores: number
  /** There is something to spoil in this instance. */
  readonly applies: (vector: Captured, op: Op | null) => boolean
}

const completes = ({ before, after }: Captured) => after.eip !== before.eip
const faults = ({ before, after }: Captured) => after.trap !== 3 && after.eip === before.eip
const completed = (change: (cpu: Cpu) => void) => (cpu: Cpu, run: () => void) => {
  run()
  if (cpu.stop === 0) change(cpu)
}
const register = (name: string, number: number): Mutant => ({ name, spoil: completed((cpu) => (cpu.r[number] ^= 0x10)), stores: 0, applies: completes })
const FLAGS = { CF, PF, AF, ZF, SF, OF }

const MUTANTS: readonly Mutant[] = [
  register('wrong result (EAX)', EAX),
  register('wrong result (ESI)', ESI),
  register('wrong stack pointer', ESP),
  { name: 'wrong result (memory)', spoil: (_cpu, run) => run(), stores: 0x01010101, applies: (vector) => completes(vector) && vector.after.memory.length > 0 },
  ...[0, 1, 2, 3, 4, 5].map(
    (segment): Mutant => ({
      name: `wrong selector (${['ES', 'CS', 'SS', 'DS', 'FS', 'GS'][segment]})`,
      spoil: completed((cpu) => (cpu.r[SELECTOR + segment] ^= 8)),
      stores: 0,
      applies: (vector) => completes(vector) && vector.after.selectors[segment] !== vector.before.selectors[segment],
    }),
  ),
  ...Object.entries(FLAGS).map(
    ([name, flag]): Mutant => ({
      name: `wrong ${name}`,
      spoil: completed((cpu) => (cpu.r[EFLAGS] ^= flag)),
      stores: 0,
      // Where the manual defines it.
      applies: (vector, op) => completes(vector) && (looseAfter(vector.before, vector.after, op).flags & flag) === 0,
    }),
  ),
  { name: 'wrong EIP', spoil: completed((cpu) => cpu.next++), stores: 0, applies: completes },
  {
    name: 'missing fault',
    spoil: (cpu, run) => {
      run()
      cpu.stop = 0
    },
    stores: 0,
    applies: faults,
  },
]

it('every spoiled row is noticed', { timeout: 3_600_000 }, () => {
  const { header, vectors } = readVectors(gunzipSync(readFileSync(new URL('native/vectors.bin.gz', import.meta.url))))
  const model = new Model()
  const byRow = new Map<number, { vector: Captured; op: Op | null }[]>()
  // A few rows in `npm test`.
  for (const vector of vectors((_index, row) => ALL || row % 23 === 5)) {
    const { after, op } = model.run(vector.before)
    if (explain(header.rows[vector.row], vector.before, vector.after, after) !== null) continue
    const list = byRow.get(vector.row)
    if (list === undefined) byRow.set(vector.row, [{ vector, op }])
    else list.push({ vector, op })
  }
  const scores = new Scores()
  const survivors: string[] = []
  for (const [row, list] of byRow) {
    const text = header.rows[row]
    for (const mutant of MUTANTS) {
      if (!list.some(({ vector, op }) => mutant.applies(vector, op))) continue
      model.spoil = (_op, cpu, run) => mutant.spoil(cpu, run)
      model.spoiledStore = mutant.stores
      const noticed = list.some(({ vector: { before, after } }) => {
        const { after: got, op } = model.run(before)
        return differences(before, after, got, op).length > 0
      })
      model.spoil = null
      model.spoiledStore = 0
      scores.add(groupOf(text.split(' ')[0]), noticed)
      if (!noticed) survivors.push(`${text}: ${mutant.name}`)
    }
  }
  if (ALL) console.log(`Mutants noticed, of ${byRow.size} rows\n${scores.table()}`)
  expect(scores.total).toBeGreaterThan(50)
  expect(survivors).toEqual([])
})
