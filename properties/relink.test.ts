import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fetchRung, relinkLayout } from '../src/arbitraries.ts'
import { runCell } from '../src/index.ts'

const objects = [{ name: 'relink.o', bytes: new Uint8Array(readFileSync(new URL('../examples/relink.o', import.meta.url))) }]

describe('only the old or the new target', () => {
  it('for every layout where the model promises it; a counterexample where it does not', () => {
    fc.assert(
      fc.property(relinkLayout(), fetchRung(), fc.integer({ min: 2, max: 3 }), fc.constantFrom('p4', 'p6'), (layout, fetch, vcpus, cpu) => {
        const cell = runCell(objects, layout, vcpus, { fetch, cpu })
        expect([cell.result.verdict, cell.result.reasons]).toEqual([cell.expected, []])
      }),
      { seed: 2009, numRuns: 150 },
    )
  })
})
