// traces/known holds counterexamples that must be reproduced for ever; traces/ itself gets those of failing properties,
// which stay red for as long as they can be reproduced.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { decodeTrace, replayTrace } from '../src/index.ts'

const folder = new URL('../traces/', import.meta.url)
const tracesIn = (url: URL) => (existsSync(url) ? readdirSync(url).filter((name) => name.endsWith('.xmt')) : [])
const replay = (url: URL) => replayTrace(decodeTrace(new Uint8Array(readFileSync(url))))

describe('recorded counterexamples', () => {
  const known = new URL('known/', folder)
  const all = ['known', 'catalogue'].flatMap((part) => tracesIn(new URL(`${part}/`, folder)).map((name) => `${part}/${name}`))
  it.each(all)('%s is reproduced bit for bit', (name) => {
    const { divergence, violation } = replay(new URL(name, folder))
    expect(divergence).toBeNull()
    expect(violation).not.toBeNull()
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
