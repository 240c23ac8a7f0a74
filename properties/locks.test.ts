// Generated mixes of locks (kinds, nesting, orders, forgotten releases, interrupts, vCPUs) end or deadlock as a model of a few lines says.
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { importBundled } from '../scripts/bundled.mjs'
import { assertProperty } from './failures.ts'
import type { Mix, Op } from './lockMixes.ts'

/** Numbers of kinds in mix.c. Those with a queue: who has a place keeps it, an interrupt of his own waits behind him. */
const KINDS = ['ticket', 'dec', 'byte', 'mcs', 'queued', 'kvm ticket']
const UNFAIR = new Set([1, 2])

/** Whether some schedule ends with somebody who can never go on: all interleavings of the scripts, a lock being a queue of contexts. */
export function canDeadlock({ kinds, scripts }: Mix): boolean {
  interface State {
    readonly pc: readonly number[]
    readonly open: boolean
    /** Of the interrupt: not yet, running, gone. */
    readonly interrupt: 'waits' | 'runs' | 'gone'
    readonly queues: readonly (readonly number[])[]
  }
  const seen = new Set<string>()
  const work: State[] = [{ pc: [0, 0, 0, 0], open: false, interrupt: scripts[3].length > 0 ? 'waits' : 'gone', queues: kinds.map(() => []) }]
  for (let state = work.pop(); state !== undefined; state = work.pop()) {
    const key = JSON.stringify(state)
    if (seen.has(key)) continue
    seen.add(key)
    const before = work.length
    const { pc, open, interrupt, queues } = state
    if (open && interrupt === 'waits' && pc[0] < scripts[0].length) work.push({ ...state, interrupt: 'runs' })
    for (let context = 0; context < 4; context++) {
      if ((context === 0 && interrupt === 'runs') || (context === 3 && interrupt !== 'runs')) continue
      const op = scripts[context][pc[context]]
      if (op === undefined) {
        if (context === 3) work.push({ ...state, interrupt: 'gone' })
        continue
      }
      const [name, lock] = op
      const next = pc.map((one, k) => (k === context ? one + 1 : one))
      const withQueue = (queue: readonly number[]) => queues.map((one, k) => (k === lock ? queue : one))
      if (name === 'work') work.push({ ...state, pc: next })
      else if (name === 'on' || name === 'off') work.push({ ...state, pc: next, open: context === 0 ? name === 'on' : open })
      else if (name === 'give') work.push({ ...state, pc: next, queues: withQueue(queues[lock].slice(1)) })
      else if (queues[lock][0] === context) work.push({ ...state, pc: next })
      else if (queues[lock].includes(context)) continue
      else if (queues[lock].length === 0 || !UNFAIR.has(kinds[lock])) work.push({ ...state, queues: withQueue([...queues[lock], context]) })
    }
    const done = [0, 1, 2].every((v) => pc[v] >= scripts[v].length) && interrupt !== 'runs'
    if (work.length === before && !done) return true
  }
  return false
}

// Bundled: three times as fast.
const { judgeMix } = (await importBundled(fileURLToPath(new URL('lockMixes.ts', import.meta.url)))) as typeof import('./lockMixes.ts')

const lock = fc.integer({ min: 0, max: 1 })
const section = (k: number, inner: readonly Op[] = [], forgets = false): Op[] => [['take', k], ...inner, ['work', k], ...(forgets ? [] : [['give', k] as const])]
const rarely = fc.integer({ min: 0, max: 3 }).map((n) => n === 0)
const script = fc.oneof(
  { arbitrary: fc.tuple(lock, rarely).map(([k, forgets]) => section(k, [], forgets)), weight: 1 },
  { arbitrary: lock.map((k) => section(k, section(1 - k))), weight: 3 },
  { arbitrary: lock.map((k) => [...section(k), ...section(1 - k)]), weight: 1 },
)
const kinds = (allowed: readonly number[]) => fc.array(fc.constantFrom(...allowed), { minLength: 2, maxLength: 2 })
const all = KINDS.map((_, k) => k)
/** Two vCPUs with any locks; three where states are few. */
const mix: fc.Arbitrary<Mix> = fc.oneof(
  fc.tuple(kinds(all), script, script).map(([chosen, a, b]): Mix => ({ kinds: chosen, scripts: [a, b, [], []] })),
  fc.tuple(kinds([0, 1, 2]), script, script, lock).map(([chosen, a, b, k]): Mix => ({ kinds: chosen, scripts: [a, b, section(k), []] })),
)
const HOW = ['open', 'guarded', 'early'] as const
/** What a vCPU with interrupts does: they are on all the time, or off where it holds a lock, or on too early. */
function body(how: (typeof HOW)[number], k: number, inner: readonly Op[] = []): Op[] {
  if (how === 'open') return [['on', 0], ...section(k, inner)]
  const last: Op[] = how === 'early' ? [['on', 0], ['give', k]] : [['give', k], ['on', 0]]
  return [['on', 0], ['off', 0], ['take', k], ...inner, ['work', k], ...last]
}
/** One vCPU and its interrupt. */
const interrupted: fc.Arbitrary<Mix> = fc.tuple(kinds(all), lock, lock, fc.constantFrom(...HOW)).map(([chosen, a, c, how]): Mix => ({ kinds: chosen, scripts: [body(how, a), [], [], section(c)] }))
/** Two vCPUs and an interrupt of one, any of which may take one lock inside the other. */
const nested = fc.tuple(lock, fc.boolean()).map(([k, both]) => ({ k, inner: both ? section(1 - k) : [] }))
const crossed: fc.Arbitrary<Mix> = fc
  .tuple(kinds([0, 2]), fc.constantFrom(...HOW), nested, nested, nested)
  .map(([chosen, how, a, b, c]): Mix => ({ kinds: chosen, scripts: [body(how, a.k, a.inner), section(b.k, b.inner), [], section(c.k, c.inner)] }))

const KNOWN: ReadonlySet<string> = new Set(['deadlock', 'lost-wakeup'])
const outcomes = { holds: 0, deadlock: 0 }
function judged(one: Mix, pcpus: number = 0, assembled: boolean = false): void {
  const found = judgeMix(one, pcpus, assembled)
  const expected = canDeadlock(one) ? 'deadlock' : 'holds'
  outcomes[expected]++
  expect(KNOWN.has(found) ? 'deadlock' : found).toBe(expected)
}

it('mixes of locks deadlock where a queue for each lock says so, and nowhere else', () => {
  assertProperty('locks', fc.property(mix, fc.constantFrom(0, 1), (one, pcpus) => judged(one, pcpus)), { seed: 2008, numRuns: Number(process.env.XMCHECK_RUNS ?? 25) }, () => null)
  expect([outcomes.holds > 3, outcomes.deadlock > 1]).toEqual([true, true])
})

it('with an interrupt that takes locks too', () => {
  outcomes.holds = outcomes.deadlock = 0
  assertProperty('locks with interrupts', fc.property(interrupted, (one) => judged(one)), { seed: 2009, numRuns: Number(process.env.XMCHECK_RUNS ?? 10) }, () => null)
  expect([outcomes.holds > 0, outcomes.deadlock > 0]).toEqual([true, true])
})

it('with an interrupt that takes locks which another vCPU takes too, in either order', () => {
  outcomes.holds = outcomes.deadlock = 0
  assertProperty('crossed locks', fc.property(crossed, fc.constantFrom(0, 1), (one, pcpus) => judged(one, pcpus, true)), { seed: 2010, numRuns: Number(process.env.XMCHECK_RUNS ?? 12) }, () => null)
  expect([outcomes.holds > 0, outcomes.deadlock > 0]).toEqual([true, true])
})
