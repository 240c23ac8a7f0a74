/** Seeded random walks: finds, never proves. */
import { CHOICES_MAX, type Explorable } from './explorable.ts'
import type { Verdict } from './verdict.ts'

export interface SampleOptions {
  /** 32-bit seed; the same seed walks the same ways. */
  readonly seed: number
  readonly executions: number
  /** Events of one execution at the most. */
  readonly stepsMax: number
}

export function sample(makeMachine: () => Explorable, options: SampleOptions): Verdict {
  const started = performance.now()
  const choices = new Int32Array(CHOICES_MAX)
  const seen = new Set<number>()
  let machine = makeMachine()
  let random = generator(options.seed)
  let events = 0
  for (let run = 0; run < options.executions; run++) {
    const schedule: number[] = []
    while (schedule.length < options.stepsMax && machine.violation === null) {
      const count = machine.enabled(choices)
      if (count === 0) break
      const choice = choices[random() % count]
      machine.take(choice)
      schedule.push(choice)
      events++
      seen.add(machine.store.h0 * 2 ** 20 + (machine.store.h1 & 0xfffff))
    }
    const { violation } = machine
    if (machine.sharing.grown) {
      // Steps end elsewhere now: walk again with what was learnt.
      machine = makeMachine()
      machine.sharing.grown = false
      random = generator(options.seed)
      run = -1
      continue
    }
    const common = { bounds: {}, states: seen.size, executions: run + 1, events, seconds: (performance.now() - started) / 1000, engine: 'random', reasons: [] }
    if (violation !== null) return { ...common, verdict: 'violated', strength: 'sampled', violation, schedule, cost: null }
    for (let k = 0; k < schedule.length; k++) machine.undo()
  }
  const seconds = (performance.now() - started) / 1000
  return {
    verdict: 'holds', strength: 'sampled', bounds: {}, states: seen.size, executions: options.executions, events, seconds,
    engine: 'random', reasons: [...machine.weaknesses], violation: null, schedule: null, cost: null,
  }
}

/** xorshift32 after a splitmix step, so that small seeds differ at once. */
function generator(seed: number): () => number {
  let x = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 1
  return () => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return x >>> 0
  }
}
