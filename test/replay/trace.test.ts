import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { decodeTrace, encodeTrace, LAYOUTS, recordTrace, replayTrace, runCell, TraceError } from '../../src/index.ts'

const objects = [{ name: 'relink.o', bytes: new Uint8Array(readFileSync(new URL('../../examples/relink.o', import.meta.url))) }]
const cell = runCell(objects, LAYOUTS[2], 2, { fetch: 'ordered:8' })
const trace = recordTrace(cell.image, cell.model, cell.result.sharing, cell.result.schedule!)
const file = encodeTrace(trace)

describe('traces', () => {
  it('replay bit for bit after a round trip through the file', () => {
    const replay = replayTrace(decodeTrace(file))
    expect(replay.divergence).toBeNull()
    expect(replay.violation).toEqual(trace.violation)
  })

  it('locate a divergence at its first step', () => {
    const checks = Int32Array.from(trace.checks)
    checks[1] ^= 1
    expect(replayTrace({ ...decodeTrace(file), checks }).divergence!.step).toBe(1)
    const schedule = Int32Array.from(trace.schedule)
    schedule[0] = 0x7f000
    expect(replayTrace({ ...decodeTrace(file), schedule }).divergence!.step).toBe(0)
  })

  it('damaged: a clear error, never anything else', () => {
    let state = 12345
    const random = (n: number) => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) % n
    const attempt = (bytes: Uint8Array) => {
      try {
        decodeTrace(bytes)
      } catch (error) {
        if (!(error instanceof TraceError) && (error as Error).constructor.name !== 'KnobError') throw error
      }
    }
    for (let k = 0; k < 200; k++) attempt(file.subarray(0, random(file.length)))
    for (let k = 0; k < 300; k++) {
      const copy = Uint8Array.from(file)
      copy[random(k < 150 ? copy.length : 400)] = random(256)
      attempt(copy)
    }
  })
})
