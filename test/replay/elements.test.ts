import { describe, expect, it } from 'vitest'
import { generator } from '../../src/explore/generator.ts'
import { CHOICES_MAX } from '../../src/explore/explorable.ts'
import { checkImage } from '../../src/explore/check.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { carryOut, elementsOf } from '../../src/replay/elements.ts'
import { minimize, Runner } from '../../src/replay/minimize.ts'
import { makeMachine, recordSharing } from '../../src/replay/record.ts'
import { formatSchedule, parseSchedule } from '../../src/replay/schedule.ts'
import { makeModel } from '../../src/smp/model.ts'
import { programAt } from '../programs.ts'
import { NOTHING_SHARED } from '../../src/replay/trace.ts'

const example = (name: string) => programAt(`examples/${name}.o`)
const IRQ = `
.vcpu counter, 2
.irq 0, 0x40, tick, 1
.nmi 1, tick, 1
counter: sti
    mov eax, [x]
    choose 2
    add dword [x], 1
    inc eax
    mov [y], eax
    cli
    cmp dword [y], 2
    setne al
    movzx eax, al
    assert eax, "y is not 2"
    ret
tick: add dword [x], 4
    iret
section .data
align 64
x: dd 0
align 64
y: dd 0
`
const images = [example('sb'), example('ticket-broken'), example('textpoke-nosync'), assembleImage(IRQ, { title: 'irq' })]

describe('elements of a schedule', () => {
  it.each(images.flatMap((image) => (['fifo', 'any'] as const).map((order) => [image.title, order, image] as const)))('of %s, stores in order %s: carried out, they give the schedule again', (_, storeOrder, image) => {
    const model = makeModel({ fetch: 'independent:4', storeOrder })
    const { sharing } = checkImage(image, model, { limits: { events: 3000 } })
    const known = recordSharing(sharing)
    const random = generator(7)
    const list = new Int32Array(CHOICES_MAX)
    for (let run = 0; run < 60; run++) {
      const machine = makeMachine(image, model, known)
      const schedule: number[] = []
      while (schedule.length < 120) {
        const count = machine.enabled(list)
        if (count === 0) break
        const choice = list[random() % count]
        schedule.push(choice)
        if (machine.take(choice) !== 0) break
      }
      const first = makeMachine(image, model, known)
      const elements = elementsOf(first, schedule)
      expect(first.step).toBe(0)
      // Another machine: the first may have learnt of more shared memory.
      const again = makeMachine(image, model, known)
      const carried = carryOut(again, elements, schedule.length)
      expect(formatSchedule(carried.schedule)).toBe(formatSchedule(schedule))
      expect([again.store.h0, again.store.h1]).toEqual([machine.store.h0, machine.store.h1])
      expect(carried.steps).not.toContain(-1)
    }
  })

  it('has none where nothing differs from the default run', () => {
    const machine = makeMachine(images[0], makeModel(), NOTHING_SHARED)
    const { schedule, ended } = carryOut(machine, [], 1000)
    expect(ended).toBe(true)
    expect(elementsOf(makeMachine(images[0], makeModel(), NOTHING_SHARED), schedule)).toEqual([])
  })
})

describe('minimisation', () => {
  it.each(images.map((image) => [image.title, image] as const))('of random failures of %s is 1-minimal', (_, image) => {
    const model = makeModel({ fetch: 'independent:4' })
    for (let seed = 1; seed <= 6; seed++) {
      const found = checkImage(image, model, { engine: 'random', seed, executions: 4000, stepsMax: 400 })
      expect(found.verdict).toBe('violated')
      const known = recordSharing(found.sharing)
      const make = () => makeMachine(image, model, known)
      const { kind } = found.violation!
      const result = minimize(make, found.schedule!, kind)
      expect(result.minimal).toBe(true)
      expect(result.elements.length).toBeLessThanOrEqual(result.before)
      const machine = make()
      result.schedule.forEach((choice) => machine.take(choice))
      expect(machine.violation?.kind).toBe(kind)
      const runner = new Runner(make)
      expect(runner.run(result.elements, 1000).kind).toBe(kind)
      for (const one of result.elements) {
        const rest = result.elements.filter((other) => other !== one)
        expect(runner.run(rest, 1000).kind, `${JSON.stringify(one)} of ${JSON.stringify(result.elements)}`).not.toBe(kind)
      }
    }
  })
})

describe('schedules as text', () => {
  it('reads what it writes', () => {
    const schedule = parseSchedule('run0*3 drain1 run1:2 irq0:64.1 irq0:64 nmi1')
    expect(formatSchedule(schedule)).toBe('run0*3 drain1 run1:2 irq0:64.1 irq0:64 nmi1')
    expect(schedule).toHaveLength(8)
  })
  it.each(['run', 'run0*0', 'run0*', 'jump1', 'run0*2*2', 'run0:1.1', 'run0:99999999', 'run0*9999999'])('refuses %s', (text) => {
    expect(() => parseSchedule(text)).toThrow(/choice/)
  })
})
