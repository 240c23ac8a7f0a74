import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fetchRung, relinkLayout } from '../src/arbitraries.ts'
import { recordTrace, runCell } from '../src/index.ts'
import { assertProperty } from './failures.ts'

const objects = [{ name: 'relink.o', bytes: new Uint8Array(readFileSync(new URL('../examples/relink.o', import.meta.url))) }]
const cellOf = (layout: Parameters<typeof runCell>[1], fetch: string, vcpus: number, cpu: string) => runCell(objects, layout, vcpus, { fetch, cpu })

describe('only the old or the new target', () => {
  it('for every layout where the model promises it; a counterexample where it does not', () => {
    assertProperty(
      'relink',
      fc.property(relinkLayout(), fetchRung(), fc.integer({ min: 2, max: 3 }), fc.constantFrom('p4', 'p6'), (...values) => {
        const cell = cellOf(...values)
        expect([cell.result.verdict, cell.result.reasons]).toEqual([cell.expected, []])
      }),
      { seed: 2009, numRuns: Number(process.env.XMCHECK_RUNS ?? 150) },
      (...values) => {
        const { image, model, result } = cellOf(...values)
        return result.schedule === null ? null : recordTrace(image, model, result.sharing, result.schedule)
      },
    )
  })
})
