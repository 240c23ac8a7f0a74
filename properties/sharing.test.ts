// Only what others can see is an event: generated programs end the same where accesses to memory are events that need not be. That is all memory, or
// a part of it drawn at random, which larger programs can be asked for too.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assembleImage, makeModel } from '../src/index.ts'
import { Dice } from './fuzz/dice.ts'
import { endOf, machinesOf } from './fuzz/machines.ts'
import { randomProgram, textOf } from './fuzz/program.ts'
import { behaviourOf } from './fuzz/reference.ts'
import { machineEnds } from './translations/assembly.ts'
import { anyPagingProgram } from './translations/program.ts'

const RUNS = Number(process.env.XMCHECK_RUNS ?? 6)
const STATES_MAX = RUNS > 1000 ? 50_000 : 1200
/** How much is visible, in percent. */
const SHARES = [100, 20, 5, 5]
const partOf = (dice: Dice) => {
  const percent = dice.of(SHARES)
  return { visible: () => dice.chance(percent) }
}

describe('what nobody else can see', () => {
  it('makes no difference to where programs end, what is violated, and whether they hang', () => {
    let compared = 0
    for (let seed = 1; seed <= RUNS; seed++) {
      const program = randomProgram(seed)
      const image = assembleImage(textOf(program, 'loops'), { title: 'generated' })
      const end = endOf(image, program)
      const make = machinesOf(image, program)
      const few = behaviourOf(make, end, STATES_MAX)
      const more = few && behaviourOf(machinesOf(image, program, { learnt: make().sharing.learnt(), ...partOf(new Dice(seed)) }), end, STATES_MAX)
      if (few === null || more === null) continue
      compared++
      expect([few.ends, few.violations, few.stuck], `seed ${seed}\n${textOf(program, 'loops')}`).toEqual([more.ends, more.violations, more.stuck])
    }
    expect(compared).toBeGreaterThan(RUNS * 0.4)
  }, 60_000 + RUNS * 1000)

  it('makes none to programs about page tables', () => {
    let compared = 0
    fc.assert(
      fc.property(anyPagingProgram(2, 3), fc.constantFrom(makeModel(), makeModel({ memory: 'sc', tlbSplit: 'each' })), fc.nat(), (program, model, seed) => {
        const few = machineEnds(program, model, STATES_MAX)
        const more = few && machineEnds(program, model, STATES_MAX, { learnt: few.learnt, ...partOf(new Dice(seed)) })
        if (few === null || more === null) return
        compared++
        // Where it is violated before anybody else is known to matter, nothing else is looked for.
        if (few.states === 1) expect([...more.ends]).toEqual(expect.arrayContaining([...few.ends]))
        else expect(few.ends).toEqual(more.ends)
      }),
      { seed: 5, numRuns: RUNS / 2 },
    )
    expect(compared).toBeGreaterThan(RUNS / 10)
  }, 60_000 + RUNS * 1000)
})
