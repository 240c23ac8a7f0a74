// Random small programs: the engines and brute force agree (`npm run fuzz -- N` takes more), and a broken engine is noticed.
import { describe, expect, it } from 'vitest'
import { beyond, BEYOND_PROGRAMS } from './beyond.ts'
import { compare, FAULTS, type EngineFault } from './compare.ts'
import { randomProgram, textOf } from './program.ts'

/** Where to look for a program that shows it. */
const SEEDS: Readonly<Record<string, number>> = { 'no-wait-reversal': 700 }
const PROGRAMS = Number(process.env.XMCHECK_RUNS ?? 40)

describe('random programs', () => {
  it('have the same executions, final states and violations by every engine as by brute force', () => {
    let compared = 0
    for (let seed = 1_000_000; seed < 1_000_000 + PROGRAMS; seed++) {
      const program = randomProgram(seed)
      const { problems, skipped } = compare(program)
      expect(problems, `seed ${seed}\n${textOf(program, 'loops')}`).toEqual([])
      if (skipped === null) compared++
    }
    expect(compared).toBeGreaterThan(PROGRAMS * 0.6)
  })

  // A code write dropped while an older one beside it was open; its order; own private code that overtook a buffered store; a fetch taken for stale;
  // a plan with a fetch that was none while sharing was learnt.
  it.each([11_203_532, 11_203_547, 12_001_899, 12_002_652, 12_000_092, 12_020_164])('that once differed: seed %i', (seed) => {
    expect(compare(randomProgram(seed))).toMatchObject({ problems: [], skipped: null })
  })

  it.each(Object.entries(FAULTS))('show that an engine is broken: %s', (fault, kinds) => {
    let noticed = false
    let left = 100
    for (let seed = SEEDS[fault] ?? 1; left > 0 && !noticed; seed++) {
      const program = randomProgram(seed)
      if (kinds.length > 0 && !kinds.includes(program.kind)) continue
      left--
      noticed = compare(program, fault as EngineFault).problems.length > 0
    }
    expect(noticed).toBe(true)
  })

  it('whose code may be fetched stale are not explored much more than once a class', () => {
    const { classes, surplus } = beyond(BEYOND_PROGRAMS, null)
    expect(surplus / classes).toBeLessThan(0.15)
    expect(beyond(BEYOND_PROGRAMS, 'no-fetch-order').surplus).toBeGreaterThan(surplus * 2)
  })
})
