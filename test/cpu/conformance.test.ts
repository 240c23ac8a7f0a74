// The model against a real CPU: test/cpu/native/vectors.bin.gz, captured by `node test/cpu/native/capture.mjs`.
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { groupOf } from '../../src/cpu/groups.ts'
import { differences, Model, type Way } from './native/compare.ts'
import { explain, EXPLANATIONS } from './native/explained.ts'
import { CAPTURED, rowText } from './native/generate.ts'
import { Scores } from './native/scores.ts'
import { readVectors } from './native/vectors.ts'

const ALL = process.env.XMCHECK_CONFORMANCE === '1'
/** Every so many vectors in `npm test`; `npm run conformance` takes all. */
const STRIDE = ALL ? 1 : 31
const { header, vectors } = readVectors(gunzipSync(readFileSync(new URL('native/vectors.bin.gz', import.meta.url))))

describe('captured vectors', () => {
  it('are a quarter of a million, of every row that user mode can show', () => {
    expect(header.count).toBeGreaterThan(250_000)
    expect(header.rows).toEqual(CAPTURED.map(rowText))
  })

  it.each<Way>(['handlers', 'blocks'])('are what the model does with %s, but for what the manual leaves undefined', { timeout: 600_000 }, (way) => {
    const model = new Model()
    const wrong = new Map<string, string[]>()
    const explained = new Map<string, number>()
    const scores = new Scores()
    for (const { index, row, before, after } of vectors((number) => number % STRIDE === (way === 'blocks' && !ALL ? 13 : 0))) {
      const { after: got, op } = model.run(before, way)
      const found = differences(before, after, got, op)
      const why = found.length === 0 ? null : explain(header.rows[row], before, after, got)
      if (why !== null) explained.set(why, (explained.get(why) ?? 0) + 1)
      const good = found.length === 0 || why !== null
      scores.add(groupOf(header.rows[row].split(' ')[0]), good)
      if (good) continue
      const code = Array.from(before.code, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
      wrong.set(header.rows[row], [...(wrong.get(header.rows[row]) ?? []), `#${index} ${code}: ${found.join('; ')}`])
    }
    if (ALL) {
      console.log(`${header.count} vectors of ${header.rows.length} rows, captured on ${header.cpu}: agreement\n${scores.table()}`)
      for (const [why, count] of explained) console.log(`  explained ${count}: ${why}`)
      // The list of explanations stays as short as it can be.
      expect([...explained.keys()].sort()).toEqual(EXPLANATIONS.map(({ why }) => why).sort())
    }
    expect([...wrong].map(([row, list]) => `${row}: ${list.length}, ${list[0]}`)).toEqual([])
  })
})
