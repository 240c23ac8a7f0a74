/** Runs a system by a scheduler, records the slices, and runs a recording again. */
import type { Scheduler } from './scheduler.ts'
import { System, type Exit, type Sink, type SystemOptions } from './system.ts'

/** What happened, slice by slice: enough to do it again. */
export interface Recording {
  /** vCPU and instructions of each slice, alternating. A vCPU of -1: time went on to the next timer. */
  readonly slices: number[]
  /** Register hash of the vCPU after each slice. */
  readonly checks: number[]
}

export interface Outcome {
  readonly exit: Exit | { readonly kind: 'limit' | 'interrupted'; readonly status: number; readonly message: string }
  readonly instructions: number
  readonly hash: number
  readonly lastPost: number
}

export class Run {
  readonly system: System
  readonly recording: Recording = { slices: [], checks: [] }
  readonly #scheduler: Scheduler
  readonly #instructionsMax: number
  readonly #slicesMax: number
  #slices = 0

  /**
   * @param slicesMax slices that are recorded, at the most: the run ends there; null: nothing is recorded
   * @throws InputError where the image cannot be booted
   */
  constructor(options: SystemOptions, sink: Sink, scheduler: Scheduler, instructionsMax: number, slicesMax: number | null = Infinity) {
    this.system = new System(options, sink)
    this.#scheduler = scheduler
    this.#instructionsMax = instructionsMax
    this.#slicesMax = slicesMax ?? -1
  }

  /** One slice; false: the run is over. */
  advance(): boolean {
    const { system } = this
    if (system.exit !== null || system.instructions >= this.#instructionsMax || this.#slices === this.#slicesMax) return false
    const runnable: number[] = []
    for (let v = 0; v < system.cpus.length; v++) if (system.runnable(v) && !system.spins(v)) runnable.push(v)
    if (runnable.length === 0) {
      this.#record(-1, 0, 0)
      return system.skip()
    }
    const { vcpu, count } = this.#scheduler(runnable)
    const done = system.run(vcpu, Math.min(count, this.#instructionsMax - system.instructions))
    if (this.#slicesMax >= 0) this.#record(vcpu, done, system.registersHash(vcpu))
    return system.exit === null
  }

  #record(vcpu: number, count: number, check: number): void {
    if (this.#slicesMax < 0) return
    this.#slices++
    this.recording.slices.push(vcpu, count)
    this.recording.checks.push(check)
  }

  outcome(interrupted: boolean = false): Outcome {
    const { system } = this
    const { instructions, lastPost } = system
    const stopped = interrupted
      ? ({ kind: 'interrupted', status: 0, message: 'interrupted' } as const)
      : ({ kind: 'limit', status: 0, message: `stopped after ${instructions} instructions (${this.#slices === this.#slicesMax ? 'the recording is full' : '--max-instructions'})` } as const)
    return { exit: system.exit ?? stopped, instructions, hash: system.hash(), lastPost }
  }
}

export interface Rerun {
  /** Slice (from 0) after which the run was not as recorded; null: it was. */
  readonly divergence: { readonly slice: number; readonly message: string } | null
  readonly system: System
}

/** Runs the slices again, checking each. @throws InputError */
export function rerun(options: SystemOptions, sink: Sink, recording: Recording): Rerun {
  const system = new System(options, sink)
  const stopped = (slice: number, message: string): Rerun => ({ divergence: { slice, message }, system })
  for (let k = 0; k < recording.checks.length; k++) {
    const [vcpu, count] = [recording.slices[2 * k], recording.slices[2 * k + 1]]
    if (vcpu === -1) {
      system.skip()
      continue
    }
    if (vcpu < 0 || vcpu >= system.cpus.length) return stopped(k, `there is no vCPU ${vcpu}`)
    const done = system.run(vcpu, count)
    if (done !== count) return stopped(k, `vCPU ${vcpu} made ${done} instructions, recorded ${count}`)
    if (system.registersHash(vcpu) !== recording.checks[k]) return stopped(k, `the registers of vCPU ${vcpu} differ after ${system.instructions} instructions`)
  }
  return { divergence: null, system }
}
