// Random small programs: the engines and brute force agree (`npm run fuzz -- N` takes more), and a broken engine is noticed.
import { describe, expect, it } from 'vitest'
import { compare, FAULTS } from './compare.ts'
import { randomProgram, textOf } from './program.ts'

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
    expect(compared).toBeGreaterThan(PROGRAMS * 0.8)
  })

  it.each(FAULTS)('show that an engine is broken: %s', (fault) => {
    let seed = 1
    while (seed <= 100 && compare(randomProgram(seed), fault).problems.length === 0) seed++
    expect(seed).toBeLessThan(100)
  })
})
