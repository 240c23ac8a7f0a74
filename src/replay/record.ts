/** From a schedule to a trace, and from a trace back to the execution. */
import { CHOICES_MAX } from '../explore/explorable.ts'
import { judgeLasso } from '../explore/liveness/lasso.ts'
import { monitorsFor } from '../explore/monitors/index.ts'
import { EIP } from '../cpu/registers.ts'
import { choiceVcpu, formatChoice } from '../smp/choice.ts'
import type { Observer } from '../smp/events.ts'
import type { MachineImage } from '../smp/image.ts'
import { Machine } from '../smp/machine.ts'
import { PageMap } from '../smp/memory.ts'
import { makeModel, type Model } from '../smp/model.ts'
import type { Violation } from '../smp/monitor.ts'
import { BY_INTERRUPT, BY_NMI, LOOKED, Sharing, TABLE } from '../smp/sharing.ts'
import { CheckHash } from './checkHash.ts'
import { HOW_SHIFT, type SharingRecord, type Trace } from './trace.ts'

/** Where a run goes round for ever, and the vCPU that gets nowhere. */
export interface Cycle {
  readonly from: number
  readonly victim: number
}

/** Carries out `schedule` on `image` and records it. */
export function recordTrace(image: MachineImage, model: Model, sharing: Sharing, schedule: readonly number[], cycle: Cycle | null = null): Trace {
  const known = recordSharing(sharing)
  const machine = makeMachine(image, model, known)
  const hash = new CheckHash(machine)
  const checks = Int32Array.from(schedule, (choice) => {
    machine.take(choice)
    return hash.step(choice)
  })
  const violation = machine.violation ?? (cycle && judgeLasso(makeMachine(image, model, known), { schedule, from: cycle.from }, cycle.victim))
  const cycleFrom = machine.violation === null && violation !== null && cycle !== null ? cycle.from : null
  return { image, knobs: model.knobs, sharing: known, schedule: Int32Array.from(schedule), checks, violation, cycleFrom }
}

/**
 * Carries out a schedule that somebody wrote, as far as it is possible.
 * @returns the trace of what was carried out, and where and why it could not go on
 * `ended`: nothing is possible behind it.
 */
export function runSchedule(
  image: MachineImage, model: Model, known: SharingRecord, schedule: readonly number[], cycle: Cycle | null = null,
): { trace: Trace; divergence: Divergence | null; ended: boolean } {
  const machine = makeMachine(image, model, known)
  const enabled = new Int32Array(CHOICES_MAX)
  const hash = new CheckHash(machine)
  const checks: number[] = []
  let divergence: Divergence | null = null
  for (const choice of schedule) {
    if (machine.violation !== null) break
    const problem = impossible(machine, choice, enabled)
    if (problem !== null) {
      divergence = { step: checks.length, message: `the schedule says ${problem}` }
      break
    }
    machine.take(choice)
    checks.push(hash.step(choice))
  }
  const taken = Int32Array.from(schedule.slice(0, checks.length))
  const whole = machine.violation === null && divergence === null && cycle !== null && cycle.victim < image.vcpus.length
  const round = whole ? judgeLasso(makeMachine(image, model, known), { schedule, from: cycle.from }, cycle.victim) : null
  const violation = machine.violation ?? round
  const cycleFrom = whole && round !== null ? cycle.from : null
  const trace = { image, knobs: model.knobs, sharing: known, schedule: taken, checks: Int32Array.from(checks), violation, cycleFrom }
  return { trace, divergence, ended: machine.enabled(enabled) === 0 }
}

/** `choice; here ... is possible`; null: it is. */
function impossible(machine: Machine, choice: number, scratch: Int32Array): string | null {
  const enabled = scratch.subarray(0, machine.enabled(scratch))
  if (enabled.includes(choice)) return null
  return `${formatChoice(choice)}; here ${Array.from(enabled, formatChoice).join(' ') || 'nothing'} is possible`
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
  const machine = makeMachine(trace.image, makeModel(trace.knobs), trace.sharing, observe)
  const hash = new CheckHash(machine)
  const enabled = new Int32Array(CHOICES_MAX)
  const stopped = (step: number, message: string): Replay => ({ machine, divergence: { step, message }, violation: machine.violation })
  for (let step = 0; step < trace.schedule.length; step++) {
    const choice = trace.schedule[step]
    const problem = impossible(machine, choice, enabled)
    if (problem !== null) return stopped(step, `the recording chose ${problem}`)
    machine.take(choice)
    const check = hash.step(choice)
    if (check !== trace.checks[step])
      return stopped(step, `after ${formatChoice(choice)} the check hash is ${hex(check)}, recorded ${hex(trace.checks[step])}; vCPU ${choiceVcpu(choice)} is at ${machine.symbolize(machine.cpus[choiceVcpu(choice)].r[EIP])}`)
  }
  const expected = trace.violation
  const actual = machine.violation ?? judgeCycle(trace)
  if (expected?.kind !== actual?.kind)
    return stopped(trace.schedule.length, `recorded verdict ${expected?.kind ?? 'none'}, replayed ${actual?.kind ?? 'none'}`)
  return { machine, divergence: null, violation: actual }
}

/** The violation of a trace whose run goes round for ever. */
function judgeCycle({ image, knobs, sharing, schedule, violation, cycleFrom }: Trace): Violation | null {
  if (cycleFrom === null || violation === null || violation.vcpu >= image.vcpus.length) return null
  return judgeLasso(makeMachine(image, makeModel(knobs), sharing), { schedule: [...schedule], from: cycleFrom }, violation.vcpu)
}

/** A machine whose steps end where those of the recorded exploration ended. @param observe as in MachineOptions */
export function makeMachine(image: MachineImage, model: Model, known: SharingRecord, observe?: (machine: Machine) => Observer): Machine {
  const pages = new PageMap(image.regions)
  const sharing = new Sharing(pages.sizeBytes / 4, image.vcpus.length)
  for (const granule of known.shared) sharing.shared[granule] = 1
  for (let k = 0; k + 1 < known.fetchers.length; k += 2) {
    const granule = known.fetchers[k]
    sharing.fetchers[granule] = known.fetchers[k + 1]
    if (sharing.shared[granule] !== 0) sharing.codeShared = true
  }
  for (const one of known.interruptible) sharing.interruptible[one & 0xff] = one >> HOW_SHIFT || BY_INTERRUPT | BY_NMI
  sharing.uncachedLines.push(...known.uncached)
  for (let k = 0; k + 1 < known.pages.length; k += 2) sharing.pages.set(known.pages[k], known.pages[k + 1])
  sharing.tablesChange = known.pages.length > 0
  for (const page of known.tables) if (page in sharing.tables) sharing.noteTable(page, TABLE | LOOKED)
  sharing.grown = false
  return new Machine(image, model, { monitors: monitorsFor(image), sharing, pages, ...(observe === undefined ? {} : { observe }) })
}

export function recordSharing(sharing: Sharing): SharingRecord {
  const shared: number[] = []
  const fetchers: number[] = []
  sharing.shared.forEach((flag, granule) => {
    if (flag !== 0) shared.push(granule)
    if (sharing.fetchers[granule] !== 0) fetchers.push(granule, sharing.fetchers[granule])
  })
  const both = BY_INTERRUPT | BY_NMI
  const interruptible = Array.from(sharing.interruptible).flatMap((how, v) => (how === 0 ? [] : [how === both ? v : v | (how << HOW_SHIFT)]))
  return { shared, fetchers, interruptible, pages: sharing.tablesChange ? [...sharing.pages].flat() : [], uncached: [...sharing.uncachedLines], tables: sharing.lookedPages() }
}

function hex(value: number): string {
  return '0x' + (value >>> 0).toString(16).padStart(8, '0')
}
