/** The same program through the transition interface: enabled, take, undo log and incremental hash (smp/machine.ts). */
import type { MachineImage } from '../smp/image.ts'
import { Machine } from '../smp/machine.ts'
import type { Model } from '../smp/model.ts'
import { stateHash } from './plainRun.ts'

/** The undo log is dropped when it is longer than this: 16 MB. */
const LOG_WORDS_MAX = 1 << 22

export interface StepOutcome {
  readonly instructions: number
  readonly steps: number
  /** As PlainRun.hash. */
  readonly hash: number
  readonly violation: string | null
}

/** Runs to the end, or to `instructionsMax`, by the first choice each time. */
export function runSteps(image: MachineImage, model: Model, instructionsMax: number): StepOutcome {
  const machine = new Machine(image, model, { memo: false })
  const choices = new Int32Array(512)
  let steps = 0
  while (machine.enabled(choices) > 0 && machine.icount(0) < instructionsMax) {
    machine.take(choices[0])
    steps++
    if (machine.store.logWords > LOG_WORDS_MAX) machine.forget()
  }
  const { r } = machine.cpus[0]
  const first = machine.memory.index(image.regions[0].start) >> 2
  return {
    instructions: machine.icount(0), steps, hash: stateHash(r, machine.store.w, first, machine.memory.map.sizeBytes / 4),
    violation: machine.violation?.message ?? null,
  }
}
