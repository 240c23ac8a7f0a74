// What two real cores were seen to do with code that one writes while the other executes it is allowed by the model, on the
// rung that claims to describe real parts (profile `measured`, docs/model.md).
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { makeModel, PROFILES } from '../../../src/smp/model.ts'
import { allowed, canonical, fnv1a, imageOf, readRecording, refutations, type Allowed } from './outcomes.ts'

const file = (name: string) => readFileSync(new URL(name, import.meta.url))
const object = new Uint8Array(file('tests.o'))
const claims = PROFILES.measured.knobs
const CLAIM = claims.fetch as string
const recordings = readdirSync(new URL('seen', import.meta.url)).map((name) => ({ name, ...readRecording(file(`seen/${name}`).toString()) }))
const words = new Map(recordings.flatMap(({ seen }) => seen.map((one) => [one.test, one.words] as const)))

const known = new Map<string, Allowed>()
function allowedOn(fetch: string, name: string): Allowed {
  const key = `${fetch} ${name}`
  if (!known.has(key)) known.set(key, allowed(imageOf(object, name), makeModel({ ...claims, fetch }), words.get(name)!))
  return known.get(key)!
}

describe.each(recordings)('$part.cpu.name ($name)', ({ part, seen }) => {
  it('ran this object', () => {
    expect(part.object).toBe(fnv1a(object))
    for (const { rounds, outcomes } of seen) expect(Object.values(outcomes).reduce((sum, count) => sum + count, 0)).toBe(rounds)
  })

  it.each(seen)('$test: seen is allowed on the rung that claims to describe real parts', (one) => {
    const model = allowedOn(CLAIM, one.test)
    expect(model.reasons).toEqual([])
    expect(refutations(one, model)).toEqual([])
  })
})

describe('the comparison', () => {
  const cutBy = (place: number, unit: number) => place % unit > unit - 4
  const place = (name: string) => Number(name.slice(3))
  const stores = [...words.keys()].filter((name) => name.startsWith('s4_'))
  const torn = '88772211 88776655 88776655'

  it('has every place of a line', () => expect(stores.map(place).sort((a, b) => a - b)).toEqual(Array.from({ length: 64 }, (_, n) => n)))

  it('would notice a mixture inside a block, and not across one', () => {
    for (const name of stores) {
      // Bytes 2 and 3 are new and the others old: that is where this boundary cuts.
      const model = allowedOn(CLAIM, name)
      expect([name, refutations({ outcomes: { [torn]: 1 } }, model)]).toEqual([name, place(name) % 16 === 14 ? [] : [torn]])
      if (!cutBy(place(name), 16)) expect([name, model.outcomes.size]).toEqual([name, 4])
    }
  })

  it.each([
    // Who saw the flag and serialised runs the new code.
    ['mp_sync', '1 0'],
    // Who ran the new code sees what was written before it.
    ['mp_code', '1 0'],
    ['mp_both_sync', '1 0'],
    ['sb_sync', '0 0'],
    ['sb_both_sync', '0 0'],
    ['lb_code', '1 1'],
    // A load after the new code was run finds it in memory.
    ['co_run_load', '1 0'],
    ['own', '0 1'],
    ['own_next', '0 1'],
    // New, then old.
    ['s1_0', '4b3c2d1e 44332211 4b3c2d1e'],
    ['s4_0', 'fa17000b 0 0'],
  ])('would notice %s %s', (name, outcome) => {
    const model = allowedOn(CLAIM, name)
    expect(model.outcomes.size).toBeGreaterThan(0)
    expect(refutations({ outcomes: { [outcome]: 1 } }, model)).toEqual([outcome])
  })

  it.each([['mp_flag', '1 0'], ['mp_jump', '1 0'], ['mp_both', '1 0'], ['sb_fence', '0 0'], ['sb_both_fence', '0 0'], ['co_load_run', '1 0']])(
    '%s %s is allowed by the model: only serialising orders fetches', (name, outcome) => {
      expect(allowedOn(CLAIM, name).outcomes).toContain(outcome)
      expect(allowedOn('coherent', name).outcomes).not.toContain(outcome)
    },
  )

  it('takes every signal for a fault', () => expect(canonical('fa17000b 0 1')).toBe(canonical('fa170004 2 3')))
})

describe('what was seen', () => {
  const refuted = (fetch: string) => recordings.flatMap(({ seen }) => seen.filter((one) => refutations(one, allowedOn(fetch, one.test)).length > 0)).map((one) => one.test)

  it('rules out that blocks are fetched in order: an instruction across lines had its first bytes newer than its last', () => {
    expect(refuted('ordered:64')).toContain('ol_61')
    // A breakpoint with its first synchronisation and without the second one (A07 of the catalogue).
    expect(refuted('ordered:64')).toContain('bs_61')
  })

  it('would fit lines that are fetched as a whole: less than what is claimed', () => expect(refuted('independent:64')).toEqual([]))
})
