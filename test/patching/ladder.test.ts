// The fetch ladder finds the boundary of every downward-closed set of rungs, and explores few of them.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatLadder, ladderOf, type RungVerdict } from '../../src/patching/ladder.ts'
import { parseRung, rungImplies, RUNGS } from '../../src/smp/model.ts'

const implies = (a: string, b: string) => rungImplies(parseRung(a)!, parseRung(b)!)

describe('ladder', () => {
  it('is the same as exploring every rung', async () => {
    await fc.assert(
      fc.asyncProperty(fc.subarray([...RUNGS]), async (seeds) => {
        // Violated on the seeds, and on whatever is weaker.
        const truth = (rung: string): RungVerdict => (seeds.some((seed) => implies(seed, rung)) ? 'violated' : 'holds')
        const asked: string[] = []
        const ladder = await ladderOf((rung) => (asked.push(rung), truth(rung)))
        for (const { rung, verdict } of ladder.rungs) expect(verdict).toBe(truth(rung))
        for (const rung of ladder.violatedFrom) for (const other of RUNGS) if (other !== rung && implies(other, rung)) expect(truth(other)).toBe('holds')
        expect(asked.length).toBeLessThanOrEqual(9)
      }),
      { numRuns: 300 },
    )
  })

  it('derives nothing from what is unknown', async () => {
    const ladder = await ladderOf((rung) => (rung === 'byte' || rung === 'strict' ? 'violated' : 'unknown'))
    expect(ladder.rungs.filter((one) => one.verdict === 'unknown').length).toBe(RUNGS.length - 2)
    expect(formatLadder(ladder)).toBe(`violated from byte on; holds on no rung; unknown on ${RUNGS.slice(0, -2).join(', ')}`)
  })

  it('takes what is known', async () => {
    expect(formatLadder(await ladderOf(() => 'unknown', { strict: 'holds' }))).toBe('violated on no rung; holds up to strict')
  })
})
