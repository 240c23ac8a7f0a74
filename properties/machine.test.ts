// Generated programs and schedules: brute force and the engines agree, undo is exact, schedules say what they did.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anySchedule, smallProgram } from '../src/arbitraries.ts'
import { CHOICES_MAX } from '../src/explore/explorable.ts'
import { enumerate } from '../src/explore/brute.ts'
import { explore } from '../src/explore/graph/search.ts'
import { assembleImage, makeModel, sample } from '../src/index.ts'
import { carryOut, elementsOf } from '../src/replay/elements.ts'
import { makeMachine } from '../src/replay/record.ts'
import { Machine } from '../src/smp/machine.ts'
import type { Model } from '../src/smp/model.ts'
import { PageMap } from '../src/smp/memory.ts'
import { BY_INTERRUPT, BY_NMI, Sharing } from '../src/smp/sharing.ts'
import { randomProgram, textOf, WORDS_BYTES } from './fuzz/program.ts'
import { behaviourOf } from './fuzz/reference.ts'
import { NOTHING_SHARED } from '../src/replay/trace.ts'

const RUNS = Number(process.env.XMCHECK_RUNS ?? 60)
/** No MFENCE on the 486. */
const runsOn = (text: string, { cpu }: Model) => cpu.features.has('fences') || !text.includes('mfence')
const models = [makeModel(), makeModel({ memory: 'sc' }), makeModel({ cpu: '486' }), makeModel({ partialOverlap: 'wait' }), makeModel({ storeOrder: 'any' }), makeModel({ pcpus: 1 })]

describe('generated programs', () => {
  it('have the states that brute force counts, and walks stay among them', () => {
    let compared = 0
    fc.assert(
      fc.property(smallProgram(), fc.constantFrom(...models), (text, model) => {
        fc.pre(runsOn(text, model))
        const image = assembleImage(text, { title: 'generated' })
        const pages = new PageMap(image.regions)
        const machines = () => {
          const sharing = new Sharing(pages.sizeBytes / 4, image.vcpus.length)
          return () => new Machine(image, model, { sharing, pages })
        }
        const brute = enumerate(machines(), { depthMax: 80, executionsMax: 1500 })
        if (!brute.exhausted) return
        compared++
        const graph = explore(machines(), {})
        expect([graph.verdict, graph.strength, graph.states]).toEqual(['holds', 'complete', brute.states.size])
        expect(explore(machines(), { seed: 5 }).states).toBe(brute.states.size)
        expect(sample(machines(), { seed: 1, executions: 30, stepsMax: 90 }).states).toBeLessThanOrEqual(brute.states.size)
      }),
      { seed: 7, numRuns: RUNS },
    )
    expect(compared).toBeGreaterThan(RUNS / 3)
  })

  it('end the same where vCPUs also park at boundaries at which nothing can be taken, in more states', () => {
    let [compared, fewer] = [0, 0]
    for (let seed = 1; compared < RUNS / 5; seed++) {
      const program = randomProgram(seed)
      if (program.kind !== 'interrupts') continue
      const image = assembleImage(textOf(program, 'loops'), { title: 'generated' })
      const pages = new PageMap(image.regions)
      const at = image.symbols.find(({ name }) => name === 'words')!.address
      const endOf = ({ memory }: Machine) => memory.u8.subarray(memory.index(at), memory.index(at) + WORDS_BYTES).join()
      const behaviour = (both: boolean) => {
        const sharing = new Sharing(pages.sizeBytes / 4, image.vcpus.length)
        if (both) sharing.interruptible.fill(BY_INTERRUPT | BY_NMI)
        return behaviourOf(() => new Machine(image, program.model, { sharing, pages }), endOf, 6000)
      }
      const [split, all] = [behaviour(false), behaviour(true)]
      if (split === null || all === null) continue
      compared++
      expect([split.ends, split.violations, split.stuck], `seed ${seed}`).toEqual([all.ends, all.violations, all.stuck])
      if (split.states < all.states) fewer++
    }
    expect(fewer).toBeGreaterThan(0)
  })

  it('are brought back by undo, step by step, and run again to the same state', () => {
    fc.assert(
      fc.property(smallProgram(5), anySchedule(), fc.constantFrom(...models), (text, picks, model) => {
        fc.pre(runsOn(text, model))
        const image = assembleImage(text, { title: 'generated' })
        const machine = makeMachine(image, model, NOTHING_SHARED)
        const list = new Int32Array(CHOICES_MAX)
        const hashes: string[] = []
        const schedule: number[] = []
        const hash = () => `${machine.store.h0} ${machine.store.h1}`
        for (const pick of picks) {
          const count = machine.enabled(list)
          if (count === 0) break
          hashes.push(hash())
          schedule.push(list[pick % count])
          machine.take(schedule.at(-1)!)
        }
        const end = hash()
        expect([machine.store.h0, machine.store.h1]).toEqual(machine.store.fullHash())
        for (const before of hashes.toReversed()) {
          machine.undo()
          expect(hash()).toBe(before)
        }
        const again = makeMachine(image, model, NOTHING_SHARED)
        schedule.forEach((choice) => again.take(choice))
        expect(`${again.store.h0} ${again.store.h1}`).toBe(end)
        const elements = elementsOf(makeMachine(image, model, NOTHING_SHARED), schedule)
        expect(carryOut(makeMachine(image, model, NOTHING_SHARED), elements, schedule.length).schedule).toEqual(schedule)
      }),
      { seed: 11, numRuns: RUNS * 3 },
    )
  })
})
