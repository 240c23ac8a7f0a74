import { describe, expect, it } from 'vitest'
import { loadObjects } from '../../src/guest/loadObjects.ts'
import { InputError } from '../../src/guest/inputError.ts'
import { object } from './fixtures.ts'

/** A small generator (mulberry32), so that a failure names the seed that repeats it. */
function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), state | 1)
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61)
    return ((value ^ (value >>> 14)) >>> 0) % below
  }
}

/** Milliseconds that one damaged file of a few KB may take: far above what any takes, far below a hang. */
const MS_MAX = 2000

function attempt(bytes: Uint8Array, label: string): boolean {
  const start = performance.now()
  try {
    loadObjects([{ name: 'damaged.o', bytes }])
    return true
  } catch (error) {
    if (!(error instanceof InputError)) throw new Error(label, { cause: error })
    return false
  } finally {
    expect(performance.now() - start, label).toBeLessThan(MS_MAX)
  }
}

const names = [
  'declarations-O3.o',
  'lines-dwarf4.o',
  'helpers.o',
  'link-group-1.o',
  'examples/relink.o',
  'examples/spinlock.o',
]

describe.each(names)('damaged copies of %s give an InputError or load', (name) => {
  const original = object(name).bytes

  it('cut short at every length', () => {
    const step = Math.max(1, Math.floor(original.length / 700))
    for (let length = 0; length < original.length; length += step)
      expect(attempt(original.slice(0, length), `${name} cut to ${length}`)).toBe(false)
  })

  it('single bits flipped', () => {
    const next = random(1)
    for (let round = 0; round < 1500; round++) {
      const bytes = original.slice()
      const at = next(bytes.length)
      bytes[at] ^= 1 << next(8)
      attempt(bytes, `${name} flip at ${at}, round ${round}`)
    }
  })

  it('words replaced by extreme values, in the headers most of all', () => {
    const next = random(2)
    const extremes = [
      0,
      1,
      0x7fffffff,
      0x80000000,
      0xffffffff,
      0xfffffffc,
      original.length,
      original.length - 1,
    ]
    const view = new DataView(original.buffer, original.byteOffset)
    const headers = view.getUint32(32, true)
    for (let round = 0; round < 1500; round++) {
      const bytes = original.slice()
      const changed = new DataView(bytes.buffer)
      for (let count = 1 + next(3); count > 0; count--) {
        const at = next(4) ? headers + next(bytes.length - headers - 4) : next(bytes.length - 4)
        changed.setUint32(at & ~3, extremes[next(extremes.length)], true)
      }
      attempt(bytes, `${name} extremes, round ${round}`)
    }
  })
})

describe('files made to be expensive', () => {
  it('a huge zeroed section is refused', () => {
    const bytes = object('examples/sb.o').bytes
    const view = new DataView(bytes.buffer)
    const start = view.getUint32(32, true)
    for (let n = 0; n < view.getUint16(48, true); n++)
      if (view.getUint32(start + n * 40 + 4, true) === 8)
        view.setUint32(start + n * 40 + 20, 0x7ff00000, true)
    expect(() => loadObjects([{ name: 'big.o', bytes }])).toThrow(/bytes of memory, more than 64 MB/)
  })
})
