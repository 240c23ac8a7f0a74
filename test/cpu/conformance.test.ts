// The model against a real CPU: test/cpu/native/vectors.bin.gz, captured by `node test/cpu/native/capture.mjs`.
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { differences, Model } from './native/compare.ts'
import { CAPTURED } from './native/generate.ts'
import { explain } from './native/explained.ts'
import { readVectors } from './native/vectors.ts'

const ALL = process.env.XMCHECK_CONFORMANCE === '1'
/** Every so many vectors in `npm test`; `npm run conformance` takes all. */
const STRIDE = ALL ? 1 : 17
const { header, vectors } = readVectors(gunzipSync(readFileSync(new URL('native/vectors.bin.gz', import.meta.url))))

describe('captured vectors', () => {
  it('are a quarter of a million, of every row that user mode can show', () => {
    expect(header.count).toBeGreaterThan(250_000)
    expect(header.rows).toHaveLength(CAPTURED.length)
  })

  it('are what the model does, but for what the manual leaves undefined', { timeout: 600_000 }, () => {
    const model = new Model()
    const wrong = new Map<string, string[]>()
    let explained = 0
    for (const { index, row, before, after } of vectors()) {
      if (index % STRIDE !== 0) continue
      const { after: got, op } = model.run(before)
      const found = differences(before, after, got, op)
      if (found.length === 0) continue
      if (explain(header.rows[row], before, after) !== null) {
        explained++
        continue
      }
      const code = Array.from(before.code, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
      wrong.set(header.rows[row], [...(wrong.get(header.rows[row]) ?? []), `#${index} ${code}: ${found.join('; ')}`])
    }
    if (ALL) console.log(`${header.count} vectors, ${[...wrong.values()].flat().length} wrong, ${explained} explained`)
    if (process.env.XMCHECK_REPORT) for (const [row, list] of wrong) console.log(`${row}: ${list.length}\n   ${list.slice(0, 2).join('\n   ')}`)
    expect([...wrong].map(([row, list]) => `${row}: ${list.length}, ${list[0]}`)).toEqual([])
  })
})
