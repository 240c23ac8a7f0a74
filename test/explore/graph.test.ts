import { describe, expect, it } from 'vitest'
import { enumerate } from '../../src/explore/brute.ts'
import { addCost, unpackCost } from '../../src/explore/cost.ts'
import { CHOICES_MAX, type Explorable } from '../../src/explore/explorable.ts'
import { explore } from '../../src/explore/graph/search.ts'
import { NodeTable } from '../../src/explore/graph/nodeTable.ts'
import { sample } from '../../src/explore/sampling/search.ts'
import { choiceArgument, choiceKind, choiceVcpu, DRAIN } from '../../src/smp/choice.ts'
import { splitmix } from './splitmix.ts'
import { assume, CELLS, fail, inc, type Instruction, load, lock, store, Toy, type ToyOptions, ToySharing } from './toy.ts'

type Price = readonly [preemptions: number, environment: number, delays: number]

/** What a schedule costs, by the definition and not by cost.ts; checks on the way that it can be taken. */
function priceOf(machine: Toy, schedule: readonly number[]): Price {
  const out = new Int32Array(CHOICES_MAX)
  let [preemptions, environment, delays] = [0, 0, 0]
  let current = -1
  for (const choice of schedule) {
    expect([...out.subarray(0, machine.enabled(out))]).toContain(choice)
    if (choiceKind(choice) !== DRAIN) {
      const vcpu = choiceVcpu(choice)
      if (current !== -1 && vcpu !== current && machine.canContinue(current)) preemptions++
      if (choiceArgument(choice) === 1) environment++
      if (machine.bufferedStores() > 0) delays++
      current = vcpu
    }
    machine.take(choice)
  }
  return [preemptions, environment, delays]
}

function compare(a: Price, b: Price): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2]
}

function bruteForce(make: () => Toy, executionsMax = 2000) {
  const violated: number[][] = []
  const result = enumerate(make, {
    depthMax: 40,
    executionsMax,
    visit: (outcome, schedule) => outcome === 'violated' && violated.push([...schedule]),
  })
  const prices = violated.map((schedule) => priceOf(make(), schedule)).sort(compare)
  return { ...result, least: prices[0] ?? null }
}

/** Explores, and checks all that brute force can tell. */
function check(make: () => Toy) {
  const reference = bruteForce(make)
  if (!reference.exhausted) return null
  const verdict = explore(make, { sliceEvents: 7 })
  expect(verdict.verdict).toBe(reference.least === null ? 'holds' : 'violated')
  expect(verdict.strength).toBe('complete')
  if (reference.least === null) {
    expect(verdict.states).toBe(reference.states.size)
    expect(verdict.schedule).toBeNull()
    return { reference, verdict }
  }
  const [preemptions, environment, delays] = reference.least
  expect(verdict.cost).toEqual({ preemptions, environment, delays })
  const machine = make()
  expect(priceOf(machine, verdict.schedule!)).toEqual(reference.least)
  expect(machine.violation).toEqual(verdict.violation)
  return { reference, verdict }
}

/** The final cells of one of the ends; null: no execution ends. */
function someEnd(make: () => Toy, random: (below: number) => number): string | null {
  const ends = new Set<string>()
  enumerate(make, {
    depthMax: 40,
    executionsMax: 1000,
    visit: (outcome, _, machine) => outcome === 'ended' && ends.add((machine as Toy).store.w.subarray(0, CELLS).join()),
  })
  return ends.size === 0 ? null : [...ends][random(ends.size)]
}

const increment: Instruction[] = [load(0, 0), store(0, 0, 1)]
const bothCounted: ToyOptions = { holdsAtEnd: (cells) => cells[0] === 2 }
const steps = (count: number, cell: number) => Array.from({ length: count }, () => inc(cell))

function randomProgram(random: (below: number) => number): Instruction[] {
  const kinds: (() => Instruction)[] = [
    () => load(random(2), random(2)),
    () => load(random(2), random(2)),
    () => store(random(2), random(2), 1 + random(2)),
    () => store(random(2), random(2), 1),
    () => inc(random(2)),
    () => lock(2),
    () => assume(random(2), random(2)),
    () => fail(random(2), 1 + random(3)),
  ]
  const any = () => kinds[random(kinds.length)]()
  // Half of them lose increments if they are interrupted: cheap ends alone would test no prices.
  return random(2) === 0 ? [load(0, 0), any(), store(0, 0, 1)] : Array.from({ length: 1 + random(3) }, any)
}

describe('brute force', () => {
  it.each([[1, 1, 2, 4], [3, 3, 20, 16], [2, 4, 15, 15]])('counts the ways through %i and %i steps', (a, b, ways, states) => {
    const result = enumerate(() => new Toy([steps(a, 0), steps(b, 1)]), { depthMax: 20 })
    expect(result).toMatchObject({ executions: ways, exhausted: true, counts: { ended: ways } })
    expect([result.states.size, result.ends.size]).toEqual([states, 1])
  })

  it('tells the two ends of an unlocked increment, and where it was cut short', () => {
    expect(enumerate(() => new Toy([increment, increment]), { depthMax: 9 })).toMatchObject({ executions: 6, exhausted: true })
    expect(enumerate(() => new Toy([increment, increment]), { depthMax: 3 })).toMatchObject({ exhausted: false, counts: { deep: 6 } })
    const few = enumerate(() => new Toy([increment, increment]), { depthMax: 9, executionsMax: 5 })
    expect(few).toMatchObject({ executions: 5, exhausted: false })
  })
})

describe('graph search', () => {
  it('counts the states of independent steps', () => {
    const verdict = explore(() => new Toy([steps(3, 0), steps(3, 1)]), {})
    expect(verdict).toMatchObject({ verdict: 'holds', strength: 'complete', states: 16, reasons: [], bounds: {} })
    // (state, last vCPU): 16 states twice, but the two axes once and the start under nobody; 4 of 24 moves per lane end.
    expect(explore(() => new Toy([steps(1, 0), steps(1, 1)]), {})).toMatchObject({ states: 4, executions: 2, events: 4 })
  })

  it.each<[string, ToyOptions, Price]>([
    ['a preemption', {}, [1, 0, 0]],
    ['a stale load, which is less', { stale: true }, [0, 1, 0]],
    ['a delayed drain, which is less still', { buffer: 2, stale: true }, [0, 0, 1]],
  ])('loses an increment by %s', (_, options, price) => {
    const found = check(() => new Toy([increment, increment], { ...options, ...bothCounted }))
    expect(found?.reference.least).toEqual(price)
  })

  it('finds nothing where increments are locked', () => {
    const locked = [lock(2), ...increment, store(2, 3, 0)]
    expect(check(() => new Toy([locked, locked], bothCounted))?.verdict.verdict).toBe('holds')
    // The buffer is first in, first out, so unlocking by a plain store is enough.
    expect(check(() => new Toy([locked, locked], { ...bothCounted, buffer: 2 }))?.verdict.verdict).toBe('holds')
  })

  it('charges nothing for leaving a vCPU that is blocked', () => {
    const found = check(() => new Toy([[lock(2), lock(2)], [inc(0), load(0, 0), fail(0, 1)]]))
    expect(found?.reference.least).toEqual([0, 0, 0])
  })

  it('agrees with brute force on random programs, also about one of their ends', { timeout: 240_000 }, () => {
    const random = splitmix(20261121)
    const seen = { holds: 0, violated: 0, cut: 0, preemptions: 0, environment: 0, delays: 0 }
    for (let n = 0; n < 150; n++) {
      const programs = Array.from({ length: 2 + (random(3) >> 1) }, () => randomProgram(random))
      const options: ToyOptions = { buffer: random(2) * random(3), stale: random(3) === 0 }
      const end = random(4) === 0 ? null : someEnd(() => new Toy(programs, options), random)
      const found = check(() => new Toy(programs, { ...options, holdsAtEnd: end === null ? undefined : (cells) => cells.join() !== end }))
      if (found === null) continue
      seen[found.verdict.verdict === 'holds' ? 'holds' : 'violated']++
      if (found.reference.counts.cut > 0) seen.cut++
      const { cost } = found.verdict
      if (cost === null) continue
      if (cost.preemptions > 0) seen.preemptions++
      if (cost.environment > 0) seen.environment++
      if (cost.delays > 0) seen.delays++
    }
    for (const [kind, count] of Object.entries(seen)) expect(count, kind).toBeGreaterThan(0)
  })

  it('starts again when it learns of shared memory, and says what an exploration without reduction says', () => {
    for (const options of [{}, { buffer: 2 }, { stale: true }]) {
      const sharing = new ToySharing()
      let machines = 0
      const make = () => (machines++, new Toy([[...increment, inc(1)], increment], { ...options, ...bothCounted, sharing }))
      const verdict = explore(make, {})
      expect(machines).toBeGreaterThan(1)
      expect(sharing.grown).toBe(false)
      const plain = explore(() => new Toy([[...increment, inc(1)], increment], { ...options, ...bothCounted }), {})
      expect(verdict).toMatchObject({ verdict: 'violated', cost: plain.cost })
      // The schedule is one of the last pass: it replays with what is known by now.
      expect(priceOf(make(), verdict.schedule!)).toEqual(Object.values(verdict.cost!))
    }
  })

  it('does not settle for sharing that grows without end', () => {
    const verdict = explore(() => Object.assign(new Toy([increment, increment]), { sharing: alwaysGrown() }), {})
    expect(verdict).toMatchObject({ verdict: 'unknown', strength: 'bounded' })
    expect(verdict.reasons.join()).toContain('did not settle')
  })

  it('is bounded where the machine has weaknesses', () => {
    const verdict = explore(() => new Toy([increment], { weaknesses: ['buffer full'] }), {})
    expect(verdict).toMatchObject({ verdict: 'holds', strength: 'bounded', reasons: ['buffer full'] })
  })

  it('holds up to the preemptions that it covered', () => {
    // Two preemptions are needed: vCPU 1 must see 1 between two steps of vCPU 0 that follow its own first.
    const make = () => new Toy([[store(0, 3, 1), store(0, 3, 2)], [load(0, 1), load(1, 0), fail(1, 1)]])
    expect(bruteForce(make).least).toEqual([1, 0, 0])
    expect(explore(make, { preemptions: 1 })).toMatchObject({ verdict: 'violated', cost: { preemptions: 1 } })
    const safe = () => new Toy([increment, increment, increment])
    const bounded = explore(safe, { preemptions: 1 })
    expect(bounded).toMatchObject({ verdict: 'holds', strength: 'bounded', bounds: { preemptions: 1 } })
    expect(bounded.reasons).toHaveLength(1)
    expect(bounded.states).toBeLessThan(bruteForce(safe).states.size)
    expect(explore(safe, { preemptions: 9 })).toMatchObject({ strength: 'complete', states: bruteForce(safe).states.size })
  })

  it('is unknown or bounded where a limit stops it', () => {
    const make = () => new Toy([steps(9, 0), steps(9, 1), steps(9, 2)])
    expect(explore(make, { states: 5 })).toMatchObject({ verdict: 'unknown', strength: 'bounded', schedule: null })
    expect(explore(make, { events: 5 })).toMatchObject({ verdict: 'unknown', strength: 'bounded' })
    const some = explore(make, { events: 2000 })
    expect(some).toMatchObject({ verdict: 'holds', strength: 'bounded' })
    expect(some.bounds.preemptions).toBeGreaterThanOrEqual(0)
    expect(explore(make, {})).toMatchObject({ verdict: 'holds', strength: 'complete', states: 1000 })
  })

  it('leaves the machine where it found it', () => {
    const machine = new Toy([increment, increment], { ...bothCounted, buffer: 2 })
    const { verdict, schedule } = explore(() => machine, {})
    expect(verdict).toBe('violated')
    expect(machine.violation).toBeNull()
    expect(machine.depth).toBeLessThan(schedule!.length)
  })
})

describe('random walks', () => {
  const racy = () => new Toy([increment, increment], bothCounted)

  it('finds a violation whose schedule replays, and the same one for the same seed', () => {
    const first = sample(racy, { seed: 3, executions: 200, stepsMax: 50 })
    expect(first).toMatchObject({ verdict: 'violated', strength: 'sampled' })
    const machine = racy()
    priceOf(machine, first.schedule!)
    expect(machine.violation).toEqual(first.violation)
    expect(sample(racy, { seed: 3, executions: 200, stepsMax: 50 }).schedule).toEqual(first.schedule)
  })

  it('walks differently for different seeds', () => {
    const schedules = [1, 2, 3, 4, 5, 6].map((seed) => sample(racy, { seed, executions: 200, stepsMax: 50 }).schedule!.join())
    expect(new Set(schedules).size).toBeGreaterThan(1)
  })

  it('reaches every end of a small program, and never says more than sampled', () => {
    const make = () => new Toy([increment, increment], { buffer: 1 })
    const verdict = sample(make, { seed: 1, executions: 2000, stepsMax: 50 })
    // `states` of a walk leaves out the start, which it never enters.
    expect(verdict).toMatchObject({ verdict: 'holds', strength: 'sampled', executions: 2000, states: bruteForce(make).states.size - 1 })
  })

  it('starts again when it learns of shared memory', () => {
    const sharing = new ToySharing()
    const make = () => new Toy([[...increment, inc(1)], increment], { ...bothCounted, sharing })
    const verdict = sample(make, { seed: 7, executions: 500, stepsMax: 50 })
    expect(verdict.verdict).toBe('violated')
    const machine = make()
    priceOf(machine, verdict.schedule!)
    expect(machine.violation).not.toBeNull()
  })
})

describe('costs and nodes', () => {
  it('compares preemptions first and does not carry from one field to the next', () => {
    const cost = (p: number, e: number, d: number) => p * 2 ** 20 + e * 2 ** 10 + d
    expect(unpackCost(addCost(cost(1, 2, 3), cost(4, 5, 6)))).toEqual({ preemptions: 5, environment: 7, delays: 9 })
    expect(unpackCost(addCost(cost(0, 0, 1023), 1))).toEqual({ preemptions: 0, environment: 0, delays: 1023 })
    expect(unpackCost(addCost(cost(1023, 1023, 1023), cost(1, 1, 1)))).toEqual({ preemptions: 1023, environment: 1023, delays: 1023 })
  })

  it('keeps 20000 nodes apart, also where lanes collide, and counts states without the vCPU', () => {
    const table = new NodeTable(true)
    for (let n = 0; n < 10_000; n++)
      for (const current of [0, 1]) expect(table.add(n & 7, n, -1, n, 0, 0, current)).toBe(2 * n + current)
    expect(table.states).toBe(10_000)
    for (let n = 0; n < 10_000; n += 97) {
      expect(table.find(n & 7, n, 1)).toBe(2 * n + 1)
      expect(table.find(n & 7, n, 2)).toBe(-1)
    }
  })
})

function alwaysGrown(): { grown: boolean } {
  return Object.defineProperty({ grown: true }, 'grown', { get: () => true, set: () => {} })
}

// The toy is an Explorable and nothing more is asked of it.
const _: Explorable = new Toy([[inc(CELLS - 1)]])
void _
