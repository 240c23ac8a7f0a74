// traces/known holds counterexamples that must be reproduced for ever; traces/ itself gets those of failing properties,
// which stay red for as long as they can be reproduced.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { decodeTrace, replayTrace } from '../src/index.ts'
import { parseScheduleLine } from '../src/replay/schedule.ts'
import { parseSharing, scheduleLine } from '../src/replay/sharingText.ts'

const folder = new URL('../traces/', import.meta.url)
const tracesIn = (url: URL) => (existsSync(url) ? readdirSync(url).filter((name) => name.endsWith('.xmt')) : [])
const read = (url: URL) => decodeTrace(new Uint8Array(readFileSync(url)))
const replay = (url: URL) => replayTrace(read(url))

describe('recorded counterexamples', () => {
  const known = new URL('known/', folder)
  const all = ['known', 'catalogue'].flatMap((part) => tracesIn(new URL(`${part}/`, folder)).map((name) => `${part}/${name}`))
  it.each(all)('%s is reproduced bit for bit', (name) => {
    const { divergence, violation } = replay(new URL(name, folder))
    expect(divergence).toBeNull()
    expect(violation).not.toBeNull()
  })

  it('can be told as one line', () => {
    for (const name of all) {
      const { image, sharing, schedule } = read(new URL(name, folder))
      const parsed = parseScheduleLine(scheduleLine(image, sharing, [...schedule], null))
      expect(parsed.schedule, name).toEqual([...schedule])
      // Who fetches where matters only where somebody writes.
      const fetchers = sharing.fetchers.filter((_, k, all) => sharing.shared.includes(all[k & ~1]))
      expect(parseSharing(image, parsed.sharing), name).toEqual({ sharing: { ...sharing, fetchers }, missing: [] })
    }
  })

  it('exist', () => expect(tracesIn(known).length).toBeGreaterThan(2))

  it('of failing properties do not fail any more', () => {
    for (const name of tracesIn(folder)) {
      const { divergence, violation } = replay(new URL(name, folder))
      const fails = divergence === null && violation !== null
      expect(fails, `traces/${name} still fails; xmcheck explain traces/${name}. Fixed for good? Delete it.`).toBe(false)
    }
  })
})
