// include/xmhyper.h: hypercalls by number, events with mask and pending, kicks that count, descheduling that others see.
import { describe, expect, it } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { imageOf, mutantsOf, originOf } from '../../src/mutation/mutants.ts'
import { observe } from '../../src/mutation/observe.ts'
import { makeModel } from '../../src/smp/model.ts'
import { programAt } from '../programs.ts'

const image = (name: string) => programAt(`examples/locks/objects/hyper-${name}.o`)
const judge = (name: string) => {
  const { verdict, strength, violation } = checkImage(image(name), makeModel())
  return violation === null ? `${verdict} ${strength}` : `${violation.kind}: ${violation.message}`
}

describe('a vCPU that waits by hypercall', () => {
  it.each(['XEN', 'XEN-INTERRUPTS', 'KVM', 'SEEN'])('%s goes on in the end', (name) => {
    expect(judge(name)).toBe('holds complete')
  })
  it('sleeps for ever where it clears the event behind its look, unless the poll has a timeout', () => {
    expect(judge('XEN-CLEARS_LATE')).toMatch(/^lost-wakeup/)
    expect(judge('XEN-TIMEOUT-CLEARS_LATE')).toBe('holds complete')
  })
  it('sleeps for ever where another port is sent to, or nobody kicks', () => {
    expect(judge('XEN-UNBOUND')).toMatch(/^lost-wakeup/)
    expect(judge('KVM-NO_KICK')).toMatch(/^lost-wakeup: .*nothing was ever sent to wake it/)
  })
})

it('what was seen to be descheduled may be back at once', () => {
  expect(judge('SEEN-TRUSTS')).toMatch(/^assertion: .*before == after/)
})

it('poll says that it polls before it looks, and the sender sets the event before it looks', () => {
  const program = image('XEN')
  const held = mutantsOf(program, observe(program, makeModel())).filter(({ kind, place }) => /^(LOCK|store) removed$/.test(kind) && /^xm_hv_(poll|send)/.test(originOf(program, place.address).function))
  const fates = held.map((mutant) => checkImage(imageOf(program, mutant), makeModel(), { limits: { states: 20_000 } }).violation?.kind)
  expect(fates).toContain('lost-wakeup')
})
