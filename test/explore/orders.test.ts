// How much of the interleaving was tried, as pairs of conflicting accesses.
import { describe, expect, it } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { Orders } from '../../src/explore/orders.ts'
import { makeModel } from '../../src/smp/model.ts'
import { programAt } from '../programs.ts'

const image = (name: string) => programAt(`examples/${name}.o`)

describe('orders of conflicting accesses', () => {
  it('are counted once a pair, and as covered when both came', () => {
    const orders = new Orders()
    for (const [a, b] of [[1, 2], [1, 2], [3, 4], [2, 1], [4, 5]]) orders.note(a, b)
    expect([orders.pairs, orders.both]).toEqual([3, 1])
    const again = new Orders()
    again.addAll(orders.list())
    expect([again.pairs, again.both]).toEqual([3, 1])
  })

  it('are all covered where every class was explored, by one search or by tasks', () => {
    // Two readers and two writers in a ring: each store drains before or after the neighbour's load.
    const whole = checkImage(image('explore/sb_ring-n4'), makeModel(), { engine: 'dpor' })
    expect(whole.orders).toEqual({ pairs: 4, both: 4 })
    expect(checkImage(image('explore/sb_ring-n4'), makeModel(), { engine: 'dpor', tasks: { taskEvents: 30 } }).orders).toEqual({ pairs: 4, both: 4 })
  })

  it('grow with the number of samples', () => {
    const some = checkImage(image('explore/sb_ring-n4'), makeModel(), { engine: 'random', executions: 1 }).orders!
    const many = checkImage(image('explore/sb_ring-n4'), makeModel(), { engine: 'random', executions: 300 }).orders!
    expect(some.both).toBe(0)
    expect(many).toEqual({ pairs: 4, both: 4 })
  })
})
