// Generated shootdowns (shootdowns.ts): once one is over nobody reads through what was there before; a piece taken away (an IPI, a flush,
// an answer, a barrier, the wait) is caught. One other vCPU, or two and three in larger runs.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LONG } from '../test/long.ts'
import { FAULT, program, promised, statesOf, valueOf, verdict, type Edit, type Shootdown } from './shootdowns.ts'

/** Without a piece the program goes wrong in a schedule of few preemptions, or waits for ever, which takes all of them to see. */
const isCaught = (shootdown: Shootdown, without: string) => [1, undefined].some((preemptions) => verdict(shootdown, without, preemptions) === 'violated')

const RUNS = Number(process.env.XMCHECK_RUNS ?? 1)
const anyEdit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ kind: fc.constant('entry' as const), frame: fc.integer({ min: 0, max: 3 }) }),
  fc.record({ kind: fc.constant('directory' as const), to: fc.integer({ min: -1, max: 1 }) }),
)
/** Each edit takes something away that could be cached, and that does not come back. */
const tells = ({ edits }: Shootdown) =>
  edits.every((_, k) => valueOf(statesOf(edits)[k]) !== FAULT && (promised(edits, k + 1) & (1 << valueOf(statesOf(edits)[k]))) === 0)
const anyShootdown: fc.Arbitrary<Shootdown> = fc
  .record({
    // With two there are a quarter of a million states.
    users: fc.constantFrom(1, ...(RUNS > 3 ? [1, 1, 2] : [])),
    edits: fc.array(anyEdit, { minLength: 1, maxLength: 2 }),
    shares: fc.boolean(),
    locked: fc.boolean(),
    flush: fc.constantFrom('invlpg' as const, 'cr3' as const),
  })
  // Few vCPUs with several edits, or several with one.
  .map((one) => (one.users > 1 ? { ...one, edits: one.edits.slice(0, 1), locked: true } : one))
  .filter(tells)

describe('a shootdown', () => {
  it('leaves nobody with what was gone; without any one of its pieces it does', () => {
    const seen = new Set<string>()
    fc.assert(
      fc.property(anyShootdown, (shootdown) => {
        expect(verdict(shootdown, null)).toBe('holds/complete')
        for (const name of program(shootdown, null).pieces) {
          seen.add(name)
          expect([name, isCaught(shootdown, name)]).toEqual([name, true])
        }
      }),
      { seed: 11, numRuns: RUNS },
    )
    for (const name of ['IPI to vCPU 1', 'wait', 'flush there', 'answer']) expect(seen).toContain(name)
  }, 60_000 * RUNS)

  const large = (users: number): Shootdown => ({ edits: [{ kind: 'entry', frame: 3 }], users, shares: false, locked: true, flush: 'invlpg' })
  it.runIf(LONG)('of three vCPUs does so in all executions (memory=sc)', () => {
    expect(verdict(large(2), null)).toBe('holds/complete')
    for (const name of program(large(2), null).pieces) expect([name, isCaught(large(2), name)]).toEqual([name, true])
  }, 1_800_000)
  it.runIf(LONG)('of four vCPUs does so in executions of two preemptions (memory=sc); that it waits is needed in those of one', () => {
    expect([verdict(large(3), null, 2), verdict(large(3), 'wait', 1)]).toEqual(['holds/bounded', 'violated'])
  }, 1_800_000)
})
