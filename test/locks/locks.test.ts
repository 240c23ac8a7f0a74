// Every lock of include/xmlock.h and xmqueued.h, as examples/locks/check.c takes it: mutual exclusion, no deadlock, order, last access.
import { describe, expect, it } from 'vitest'
import { checkImage, type CheckOptions } from '../../src/explore/check.ts'
import { imageOf, mutantsOf } from '../../src/mutation/mutants.ts'
import { observe } from '../../src/mutation/observe.ts'
import type { MachineImage } from '../../src/smp/image.ts'
import { makeModel } from '../../src/smp/model.ts'
import { programAt } from '../programs.ts'

const FIFO = ['TICKET', 'TICKET16', 'MCS', 'PV_TICKET', 'KVM_TICKET', 'QUEUED']
const UNFAIR = ['DEC', 'BYTE', 'WRITE', 'XEN', 'PV_QUEUED']
const LOCKS = [...FIFO, ...UNFAIR]

const lock = (name: string): MachineImage => programAt(`examples/locks/objects/check-${name}.o`)
const judge = (name: string, options: CheckOptions = {}, knobs = {}) => {
  const { verdict, strength, violation, liveness } = checkImage(lock(name), makeModel(knobs), options)
  return { verdict, strength, violation, liveness: liveness?.covered }
}
const HOLDS = { verdict: 'holds', strength: 'complete', violation: null }

describe('two vCPUs', () => {
  it.each(LOCKS)('%s excludes, ends, keeps its order and its last access, under TSO and SC', (name) => {
    expect(judge(`${name}-MARKED`)).toMatchObject(HOLDS)
    expect(judge(`${name}-MARKED`, {}, { memory: 'sc' })).toMatchObject(HOLDS)
  })
  it.each(['MCS-MARKED', 'PV_QUEUED'])('%s, least preemptions first: with more memory known to be shared, old ways lead elsewhere', (name) => {
    expect(judge(name, { limits: { seconds: 600 } })).toMatchObject(HOLDS)
  })
  it.each(LOCKS)('%s by classes of executions', (name) => {
    expect(judge(name, { engine: 'dpor' })).toMatchObject(HOLDS)
  })
  it.each(['TICKET', 'TICKET16', 'DEC', 'BYTE', 'WRITE'])('%s with an interrupt that takes it too', (name) => {
    expect(judge(`${name}-IRQ`)).toMatchObject(HOLDS)
  })
  it.each(['TICKET', 'DEC', 'MCS', 'QUEUED'])('%s twice each', (name) => {
    expect(judge(`${name}-MARKED-SECTIONS_2`)).toMatchObject(HOLDS)
  })
})

it('of four vCPUs that learn of more shared memory on the way is explored on, by classes too', () => {
  const { verdict, violation } = judge('PV_QUEUED-CPUS_4', { engine: 'dpor', limits: { events: 10_000 } })
  expect([verdict, violation]).toEqual(['unknown', null])
})

describe('three vCPUs', () => {
  it.each(['TICKET', 'TICKET16', 'DEC', 'BYTE', 'WRITE', 'MCS'])('%s, by states and by classes', (name) => {
    expect(judge(`${name}-CPUS_3`)).toMatchObject(HOLDS)
    if (name !== 'DEC' && name !== 'MCS') expect(judge(`${name}-CPUS_3`, { engine: 'dpor' })).toMatchObject(HOLDS)
  })
  it.each(['TICKET', 'TICKET16'])('%s lets them in in the order in which they came', (name) => {
    expect(judge(`${name}-CPUS_3-MARKED`)).toMatchObject(HOLDS)
  })
})

describe('a lock', () => {
  it('that is locked by nothing but its LOCK prefixes does not exclude without them', () => {
    for (const name of ['TICKET', 'TICKET16', 'DEC', 'WRITE', 'PV_TICKET', 'QUEUED']) {
      const image = lock(name)
      const unlocked = mutantsOf(image, observe(image, makeModel())).filter((mutant) => mutant.kind === 'LOCK removed')
      expect([name, unlocked.some((mutant) => checkImage(imageOf(image, mutant), makeModel(), { limits: { states: 100_000 } }).violation !== null)]).toEqual([name, true])
    }
  })
  it('is not released by a plain store where stores overtake each other', () => {
    for (const name of ['TICKET', 'BYTE', 'MCS', 'QUEUED']) expect(judge(name, {}, { storeOrder: 'any' })).toMatchObject({ verdict: 'violated' })
    for (const name of ['WRITE', 'PV_QUEUED']) expect([name, judge(name, {}, { storeOrder: 'any' }).verdict]).toEqual([name, 'holds'])
  })
})
