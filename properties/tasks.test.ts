// A search cut into parts, however it is cut: together they explore each class once, as the whole does.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { smallProgram } from '../src/arbitraries.ts'
import { WHOLE, type Counts, type Task } from '../src/explore/dpor/options.ts'
import { DporSearch } from '../src/explore/dpor/search.ts'
import { generator } from '../src/explore/generator.ts'
import { assembleImage, makeModel } from '../src/index.ts'
import type { MachineImage } from '../src/smp/image.ts'
import { Machine } from '../src/smp/machine.ts'
import { PageMap } from '../src/smp/memory.ts'
import type { Model } from '../src/smp/model.ts'
import { Sharing } from '../src/smp/sharing.ts'
import { classOf } from '../test/explore/classOf.ts'
import { isExact, randomProgram, textOf, type Program } from './fuzz/program.ts'
import { programAt } from '../test/programs.ts'

const RUNS = Number(process.env.XMCHECK_RUNS ?? 42)
const models = [makeModel(), makeModel({ memory: 'sc' }), makeModel({ cpu: '486' })]

interface Explored {
  readonly complete: number
  readonly discarded: number
  readonly classes: ReadonlySet<string>
  readonly violated: boolean
}

function exploreWhole(image: MachineImage, model: Model) {
  const pages = new PageMap(image.regions)
  const sharing = new Sharing(pages.sizeBytes / 4, image.vcpus.length)
  const make = () => new Machine(image, model, { sharing, pages })
  const waitPlaces = new Set<number>()
  const run = (task: Task): Explored & { counts: Counts; grown: boolean } => {
    const schedules: (readonly number[])[] = []
    const search = new DporSearch(make, { task, waitPlaces, onEnd: (how, schedule) => void (how === 'complete' && schedules.push(schedule)) })
    while (search.advance());
    const machine = make()
    const counts = search.counts()
    const classes = new Set(schedules.slice(-counts.complete || schedules.length).map((schedule) => classOf(machine, schedule)))
    return { complete: counts.complete, discarded: counts.discarded, classes, violated: search.verdict().verdict === 'violated', counts, grown: search.grown }
  }
  return { run, make, waitPlaces }
}

/** Cuts at random, to a depth of at most `depth`, and explores the parts. */
function exploreParts({ run, make, waitPlaces }: ReturnType<typeof exploreWhole>, random: () => number, depth: number): Explored & { parts: number } {
  const classes = new Set<string>()
  let complete = 0
  let discarded = 0
  let parts = 0
  let violated = false
  const visit = (task: Task, left: number) => {
    const tasks = left > 0 && random() % 4 !== 0 ? new DporSearch(make, { task, waitPlaces, restart: false }).split() : []
    if (tasks.length > 0) return tasks.forEach((one) => visit(one, left - 1))
    const result = run(task)
    parts++
    complete += result.complete
    discarded += result.discarded
    violated ||= result.violated
    for (const one of result.classes) classes.add(one)
  }
  visit(WHOLE, depth)
  return { complete, discarded, classes, violated, parts }
}

function compare(image: MachineImage, model: Model, seed: number, depth: number): number {
  const whole = exploreWhole(image, model)
  const expected = whole.run(WHOLE)
  const found = exploreParts(whole, generator(seed), depth)
  expect(found.violated).toBe(expected.violated)
  if (!expected.violated) {
    expect([found.complete, found.classes.size]).toEqual([expected.complete, expected.classes.size])
    expect(found.classes).toEqual(expected.classes)
  }
  return found.parts
}

/** Where there is more than one execution a class, the ends are what must agree. */
function compareEnds(program: Program, seed: number): number {
  const { model } = program
  const text = textOf(program, 'loops')
  const image = assembleImage(text, { title: 'generated' })
  const pages = new PageMap(image.regions)
  const sharing = new Sharing(pages.sizeBytes / 4, image.vcpus.length)
  const waitPlaces = new Set<number>()
  let machine: Machine | null = null
  const make = () => (machine = new Machine(image, model, { sharing, pages }))
  const run = (task: Task) => {
    const ends = new Set<string>()
    const again = () => {
      ends.clear()
      return make()
    }
    const onEnd = (how: keyof Counts) => void (how === 'complete' && ends.add(`${machine!.store.h0} ${machine!.store.h1}`))
    const search = new DporSearch(again, { task, waitPlaces, events: 20_000, onEnd })
    while (search.advance());
    return { ends, complete: search.counts().complete, verdict: search.verdict() }
  }
  // What is learnt is learnt before.
  if (run(WHOLE).verdict.verdict === 'unknown') return 0
  const whole = run(WHOLE)
  const random = generator(seed)
  const ends = new Set<string>()
  let complete = 0
  let parts = 0
  let violated = false
  const visit = (task: Task, left: number) => {
    const cut = left > 0 && random() % 4 !== 0 ? new DporSearch(make, { task, waitPlaces, restart: false }) : null
    const tasks = cut?.split() ?? []
    if (violated || cut?.verdict().violation) return void (violated = true)
    if (tasks.length > 0) return tasks.forEach((one) => visit(one, left - 1))
    const part = run(task)
    parts++
    complete += part.complete
    violated ||= part.verdict.verdict === 'violated'
    for (const end of part.ends) ends.add(end)
  }
  visit(WHOLE, 1 + (seed % 5))
  expect(violated, text).toBe(whole.verdict.verdict === 'violated')
  if (violated) return parts
  expect(ends, text).toEqual(whole.ends)
  if (isExact(program)) expect(complete, text).toBe(whole.complete)
  return parts
}

describe('parts of a search', () => {
  it('of generated programs explore what the whole explores', () => {
    let parts = 0
    fc.assert(
      fc.property(smallProgram(3), fc.constantFrom(...models), fc.nat(1000), fc.integer({ min: 1, max: 6 }), (text, model, seed, depth) => {
        fc.pre(model.cpu.features.has('fences') || !text.includes('mfence'))
        parts += compare(assembleImage(text, { title: 'generated' }), model, seed, depth)
      }),
      { seed: 21, numRuns: RUNS },
    )
    expect(parts).toBeGreaterThan(RUNS * 3)
  })

  it('of programs with loops, interrupts and code that is written reach the same ends', () => {
    let parts = 0
    for (let seed = 1; seed <= RUNS / 3; seed++) parts += compareEnds(randomProgram(seed), seed)
    expect(parts).toBeGreaterThan(RUNS / 2)
  })

  it.each(['ticket-n3-m1', 'ttas-n3-m1', 'mcs-n2-m1', 'treiber-n2', 'seqlock-n1-m2', 'dekker-m1-fence', 'peterson-m1-noassert', 'fib-n2', 'sb_ring-n4', 'lastzero-n5', 'indexer-n12'])(
    'of %s explore what the whole explores',
    (name) => {
      const image = programAt(`examples/explore/${name}.o`)
      for (let seed = 1; seed <= 3; seed++) compare(image, models[seed % 2], seed, 2 + 2 * seed)
    },
  )
})
