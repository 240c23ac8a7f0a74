// Generated programs about page tables: the explored machine ends them in every way that the manual, read literally, lets them end, and in no other.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makeModel } from '../../src/index.ts'
import { machineEnds } from './assembly.ts'
import { anyPagingProgram, clearedIn } from './program.ts'
import { referenceEnds, type ReferenceRules } from './reference.ts'

const RUNS = Number(process.env.XMCHECK_RUNS ?? 16)
/** Larger programs: three vCPUs with up to four operations each, not two with three. */
const LARGE = RUNS > 1000
const STATES_MAX = LARGE ? 60_000 : 2500

const anyRules: fc.Arbitrary<ReferenceRules> = fc.record({
  buffers: fc.boolean(),
  tlb: fc.constantFrom('pde', 'pde', 'pde', 'leaf', 'none'),
  tlbSplit: fc.constantFrom('split', 'unified', 'each'),
  ahead: fc.constantFrom('any', 'accessed'),
})
const modelOf = ({ buffers, tlb, tlbSplit, ahead }: ReferenceRules) =>
  makeModel({ memory: buffers ? 'tso' : 'sc', fetch: 'coherent', tlb, tlbSplit, tlbSpeculative: ahead })

describe('generated programs about page tables', () => {
  it('end as the manual says', () => {
    let [compared, branching] = [0, 0]
    fc.assert(
      fc.property(anyPagingProgram(LARGE ? 3 : 2, LARGE ? 4 : 3), anyRules, (program, rules) => {
        const expected = referenceEnds(program, rules, STATES_MAX)
        const found = expected && machineEnds(program, modelOf(rules), STATES_MAX)
        if (found === null || found.isBounded) return
        compared++
        if (found.ends.size > 1) branching++
        // What was cached through a directory entry with A clear may be used though that entry still has it clear: more than parts do (docs/model.md).
        const more = rules.ahead === 'any' && clearedIn(program) === 'directories'
        const ends = more ? [...found.ends].filter((end) => expected!.ends.has(end)) : [...found.ends]
        expect(ends.sort()).toEqual([...expected!.ends].sort())
      }),
      { seed: 3, numRuns: RUNS },
    )
    expect(compared).toBeGreaterThan(RUNS * 0.8)
    expect(branching).toBeGreaterThan(RUNS / 5)
  }, 60_000 + RUNS * 2000)
})
