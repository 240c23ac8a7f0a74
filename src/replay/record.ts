/** From a schedule to a trace, and from a trace back to the execution. */
import { monitorsFor } from '../explore/monitors/index.ts'
import { formatChoice } from '../smp/choice.ts'
import type { Observer } from '../smp/events.ts'
import type { MachineImage } from '../smp/image.ts'
import { Machine } from '../smp/machine.ts'
import { PageMap } from '../smp/memory.ts'
import { makeModel, type Model } from '../smp/model.ts'
import type { Violation } from '../smp/monitor.ts'
import { Sharing } from '../smp/sharing.ts'
import type { SharingRecord, Trace } from './trace.ts'

/** Most choices in one state that a replay lists. */
const CHOICES_MAX = 8192

/** Carries out `schedule` on `image` and records it. */
export function recordTrace(image: MachineImage, model: Model, sharing: Sharing, schedule: readonly number[]): Trace {
  const known = recordSharing(sharing)
  const machine = makeMachine(image, model, known)
  const checks = new Int32Array(schedule.length)
  schedule.forEach((choice, step) => {
    machine.take(choice)
    checks[step] = machine.store.h0
  })
  return { image, knobs: model.knobs, sharing: known, schedule: Int32Array.from(schedule), checks, violation: machine.violation }
}

export interface Divergence {
  /** Step at which the replay left its recording, from 0. */
  readonly step: number
  readonly message: string
}

export interface Replay {
  readonly machine: Machine
  readonly divergence: Divergence | null
  readonly violation: Violation | null
}

/**
 * Runs a trace again, checking every step.
 * @param observe makes the observer for the machine, where the events are wanted
 */
export function replayTrace(trace: Trace, observe?: (machine: Machine) => Observer): Replay {
  const machine = makeMachine(trace.image, makeModel(trace.knobs), trace.sharing)
  if (observe) machine.observer = observe(machine)
  const enabled = new Int32Array(CHOICES_MAX)
  const stopped = (step: number, message: string): Replay => ({ machine, divergence: { step, message }, violation: machine.violation })
  for (let step = 0; step < trace.schedule.length; step++) {
    const choice = trace.schedule[step]
    const count = machine.enabled(enabled)
    if (!enabled.subarray(0, count).includes(choice)) {
      const could = Array.from(enabled.subarray(0, count), formatChoice).join(' ') || 'nothing'
      return stopped(step, `the recording chose ${formatChoice(choice)}; here ${could} is possible`)
    }
    machine.take(choice)
    if (machine.store.h0 !== trace.checks[step])
      return stopped(step, `after ${formatChoice(choice)} the state hash is ${hex(machine.store.h0)}, recorded ${hex(trace.checks[step])}`)
  }
  const expected = trace.violation
  const actual = machine.violation
  if (expected?.kind !== actual?.kind)
    return stopped(trace.schedule.length, `recorded verdict ${expected?.kind ?? 'none'}, replayed ${actual?.kind ?? 'none'}`)
  return { machine, divergence: null, violation: actual }
}

/** A machine whose steps end where those of the recorded exploration ended. */
export function makeMachine(image: MachineImage, model: Model, known: SharingRecord): Machine {
  const pages = new PageMap(image.regions)
  const sharing = new Sharing(pages.sizeBytes / 4, image.vcpus.length)
  for (const granule of known.shared) sharing.shared[granule] = 1
  for (let k = 0; k + 1 < known.fetchers.length; k += 2) {
    const granule = known.fetchers[k]
    sharing.fetchers[granule] = known.fetchers[k + 1]
    if (sharing.shared[granule] !== 0) sharing.codeShared = true
  }
  for (const vcpu of known.interruptible) sharing.interruptible[vcpu] = 1
  return new Machine(image, model, { monitors: monitorsFor(image), sharing, pages })
}

export function recordSharing(sharing: Sharing): SharingRecord {
  const shared: number[] = []
  const fetchers: number[] = []
  sharing.shared.forEach((flag, granule) => {
    if (flag !== 0) shared.push(granule)
    if (sharing.fetchers[granule] !== 0) fetchers.push(granule, sharing.fetchers[granule])
  })
  return { shared, fetchers, interruptible: Array.from(sharing.interruptible.keys()).filter((v) => sharing.interruptible[v] !== 0) }
}

function hex(value: number): string {
  return '0x' + (value >>> 0).toString(16).padStart(8, '0')
}
