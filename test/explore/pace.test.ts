// Searches that keep to their time however slow their events are, and say where it went.
import { describe, expect, it, vi } from 'vitest'
import { checkImage, startCheck, type Engine } from '../../src/explore/check.ts'
import { Pace } from '../../src/explore/pace.ts'
import { assembleImage } from '../../src/guest/asm/index.ts'
import { makeModel } from '../../src/smp/model.ts'

/** A clock that stands still but for what is done. */
function withClock<T>(act: (pass: (ms: number) => void) => T): T {
  let now = 0
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now)
  try {
    return act((ms) => void (now += ms))
  } finally {
    clock.mockRestore()
  }
}

/** A clock that goes on by so much whenever somebody looks at it. */
function withSlowLooks<T>(lookMs: number, act: () => T): T {
  let now = 0
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += lookMs))
  try {
    return act()
  } finally {
    clock.mockRestore()
  }
}

describe('a pace', () => {
  /** Looks that a search makes of events of `eventMs` in 10 s, and how late it ends. */
  const run = (eventMs: number) =>
    withClock((pass) => {
      const pace = new Pace({ seconds: 10 })
      pace.resume(0)
      let [work, looks] = [0, 0]
      for (; !pace.timeIsOver; work++, pass(eventMs)) if (pace.looks(work)) looks++
      return { looks, lateMs: (work - 1) * eventMs - 10_000 }
    })
  it.each([0.001, 0.1, 3, 100, 2000])('ends in time with events of %s ms', (eventMs) => {
    const { looks, lateMs } = run(eventMs)
    expect(lateMs).toBeLessThan(Math.max(50, 2 * eventMs))
    expect(looks).toBeLessThan(5000)
  })
  it('hands control back soon, and counts whole slices only', () =>
    withClock((pass) => {
      const pace = new Pace({ sliceEvents: 1000, returnsSoon: true })
      const ends: number[] = []
      pace.resume(0)
      for (let work = 1; work <= 2500; work++, pass(1)) {
        pace.looks(work)
        if (!pace.pauses(work)) continue
        ends.push(pace.done)
        pace.resume(work)
      }
      expect(ends.length).toBeGreaterThan(15)
      expect([...new Set(ends)]).toEqual([0, 1000, 2000])
    }))
})

describe('a vCPU that runs on by itself', () => {
  const image = assembleImage('.vcpu on\n.vcpu other\non: inc ecx\n  jmp on\nother: mov dword [x], 1\n  ret\nsection .data\nalign 4\nx: dd 0', { file: 'on.asm' })
  const model = makeModel({ localSteps: 64 })
  it.each(['graph', 'dpor', 'random', 'auto'] as const)('is named where the search did not end: %s', (engine: Engine) => {
    const { verdict, reasons } = checkImage(image, model, { engine, stepsMax: 50, executions: 3, limits: engine === 'auto' ? { states: 50 } : { events: 400 } })
    expect(verdict).toBe(engine === 'random' ? 'holds' : 'unknown')
    expect(reasons.join()).toMatch(/more than 64 instructions \(knob localSteps\) without an event that others could see: vCPU 0 in on \(on\.asm:[34]\), \d+ times/)
  })
  it('is what auto says, where no sample came to its end', () => {
    const { verdict, engine, chosen, reasons } = withSlowLooks(5, () => checkImage(image, model, { engine: 'auto', limits: { seconds: 1 } }))
    expect([verdict, engine]).toEqual(['unknown', 'graph'])
    expect(chosen).toMatch(/^graph: no engine had come to an end in 1 s: the rest of the time was for samples$/)
    expect(reasons.join()).toContain('vCPU 0 in on')
  })
  it('is only as long as it is taken to be alone', () => {
    // Until it is known that they share it they count on by themselves.
    const both = assembleImage('.vcpu a\n.vcpu b\na: mov ecx, 200\n.l: inc dword [x]\n  loop .l\n  ret\nb: mov eax, [x]\n  jmp b\nsection .data\nalign 4\nx: dd 0')
    const { strength, reasons } = checkImage(both, model, { engine: 'random', stepsMax: 50, executions: 3 })
    expect([strength, reasons.filter((one) => one.includes('localSteps'))]).toEqual(['sampled', []])
  })
  it('is not where it came to an end', () => {
    const ends = assembleImage('.vcpu on\non: mov ecx, 100\n.l: loop .l\n  ret')
    expect(checkImage(ends, model)).toMatchObject({ verdict: 'holds', strength: 'complete', reasons: [] })
  })
})

it('samples are the same in however many slices', () => {
  const image = assembleImage('.vcpu a\n.vcpu b\na: inc dword [x]\n  mov eax, [y]\n  ret\nb: inc dword [y]\n  inc dword [x]\n  ret\nsection .data\nalign 4\nx: dd 0\ny: dd 0')
  const sampled = (lookMs: number) =>
    withSlowLooks(lookMs, () => {
      const check = startCheck(image, makeModel(), { engine: 'portfolio', executions: 60 })
      let slices = 1
      for (; check.advance(); slices++);
      const { executions, events, states, orders } = check.result()
      return { slices, same: { executions, events, states, orders } }
    })
  const [quick, slow] = [sampled(0), sampled(60)]
  expect(slow.slices).toBeGreaterThan(quick.slices + 10)
  expect(slow.same).toEqual(quick.same)
})
