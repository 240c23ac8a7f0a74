// The context switch in lazy CPU mode, its steps in any order: exactly those verify that a predicate over positions says are right.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { judgeOrder } from './images.ts'

/** As catalogue/P/P01.c has them. */
const STEPS = ['enter', 'mm', 'stack', 'unlazy', 'tls', 'iopl', 'extra', 'leave', 'clear_ts', 'restore', 'fs', 'gs', 'user']

/** Whether the next task finds what is its own: from the positions of the steps, and nothing else. */
function isRight(order: readonly string[], queuedClts: boolean): boolean {
  const at = (step: string) => order.indexOf(step)
  const [enter, leave] = [at('enter'), at('leave')]
  /** When an update that the mode queues takes effect. */
  const effect = (step: string) => (enter < at(step) && at(step) < leave ? leave : at(step))
  const clts = queuedClts ? effect('clear_ts') : at('clear_ts')
  // Where the task before used the FPU its state is saved, then TS set; where it did not, TS is set from the beginning.
  const stts = effect('unlazy')
  // Queued together, they are carried out in the order in which they were queued.
  const cltsIsLast = stts < clts || (stts === clts && at('unlazy') < at('clear_ts'))
  const saved = at('unlazy') < at('restore')
  const loadable = clts < at('restore') && saved
  const fresh = (update: string, uses: readonly string[]) => uses.every((use) => effect(update) < at(use))
  return enter < leave && cltsIsLast && loadable && fresh('tls', ['fs', 'gs']) && fresh('mm', ['user'])
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]]
  return items.flatMap((item, k) => permutations(items.toSpliced(k, 1)).map((rest) => [item, ...rest]))
}
/** Every order of `units` (steps that stay together) in their places, all else where it stands. */
function ordersOf(units: readonly (readonly string[])[]): string[][] {
  const from = STEPS.findIndex((step) => units.flat().includes(step))
  const others = STEPS.filter((step) => !units.flat().includes(step))
  return permutations(units).map((order) => [...others.slice(0, from), ...order.flat(), ...others.slice(from)])
}

const agree = (order: readonly string[], queuedClts: boolean) =>
  expect(`${order.join(' ')}: ${judgeOrder(order, queuedClts) === null}`).toBe(`${order.join(' ')}: ${isRight(order, queuedClts)}`)

describe('of all orders of the switch, exactly the right ones verify', () => {
  const back = [['unlazy'], ['tls'], ['leave'], ['clear_ts', 'restore'], ['fs', 'gs']]
  it.each([false, true])('flush, save, TLS, restore and segment loads; CLTS in the batch: %s', (queued) => {
    const orders = ordersOf(back)
    expect(orders).toHaveLength(120)
    for (const order of orders) agree(order, queued)
    expect(orders.filter((order) => isRight(order, queued))).toHaveLength(16)
  })

  it('all thirteen steps, shuffled', () => {
    const shuffled = fc.shuffledSubarray(STEPS, { minLength: STEPS.length })
    /** Two steps change places: orders that are nearly right. */
    const swapped = fc.tuple(fc.nat({ max: 12 }), fc.nat({ max: 12 })).map(([a, b]) => STEPS.map((step, k) => (k === a ? STEPS[b] : k === b ? STEPS[a] : step)))
    fc.assert(fc.property(fc.oneof(shuffled, swapped), fc.boolean(), (order, queued) => void agree(order, queued)), { numRuns: 60, seed: 3 })
  })
})
