// The fetch ladder finds the boundary of every downward-closed set of rungs, and explores few of them.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatLadder, ladderOf, type RungVerdict } from '../../src/patching/ladder.ts'
import { checkImage } from '../../src/explore/check.ts'
import { profilesOf } from '../../src/patching/profiles.ts'
import { makeModel, parseRung, PROFILES, rungImplies, RUNGS } from '../../src/smp/model.ts'
import { programAt } from '../programs.ts'

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
      { numRuns: 150 },
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

describe('profiles', () => {
  /** Verdict by name of the profile, and which were explored. */
  const under = async (object: string, knobs: Record<string, string> = {}) => {
    const image = programAt(`catalogue/objects/${object}.o`)
    const verdict = (all: Readonly<Record<string, string | number | boolean>>): RungVerdict => {
      const result = checkImage(image, makeModel(all), { engine: 'graph', liveness: 'off' })
      return result.verdict === 'violated' ? 'violated' : result.strength === 'complete' ? 'holds' : 'unknown'
    }
    const explored: string[] = []
    const ladder = await ladderOf((rung) => verdict({ ...knobs, fetch: rung }))
    const found = await profilesOf(knobs, ladder, (profile, all) => (explored.push(profile), verdict(all)))
    for (const one of found) expect(one.verdict, one.profile).toBe(verdict({ ...knobs, ...PROFILES[one.profile].knobs }))
    return { found: Object.fromEntries(found.map((one) => [one.profile, one.verdict])), explored }
  }

  it('tell the manuals and the parts apart; those that differ in the rung alone follow from the ladder', async () => {
    const { found, explored } = await under('A04-BEFORE_59')
    expect(found).toMatchObject({ 'intel-manual': 'violated', 'amd-manual': 'holds', measured: 'holds', 'p6': 'holds' })
    expect(explored).not.toContain('intel-manual')
    expect(explored).not.toContain('amd-manual')
    expect(explored).toContain('386')
  })

  it('tell classes with a prefetch queue from those that see their own stores', async () => {
    const { found } = await under('A24')
    expect(found).toMatchObject({ '486': 'violated', '386': 'violated', pentium: 'holds', p6: 'holds' })
  })
})
