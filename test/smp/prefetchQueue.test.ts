// Self-modification by CPU class: the prefetch queue of the 386 and 486 (SDM vol. 3B, self-modifying code; vol. 3A 11.6).
import { describe, expect, it } from 'vitest'
import { checkImage } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { makeModel, type KnobValue } from '../../src/smp/model.ts'

/** Writes 1 over the immediate of `mov al, 0` some way ahead, then runs it. */
function verdict(between: string, knobs: Record<string, KnobValue>): string {
  const image = assembleImage(
    `.vcpu go\ngo: mov byte [site + 1], 1\n${between}\nsite: mov al, 0\nmovzx eax, al\nassert "the new byte"\nret`,
    { title: 'self-modification' },
  )
  const result = checkImage(image, makeModel(knobs))
  return `${result.verdict} ${result.strength}`
}
const HOLDS = 'holds complete'
const STALE = 'violated complete'

describe('code that is written just ahead of itself', () => {
  for (const fetch of ['coherent', 'single', 'ordered:16'])
    for (const cpu of ['386', '486']) {
      it(`runs as it was on the ${cpu}, rung ${fetch}, unless a jump comes between`, () => {
        expect(verdict('', { cpu, fetch })).toBe(STALE)
        expect(verdict('jmp short $ + 2', { cpu, fetch })).toBe(HOLDS)
        expect(verdict('call near $ + 5\npop ecx', { cpu, fetch })).toBe(HOLDS)
      })
    }

  it('runs as it is from the Pentium on, unless own stores may lag', () => {
    for (const cpu of ['pentium', 'p6', 'p4']) expect(verdict('', { cpu })).toBe(HOLDS)
    expect(verdict('', { ownStores: 'lag' })).toBe(STALE)
    expect(verdict('jmp short $ + 2', { ownStores: 'lag' })).toBe(STALE)
    expect(verdict('cpuid', { ownStores: 'lag' })).toBe(HOLDS)
  })

  it('is reached by the queue no further than it is long', () => {
    // `sc`: the store reaches memory before the next instruction; the queue begins there.
    const at = (cpu: string, bytes: number) => verdict(`times ${bytes} nop`, { cpu, memory: 'sc', fetch: 'coherent' })
    expect([at('386', 14), at('386', 15)]).toEqual([STALE, HOLDS])
    expect([at('486', 30), at('486', 31)]).toEqual([STALE, HOLDS])
  })
})
