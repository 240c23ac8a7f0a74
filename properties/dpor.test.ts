// The reduction against brute force: as many complete executions as there are classes, each in a class of its own.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { smallProgram } from '../src/arbitraries.ts'
import { enumerate } from '../src/explore/brute.ts'
import type { DporOptions, Fault } from '../src/explore/dpor/options.ts'
import { DporSearch } from '../src/explore/dpor/search.ts'
import { assembleImage, makeModel } from '../src/index.ts'
import { Machine } from '../src/smp/machine.ts'
import { PageMap } from '../src/smp/memory.ts'
import type { Model } from '../src/smp/model.ts'
import { Sharing } from '../src/smp/sharing.ts'
import { classOf } from '../test/explore/classOf.ts'
import { compareWide, wideProgram } from './fuzz/wide.ts'

const RUNS = Number(process.env.XMCHECK_RUNS ?? 40)
/** On the 486 accesses are split, in either order: alternatives that are no interleavings. */
const split = makeModel({ cpu: '486' })
const models = [makeModel(), makeModel({ memory: 'sc' }), split]

interface Comparison {
  readonly classes: number
  readonly complete: number
  readonly distinct: number
  readonly redundant: number
}

/** Null: too many executions for brute force, or one ends in a violation (the 486 has no MFENCE). */
function compare(text: string, model: Model, options: DporOptions = {}): Comparison | null {
  const image = assembleImage(text, { title: 'generated' })
  const pages = new PageMap(image.regions)
  const sharing = new Sharing(pages.sizeBytes / 4, image.vcpus.length)
  const make = () => new Machine(image, model, { sharing, pages })
  const schedules: (readonly number[])[] = []
  const brute = enumerate(make, { depthMax: 80, executionsMax: 2000, visit: (_, schedule) => schedules.push(schedule.slice()) })
  if (!brute.exhausted || brute.counts.violated > 0) return null
  const machine = make()
  const classes = new Set(schedules.map((schedule) => classOf(machine, schedule)))
  const found: (readonly number[])[] = []
  const search = new DporSearch(make, { ...options, onEnd: (how, schedule) => void (how === 'complete' && found.push(schedule)) })
  while (search.advance());
  const { complete, redundant } = search.counts()
  return { classes: classes.size, complete, distinct: new Set(found.map((schedule) => classOf(machine, schedule))).size, redundant }
}

describe('dpor on generated programs', () => {
  it('makes one execution a class of programs too wide for brute force', () => {
    for (let seed = 1640; seed < 1648; seed++) {
      const { classes, executions, redundant } = compareWide(wideProgram(seed))
      if (classes !== null) expect([seed, executions, redundant]).toEqual([seed, classes, 0])
    }
  })

  it('does the same whether or not somebody looks at the ends', () => {
    fc.assert(
      fc.property(smallProgram(), fc.constantFrom(...models), (text, model) => {
        const image = assembleImage(text, { title: 'generated' })
        const run = (options: DporOptions) => {
          const pages = new PageMap(image.regions)
          const sharing = new Sharing(pages.sizeBytes / 4, image.vcpus.length)
          const search = new DporSearch(() => new Machine(image, model, { sharing, pages }), { ...options, events: 5000 })
          while (search.advance());
          const { verdict, events, orders, violation } = search.verdict()
          return verdict === 'unknown' ? null : { verdict, orders, violation, events, counts: search.counts() }
        }
        expect(run({})).toEqual(run({ onEnd: () => {} }))
      }),
      { seed: 4, numRuns: RUNS / 2 },
    )
  })

  it('explores each class that brute force finds, and each once', () => {
    let compared = 0
    fc.assert(
      fc.property(smallProgram(), fc.constantFrom(...models), (text, model) => {
        const result = compare(text, model)
        if (result === null) return
        compared++
        expect([result.complete, result.distinct]).toEqual([result.classes, result.classes])
        if (model !== split) expect(result.redundant).toBe(0)
      }),
      { seed: 3, numRuns: RUNS },
    )
    expect(compared).toBeGreaterThan(RUNS / 3)
  })

  it.each<Fault>(['no-drain-race', 'no-sleep-wakeup', 'lost-race'])('notices when it is broken: %s', (fault) => {
    const programs = fc.sample(smallProgram(), { seed: 4, numRuns: 40 })
    const noticed = programs.some((text) => {
      const result = compare(text, models[0], { fault })
      return result !== null && (result.complete !== result.classes || result.redundant > 0)
    })
    expect(noticed).toBe(true)
  })
})
