// Generated patching protocols (instructions, lengths, alignments, batches, callers in tasks, interrupts and NMIs) are violated
// exactly where the oracle says so. Where all is as it should be, that is "old or new" as a theorem.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NOPS } from '../src/patching/blocks.ts'
import type { Caller, Method, Protocol } from '../src/patching/protocol.ts'
import { anyProtocol, judge, predict, rungs } from './patchingProtocols.ts'

const call = [0xb8, 1, 2, 3, 4]
const poke = (sync1: boolean, sync2: boolean, sync3: boolean): Method => ({ kind: 'poke', steps: { sync1, sync2, sync3 } })
const one = (method: Method, caller: Caller, offset = 14): Protocol => ({ sites: [{ offset, before: [...NOPS.p6[4]], after: call }], method, caller, vcpus: 2 })
const EXAMPLES: [Protocol, string][] = [
  [one(poke(true, true, true), 'irq'), 'byte'],
  [one(poke(true, true, true), 'nmi'), 'byte'],
  [one(poke(false, true, true), 'irq'), 'independent:16'],
  [one(poke(true, false, true), 'irq'), 'independent:16'],
  [one(poke(true, false, true), 'irq'), 'ordered:16'],
  [one({ kind: 'stop', sync: true }, 'task'), 'byte'],
  [one({ kind: 'stop', sync: true }, 'nmi'), 'coherent'],
  [one({ kind: 'stop', sync: false }, 'irq'), 'single'],
]

describe('a generated protocol', () => {
  it('is violated exactly where the model does not promise old or new', () => {
    const counts = { holds: 0, violated: 0, cut: 0 }
    fc.assert(
      fc.property(anyProtocol, rungs, (protocol, rung) => {
        const verdict = judge(protocol, rung)
        counts[verdict ?? 'cut']++
        if (verdict !== undefined) expect(verdict).toBe(predict(protocol, rung))
      }),
      { numRuns: Number(process.env.XMCHECK_RUNS ?? 8), seed: 5, examples: EXAMPLES },
    )
    expect(counts.holds).toBeGreaterThan(0)
    expect(counts.violated).toBeGreaterThan(2)
    expect(counts.cut).toBeLessThan(12)
  }, 240_000)
})

describe('the theorem and its mutants', () => {
  it.each<Caller>(['irq'])('text_poke of one instruction by another holds for callers in %s on every rung; without a synchronisation it does not', (caller) => {
    // A violation on a rung persists on every weaker one, so one proof and two counterexamples cover them all.
    expect(judge(one(poke(true, true, true), caller), 'byte', Infinity)).toBe('holds')
    expect(judge(one(poke(false, true, true), caller), 'independent:16', Infinity)).toBe('violated')
    expect(judge(one(poke(true, false, true), caller), 'independent:16', Infinity)).toBe('violated')
  }, 240_000)
})
