// include/xmpvmm.h and xmmm.h: flushes that are left for vCPUs that do not run; vCPUs that come back online (examples/shootdown).
import { describe, expect, it } from 'vitest'
import { checkImage, type CheckOptions } from '../../src/explore/check.ts'
import { makeModel } from '../../src/smp/model.ts'
import { LONG } from '../long.ts'
import { programAt } from '../programs.ts'

const judge = (name: string, options: CheckOptions = {}) => {
  const image = programAt(`examples/shootdown/objects/${name}.o`)
  const { verdict, strength, violation } = checkImage(image, makeModel({ ...image.knobs }), { engine: 'graph', ...options })
  return violation === null ? `${verdict} ${strength}` : violation.kind
}
const byCost: CheckOptions = { liveness: 'off', limits: { preemptions: 2 } }

describe('a flush at the next entry', () => {
  it('is enough for who does not run, and must not be forgotten', () => {
    expect([judge('flush-PCPUS_1'), judge('flush-PCPUS_1-UNASKED')]).toEqual(['holds complete', 'stale-translation'])
  })
  it.runIf(LONG)('has to be asked for before the vCPU runs again, which takes a second pCPU to show', () => {
    expect([judge('flush'), judge('flush-STORED')]).toEqual(['holds complete', 'stale-translation'])
  }, 120_000)
  it.runIf(LONG)('is enough for two users on one pCPU; on two, for schedules of two preemptions', () => {
    expect([judge('flush-USERS_2-PCPUS_1'), judge('flush-USERS_2-PCPUS_2', byCost)]).toEqual(['holds complete', 'holds bounded'])
  }, 600_000)
})

describe('a vCPU that comes back online', () => {
  it('drops what it holds, once it can be asked', () => {
    expect(['online-TRUSTS', 'online-TOO_EARLY'].map((name) => judge(name, { liveness: 'off', limits: { preemptions: 1 } }))).toEqual(['stale-translation', 'stale-translation'])
  })
  it.runIf(LONG)('uses nothing old then', () => expect(judge('online')).toBe('holds complete'), 120_000)
})
