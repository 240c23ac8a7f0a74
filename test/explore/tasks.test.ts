// A dpor search as a list of tasks: by one or by several, in one go or in many, it finds the same.
import { describe, expect, it } from 'vitest'
import { DporSearch } from '../../src/explore/dpor/search.ts'
import { CheckpointError, decodeCheckpoint, encodeCheckpoint, keyOf } from '../../src/explore/checkpoint.ts'
import { generator } from '../../src/explore/generator.ts'
import type { FromWorker, Port, ToWorker } from '../../src/explore/parallel/protocol.ts'
import { addTotals, noTotals } from '../../src/explore/parallel/taskRun.ts'
import { TaskSearch, type SavedTasks, type TaskOptions } from '../../src/explore/parallel/taskSearch.ts'
import { TaskWorker } from '../../src/explore/parallel/worker.ts'
import { Workshop } from '../../src/explore/workshop.ts'
import { makeModel } from '../../src/smp/model.ts'
import { programAt } from '../programs.ts'

const imageOf = (name: string) => programAt(`examples/${name}.o`)
const workshop = (name: string) => new Workshop(imageOf(name), makeModel())
const limits = {}

/** Workers that take turns as `random` has it; what they say crosses by value. */
class Crew {
  readonly ports: Port[]
  readonly #workers: TaskWorker[]
  readonly #inbox: FromWorker[][]
  readonly #random: () => number

  constructor(count: number, seed: number) {
    this.#random = generator(seed)
    this.#inbox = Array.from({ length: count }, () => [])
    this.#workers = this.#inbox.map((inbox) => new TaskWorker((message) => inbox.push(structuredClone(message))))
    this.ports = this.#workers.map((worker) => ({
      post: (message: ToWorker) => worker.receive(structuredClone(message)),
      onMessage: () => {},
      close: () => {},
    }))
  }

  /** Somebody does something. */
  turn(): void {
    const k = this.#random() % this.ports.length
    if (this.#random() % 2 === 0) this.#workers[k].advance()
    const message = this.#inbox[k].shift()
    if (message !== undefined) this.ports[k].onMessage(message)
  }
}

function finish(search: TaskSearch, crew?: Crew): TaskSearch {
  while (search.advance()) crew?.turn()
  return search
}
const sums = (search: TaskSearch) => {
  const { complete, cut, discarded, redundant, endless } = search.counts()
  return { complete, cut, discarded, redundant, endless, verdict: search.verdict().verdict, strength: search.verdict().strength }
}
const run = (name: string, options: Partial<TaskOptions> = {}) => finish(new TaskSearch(workshop(name), { limits, taskEvents: 300, ...options }))

const PROGRAMS = ['explore/lockinc-n3-m2', 'explore/fib-n3', 'explore/ttas-n3-m1', 'explore/sb_ring-n4', 'explore/treiber_push-n3']

function fileOf(name: string, search: TaskSearch): Uint8Array {
  const { image, model } = workshop(name)
  const { points } = image
  return encodeCheckpoint({
    key: keyOf(image, model), title: name, knobs: model.knobs, shard: null, state: search.save(), declared: { points, sites: [{ name: 's', targets: 2, forms: null }] },
  })
}

describe('a search as tasks', () => {
  it.each(PROGRAMS)('%s: as many complete executions as in one piece', (name) => {
    const whole = new DporSearch(workshop(name).make)
    while (whole.advance());
    const { complete } = run(name).counts()
    expect([complete, run(name).verdict().verdict]).toEqual([whole.counts().complete, whole.verdict().verdict])
    // In one piece when it is small: nothing is redundant then.
    expect(sums(run(name, { taskEvents: 1_000_000 }))).toMatchObject(whole.counts())
  })

  it.each(PROGRAMS)('%s: the same by any number of workers', (name) => {
    const alone = sums(run(name))
    for (const count of [1, 3]) {
      const crew = new Crew(count, count + 7)
      expect(sums(finish(new TaskSearch(workshop(name), { limits, taskEvents: 300, ports: crew.ports }), crew))).toEqual(alone)
    }
  })

  it.each(PROGRAMS.filter((name) => !name.includes('fib')))('%s: the same when it is killed again and again', (name) => {
    const taskEvents = 40
    const alone = sums(run(name, { taskEvents }))
    const random = generator(name.length)
    let saved: SavedTasks | undefined
    let kills = 0
    for (;;) {
      const crew = random() % 2 === 0 ? new Crew(2, random()) : null
      const search = new TaskSearch(workshop(name), { limits, taskEvents, ...(saved ? { saved } : {}), ports: crew?.ports ?? [] })
      let more = true
      for (let turns = 1 + (random() % 20); turns > 0 && more; turns--) {
        more = search.advance()
        crew?.turn()
        // The last checkpoint may be older than the end.
        if (random() % 3 === 0) saved = decodeCheckpoint(fileOf(name, search)).state
      }
      if (!more) {
        expect(sums(search)).toEqual(alone)
        break
      }
      expect(++kills).toBeLessThan(5000)
    }
    expect(kills).toBeGreaterThan(1)
  })

  it.each(PROGRAMS)('%s: the same in shards', (name) => {
    const { complete } = run(name).counts()
    const totals = noTotals()
    for (let index = 1; index <= 3; index++) addTotals(totals, run(name, { shard: { index, of: 3 } }).reached)
    expect(totals.complete).toBe(complete)
  })

  it('is not resumed from a damaged checkpoint', () => {
    const file = fileOf('explore/fib-n3', run('explore/fib-n3'))
    expect(decodeCheckpoint(file).state.totals.complete).toBe(175)
    for (let k = 0; k < 200; k++) {
      const bad = file.slice(0, k % 3 === 0 ? (k * 37) % file.length : file.length)
      if (k % 3 !== 0) bad[(k * 131) % bad.length] ^= 1 << (k & 7)
      expect(() => decodeCheckpoint(bad)).toThrow(CheckpointError)
    }
    expect(keyOf(imageOf('sb'), makeModel())).not.toBe(keyOf(imageOf('sb'), makeModel({ memory: 'sc' })))
    expect(keyOf(imageOf('sb'), makeModel())).not.toBe(keyOf(imageOf('sb-fence'), makeModel()))
  })

  it('finds what is wrong, whoever looks', () => {
    expect(run('ticket-broken', { taskEvents: 20 }).verdict()).toMatchObject({ verdict: 'violated' })
    const crew = new Crew(3, 5)
    const search = finish(new TaskSearch(workshop('ticket-broken'), { limits, taskEvents: 20, ports: crew.ports }), crew)
    expect(search.verdict()).toMatchObject({ verdict: 'violated', violation: { kind: 'mutual-exclusion' } })
  })

  it('does not hold when it was stopped by a limit, nor when a worker fails', () => {
    const memory = { isOver: () => true, reason: 'too much memory' }
    expect(run('explore/fib-n3', { limits: { memory } }).verdict()).toMatchObject({ verdict: 'unknown', reasons: ['too much memory'] })
    expect(run('explore/fib-n3', { limits: { events: 400 } }).verdict().verdict).toBe('unknown')
    const crew = new Crew(2, 1)
    const search = new TaskSearch(workshop('explore/fib-n3'), { limits, taskEvents: 300, ports: crew.ports })
    search.advance()
    crew.ports[1].onMessage({ kind: 'broken', message: 'out of memory' })
    expect(search.advance()).toBe(false)
    expect(search.verdict().verdict).toBe('unknown')
  })
})
