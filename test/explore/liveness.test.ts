import { describe, expect, it } from 'vitest'
import { isFinite, isStrong, obligationOf } from '../../src/explore/liveness/fairness.ts'
import type { Liveness } from '../../src/explore/liveness/judge.ts'
import { judgeLasso } from '../../src/explore/liveness/lasso.ts'
import { LiveSearch } from '../../src/explore/liveness/search.ts'
import { finish } from '../../src/explore/explorable.ts'
import { choiceKind, choiceVcpu, DRAIN } from '../../src/smp/choice.ts'
import { splitmix } from './splitmix.ts'
import { type LoopInstruction, LoopToy } from './loopToy.ts'

const load = (cell: number): LoopInstruction => ({ op: 'load', cell })
const store = (cell: number, value: number): LoopInstruction => ({ op: 'store', cell, value })
const swap = (cell: number, value: number): LoopInstruction => ({ op: 'swap', cell, value })
const jump = (value: number, to: number): LoopInstruction => ({ op: 'jump', value, to })
const goto = (to: number): LoopInstruction => ({ op: 'goto', to })
const send = (to: number): LoopInstruction => ({ op: 'send', to })
const open = (value: number): LoopInstruction => ({ op: 'open', open: value })
const progress: LoopInstruction = { op: 'progress' }
const sleep: LoopInstruction = { op: 'sleep' }
const choose: LoopInstruction = { op: 'choose' }

type Programs = readonly (readonly LoopInstruction[])[]
type Mode = Exclude<Liveness, 'off'>

function judge(programs: Programs, mode: Mode = 'auto') {
  const make = () => new LoopToy(programs)
  const verdict = finish(new LiveSearch(make, make, { sliceEvents: 13 }, mode))
  const { events: _, transitions: _t, seconds: _s, passSeconds: _p, bytes: _b, executions: _e, ...same } = verdict
  // Without order, and by cost: what is said is the same.
  expect(finish(new LiveSearch(make, make, {}, mode, { byCost: true }))).toMatchObject(same)
  if (verdict.cycleFrom !== undefined) {
    // What was found can be carried out, goes round, and is fair.
    const lasso = { schedule: verdict.schedule!, from: verdict.cycleFrom }
    expect(judgeLasso(make(), lasso, verdict.violation!.vcpu)).toEqual(verdict.violation)
  }
  return verdict
}

// --- the same question answered by exhaustion, from the definitions ---

interface Edge {
  readonly from: number
  readonly to: number
  readonly choice: number
  readonly finite: boolean
  readonly marked: boolean
  readonly on: boolean
}
interface Reference {
  readonly edges: readonly Edge[]
  readonly ended: readonly number[]
  readonly vcpus: number
  readonly stuck: boolean
}

const STATES_MAX = 1500

/** All states, told apart by their words. */
function exhaust(programs: Programs): Reference | null {
  const machine = new LoopToy(programs)
  const numbers = new Map<string, number>()
  const edges: Edge[] = []
  const ended: number[] = []
  let stuck = false
  const visit = (): number => {
    const key = machine.store.w.join()
    const known = numbers.get(key)
    if (known !== undefined) return known
    const from = numbers.size
    numbers.set(key, from)
    ended[from] = 0
    for (let v = 0; v < programs.length; v++) if (machine.hasEnded(v)) ended[from] |= 1 << v
    if (numbers.size > STATES_MAX) return from
    const out = new Int32Array(64)
    for (const choice of [...out.subarray(0, machine.enabled(out))]) {
      const finite = isFinite(machine, choice)
      const judged = machine.take(choice) !== 0
      const { progressed, effect } = machine
      if (judged) stuck = true
      else edges.push({ from, to: visit(), choice, finite, marked: progressed !== 0, on: effect || progressed !== 0 })
      machine.undo()
    }
    return from
  }
  visit()
  return numbers.size > STATES_MAX ? null : { edges, ended, vcpus: programs.length, stuck }
}

/** Whether from some state one of `threads` that has not ended can never get on. */
function someoneIsDoomed({ edges, ended, vcpus }: Reference, threads: number): boolean {
  for (let v = 0; v < vcpus; v++) {
    if (((threads >>> v) & 1) === 0) continue
    const hope = new Set<number>()
    for (let more = true; more; ) {
      more = false
      for (const edge of edges)
        if (!edge.finite && !hope.has(edge.from) && (hope.has(edge.to) || (edge.on && choiceVcpu(edge.choice) === v))) {
          hope.add(edge.from)
          more = true
        }
    }
    if (ended.some((mask, state) => ((mask >>> v) & 1) === 0 && !hope.has(state))) return true
  }
  return false
}

/** Whether a fair run can stay in `allowed` edges for ever, with one of `owed` not ended: Emerson and Lei's fixpoint, for each strong obligation met or never offered. */
function fairRun({ edges, ended, vcpus }: Reference, allowed: (edge: Edge) => boolean, owed: number): boolean {
  const usable = edges.filter((edge) => !edge.finite && allowed(edge) && (~ended[edge.from] & owed) !== 0)
  const offers = ended.map(() => new Set<number>())
  for (const edge of edges) offers[edge.from].add(obligationOf(edge.choice, vcpus))
  const strong = Array.from({ length: 4 * vcpus }, (_, one) => one).filter((one) => isStrong(one, vcpus))
  for (let never = 0; never < 1 << strong.length; never++) {
    const avoided = strong.filter((_, k) => ((never >>> k) & 1) === 1)
    let stay = new Set(ended.keys())
    for (const state of [...stay]) if (avoided.some((one) => offers[state].has(one))) stay.delete(state)
    for (let size = -1; size !== stay.size; ) {
      size = stay.size
      for (let one = 0; one < 4 * vcpus; one++) {
        const inside = usable.filter((edge) => stay.has(edge.from) && stay.has(edge.to))
        const meets = (edge: Edge) =>
          avoided.includes(one) || obligationOf(edge.choice, vcpus) === one || (!isStrong(one, vcpus) && (!offers[edge.from].has(one) || !offers[edge.to].has(one)))
        // Strong ones that are not avoided must be acted on, or be met by nobody offering them: covered by another subset.
        const reach = new Set(inside.filter(meets).map((edge) => edge.from))
        for (let more = true; more; ) {
          more = false
          for (const edge of inside)
            if (!reach.has(edge.from) && reach.has(edge.to)) {
              reach.add(edge.from)
              more = true
            }
        }
        stay = reach
      }
    }
    if (stay.size > 0) return true
  }
  return false
}

/** Whether anything is to be reported, by what docs/model.md says of each mode; null: that depends on the code of the loops. */
function expected(reference: Reference, mode: Mode): boolean | null {
  const { edges, ended, vcpus } = reference
  const all = (1 << vcpus) - 1
  const marked = edges.filter((edge) => edge.marked).reduce((mask, edge) => mask | (1 << choiceVcpu(edge.choice)), 0)
  const everEnded = ended.reduce((a, b) => a | b, 0)
  const obliged = mode === 'termination' ? all : everEnded | marked
  if (reference.stuck || someoneIsDoomed(reference, obliged)) return true
  if (mode === 'termination') return fairRun(reference, () => true, all)
  if (someoneIsDoomed(reference, all & ~obliged)) return null
  const server = (edge: Edge) => choiceKind(edge.choice) !== DRAIN && ((obliged >>> choiceVcpu(edge.choice)) & 1) === 0
  if (fairRun(reference, (edge) => !edge.marked && !server(edge), obliged)) return true
  if (marked === 0 && (mode === 'auto' ? obliged !== all : false)) return false
  for (let v = 0; v < vcpus; v++)
    if (((obliged >>> v) & 1) === 1 && fairRun(reference, (edge) => !(edge.marked && choiceVcpu(edge.choice) === v), 1 << v)) return true
  return false
}

describe('liveness of toys', () => {
  it('names a deadlock of two locks that spin, and its cycle is fair', () => {
    const take = (first: number, second: number) => [swap(first, 1), jump(1, 0), swap(second, 1), jump(1, 2), store(first, 0), store(second, 0)]
    expect(judge([take(0, 1), take(1, 0)])).toMatchObject({ verdict: 'violated', violation: { kind: 'deadlock' }, cost: { preemptions: 1 } })
    expect(judge([take(0, 1), take(0, 1)])).toMatchObject({ verdict: 'holds', strength: 'complete', liveness: { covered: 'termination' } })
  })

  it('names a livelock of two who back off for each other', () => {
    const polite = (me: number, other: number) => [swap(me, 1), load(other), jump(0, 5), swap(me, 0), goto(0), store(me, 0)]
    expect(judge([polite(0, 1), polite(1, 0)])).toMatchObject({ verdict: 'violated', violation: { kind: 'livelock' } })
    // Who waits without backing off lets the other through, once that one looks first.
    const patient = [load(0), jump(1, 0)]
    expect(judge([polite(0, 1), patient]).verdict).toBe('holds')
  })

  it('names starvation by a lock that is not fair, where progress is marked', () => {
    const worker = [swap(0, 1), jump(1, 0), progress, store(0, 0), goto(0)]
    expect(judge([worker, worker])).toMatchObject({ verdict: 'violated', violation: { kind: 'starvation' } })
    const turn = (me: number) => [load(1), jump(1 - me, 0), progress, store(1, 1 - me), goto(0)]
    expect(judge([turn(0), turn(1)])).toMatchObject({ verdict: 'holds', liveness: { covered: 'progress' } })
  })

  it('waits for stores: they drain', () => {
    expect(judge([[store(0, 1)], [load(0), jump(0, 0)]]).verdict).toBe('holds')
    expect(judge([[store(1, 1)], [load(0), jump(0, 0)]])).toMatchObject({ verdict: 'violated' })
  })

  it('waits for interrupts that are pending, also where they are open now and then only', () => {
    const spins = [open(0), open(1), load(1), jump(0, 0)]
    expect(judge([[send(1)], spins]).verdict).toBe('holds')
    expect(judge([[load(0)], spins])).toMatchObject({ verdict: 'violated' })
    // Closed for ever: what is pending is not taken.
    expect(judge([[send(1)], [open(0), load(1), jump(0, 1)]])).toMatchObject({ verdict: 'violated' })
  })

  it('finds who sleeps for ever while another goes on', () => {
    expect(judge([[swap(0, 1), swap(0, 0), goto(0)], [sleep, load(0)]])).toMatchObject({ verdict: 'violated', violation: { kind: 'lost-wakeup', vcpu: 1 } })
    expect(judge([[load(0), send(1), goto(0)], [sleep, load(0)]]).verdict).toBe('holds')
  })

  it('does not take for waiting what has no way out, unless it must end', () => {
    expect(judge([[load(0), goto(0)], [store(0, 1)]])).toMatchObject({ verdict: 'holds', liveness: { covered: 'deadlock' } })
    expect(judge([[load(0), goto(0)], [store(0, 1)]], 'termination').violation?.vcpu).toBe(0)
    expect(judge([[load(1), jump(0, 0)], [store(0, 1)]]).violation?.vcpu).toBe(0)
    // Two who never end, and lock each other out.
    const endless = (first: number, second: number) => [swap(first, 1), jump(1, 0), swap(second, 1), jump(1, 2), store(first, 0), store(second, 0), goto(0)]
    expect(judge([endless(0, 1), endless(1, 0)]).violation?.kind).toBe('deadlock')
    expect(judge([endless(0, 1), endless(0, 1)]).verdict).toBe('holds')
    // One that serves, and is idle when the others have ended.
    const server = [load(0), jump(0, 0), store(0, 0), goto(0)]
    expect(judge([server, [store(0, 1), load(0), jump(1, 1)]]).verdict).toBe('holds')
  })

  it('does not take a data choice that could end a loop for one that must', () => {
    expect(judge([[choose, jump(0, 0)]])).toMatchObject({ verdict: 'violated', violation: { kind: 'deadlock' } })
  })

  it('says that it was not judged where there are too many transitions, or not all were seen', () => {
    const programs = [[load(0), load(1)], [load(1), load(2)]]
    const make = () => new LoopToy(programs)
    expect(finish(new LiveSearch(make, make, {}, 'auto', { edgesMax: 5 }))).toMatchObject({ verdict: 'holds', strength: 'complete', liveness: { covered: 'none' } })
    expect(finish(new LiveSearch(make, make, {}, 'termination', { edgesMax: 5 }))).toMatchObject({ verdict: 'unknown', liveness: { covered: 'none' } })
    expect(finish(new LiveSearch(make, make, { events: 3 }, 'auto', { byCost: true })).liveness).toMatchObject({ covered: 'none' })
    expect(finish(new LiveSearch(make, make, { preemptions: 0 }, 'termination', { byCost: true })).verdict).toBe('unknown')
  })

  it('agrees with exhaustion on random programs', { timeout: 120_000 }, () => {
    const random = splitmix(20261122)
    const seen: Record<string, number> = {}
    const modes: readonly Mode[] = ['auto', 'progress', 'termination']
    for (let n = 0; n < 700; n++) {
      const kinds: ((size: number) => LoopInstruction)[] = [
        () => load(random(3)), () => load(random(3)), () => store(random(3), random(2)), () => swap(random(3), random(2)), () => choose,
        (size) => jump(random(2), random(size + 1)), (size) => jump(random(2), random(size + 1)), (size) => goto(random(size + 1)),
        () => progress, () => send(random(2)), () => open(random(2)), () => sleep,
      ]
      const programs = Array.from({ length: 2 }, () => {
        const size = 1 + random(5)
        return Array.from({ length: size }, () => kinds[random(kinds.length)](size))
      })
      const reference = exhaust(programs)
      if (reference === null) continue
      const mode = modes[random(3)]
      const verdict = judge(programs, mode)
      const name = verdict.cycleFrom === undefined ? verdict.verdict : verdict.violation!.kind
      seen[name] = (seen[name] ?? 0) + 1
      const hangs = expected(reference, mode)
      if (hangs !== null) expect(verdict.verdict, `${mode} ${JSON.stringify(programs)}`).toBe(hangs ? 'violated' : 'holds')
    }
    for (const kind of ['holds', 'deadlock', 'lost-wakeup', 'livelock', 'starvation']) expect(seen[kind] ?? 0, JSON.stringify(seen)).toBeGreaterThan(3)
  })
})

