// A graph search that is kept and gone on with, any number of times, says and counts what one does that is not.
import { Packr, Unpackr } from 'msgpackr'
import { describe, expect, it } from 'vitest'
import { startCheck, type Check, type CheckOptions, type CheckResult } from '../../src/explore/check.ts'
import { CheckpointError } from '../../src/explore/checkpoint.ts'
import { generator } from '../../src/explore/generator.ts'
import { decodeGraphCheckpoint, encodeGraphCheckpoint } from '../../src/explore/graph/checkpoint.ts'
import { isSealed, seal } from '../../src/explore/sealed.ts'
import { makeModel } from '../../src/smp/model.ts'
import { programAt } from '../programs.ts'

const object = (name: string) => programAt(`examples/${name}.o`)
const model = makeModel()

/** All that does not depend on the clock, nor on how large tables have grown. */
function said({ seconds: _s, passSeconds: _p, bytes: _b, sharing: _h, ...rest }: CheckResult) {
  return rest
}

function run(image: ReturnType<typeof object>, options: CheckOptions, keepEvery: () => number): { result: CheckResult; kept: number } {
  const all = { ...options, engine: 'graph' as const, limits: { ...options.limits, sliceEvents: 11 } }
  let check = startCheck(image, model, all)
  let kept = 0
  for (let left = keepEvery(); check.advance(); left--) {
    if (left > 0) continue
    // Killed, or interrupted.
    if (kept % 2 === 1) for (check.stop(); check.advance(); );
    const file = encodeGraphCheckpoint(check.graphCheckpoint()!)
    check = startCheck(image, model, { ...all, saved: decodeGraphCheckpoint(file) })
    kept++
    left = keepEvery()
  }
  return { result: check.result(), kept }
}

describe('a search that is kept', () => {
  it.each<[string, CheckOptions]>([
    ['explore/ticket-n3-m1', {}], ['explore/peterson-m1-noassert', {}], ['explore/deadlock_abba', {}], ['explore/livelock', {}], ['explore/lostwake', {}],
    ['explore/seqlock-n1-m1', { liveness: 'off' }], ['ticket-broken', {}], ['ticket-broken', { liveness: 'off' }], ['textpoke-nosync', {}], ['mailbox', {}],
    ['explore/dekker-m1-fence', { limits: { preemptions: 1 } }], ['explore/dekker-m1-fence', { limits: { preemptions: 30 } }], ['explore/tas-n3-m1', { limits: { states: 40 } }],
    // By cost from the start: the violation is found before its turn comes.
    ['ticket-broken', { limits: { preemptions: 5 } }], ['explore/lostwake', { limits: { preemptions: 5 } }], ['mailbox', { limits: { preemptions: 5 } }],
  ])('%s %j', (name, options) => {
    const image = object(name)
    const whole = run(image, options, () => Infinity)
    const next = generator(7)
    const parts = run(image, options, () => 1 + (next() % (whole.result.events > 4000 ? 40 : 3)))
    expect(parts.kept).toBeGreaterThan(whole.result.events > 200 ? 1 : -1)
    // Passes that were given up counted what they reached; the sums of those differ.
    const { coverage: a, ...one } = said(whole.result)
    const { coverage: b, ...other } = said(parts.result)
    expect(other).toEqual(one)
    expect(b.points.map((point) => point.evaluations > 0)).toEqual(a.points.map((point) => point.evaluations > 0))
  })
})

it('that ran out of memory says unknown, and goes on when there is more', () => {
  const image = object('explore/ticket-n3-m1')
  // In a pass that knows what is shared, some way into it.
  const memory = { isOver: (): boolean => short.progress().events > 100 && short.graphCheckpoint() !== null, reason: 'no more' }
  const short: Check = startCheck(image, model, { engine: 'graph', limits: { memory, sliceEvents: 37 } })
  while (short.advance());
  const { verdict, reasons, states } = short.result()
  expect([verdict, reasons]).toEqual(['unknown', ['no more']])
  expect(states).toBeGreaterThan(1)
  const check = startCheck(image, model, { engine: 'graph', saved: decodeGraphCheckpoint(encodeGraphCheckpoint(short.graphCheckpoint()!)) })
  while (check.advance());
  const whole = startCheck(image, model, { engine: 'graph' })
  while (whole.advance());
  const { states: all, events, executions } = whole.result()
  expect(check.result()).toMatchObject({ verdict: 'holds', strength: 'complete', states: all, events, executions })
})

describe('a file', () => {
  const image = object('explore/ticket-n3-m1')
  const check = startCheck(image, model, { engine: 'graph', limits: { sliceEvents: 37 } })
  for (let k = 0; k < 40; k++) check.advance()
  const file = encodeGraphCheckpoint(check.graphCheckpoint()!)
  const take = (bytes: Uint8Array) => {
    const search = startCheck(image, model, { engine: 'graph', limits: { events: 2000 }, saved: decodeGraphCheckpoint(bytes) })
    while (search.advance());
    return search.result()
  }

  it('that is damaged is refused', () => {
    for (let at = 0; at < file.length; at += 1 + (file.length >> 6)) {
      const bad = file.slice()
      bad[at] ^= 0x10
      expect(() => take(bad)).toThrow(CheckpointError)
      expect(() => take(file.subarray(0, at))).toThrow(CheckpointError)
    }
  })

  it('that somebody has written is refused or gone on with, never anything else', () => {
    const magic = 'xmcheck-graph 1\n'
    expect(isSealed(magic, file)).toBe(true)
    const body = file.subarray(magic.length + 8)
    const packr = new Packr({ useRecords: false, variableMapSize: true })
    const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true })
    const next = generator(3)
    let refused = 0
    for (let k = 0; k < 150; k++) {
      const bad = new Uint8Array(body)
      for (let n = 0; n < 2; n++) bad[next() % bad.length] = next()
      let content: unknown
      try {
        content = unpackr.unpack(bad)
        packr.pack(content)
      } catch {
        continue
      }
      try {
        take(seal(magic, content))
      } catch (error) {
        expect(error).toBeInstanceOf(CheckpointError)
        refused++
      }
    }
    expect(refused).toBeGreaterThan(20)
  })

  it('of another program is refused', () => {
    const saved = decodeGraphCheckpoint(file)
    expect(() => startCheck(object('explore/lostwake'), model, { engine: 'graph', saved })).toThrow(CheckpointError)
    expect(() => startCheck(image, makeModel({ memory: 'sc' }), { engine: 'graph', liveness: 'off', saved })).toThrow(CheckpointError)
  })
})
