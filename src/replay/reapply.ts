/**
 * A recorded schedule on changed code. Steps of the recording are known by what they do (`load counter`,
 * `fetch site`, `drain lock+0x4`): symbol and offset of the data or of the rewritten code, not the place of the
 * instruction, which moves with every edit. For each recorded step its vCPU runs on until that is what it does
 * next. Events that the new code makes in between are extra steps; a store that had to drain earlier is done.
 */
import { goesRound } from '../explore/liveness/lasso.ts'
import { CHOICES_MAX } from '../explore/explorable.ts'
import { choiceArgument, choiceKind, choiceVcpu, DESCHEDULE, DRAIN, packChoice, RUN, SCHEDULE } from '../smp/choice.ts'
import type { EventKind, MachineEvent } from '../smp/events.ts'
import type { MachineImage } from '../smp/image.ts'
import type { Machine } from '../smp/machine.ts'
import { makeModel } from '../smp/model.ts'
import type { Violation } from '../smp/monitor.ts'
import { sourceOf, symbolize } from '../smp/symbols.ts'
import { makeMachine, recordSharing } from './record.ts'
import { formatSharing, parseSharing } from './sharingText.ts'
import type { SharingRecord, Trace } from './trace.ts'

export interface Reapplied {
  readonly outcome: 'fails' | 'passes' | 'no-longer-applies'
  readonly violation: Violation | null
  /** Recorded step (from 0) that does not come with the new code, and a sentence that says why. */
  readonly stuck: { readonly step: number; readonly message: string } | null
  readonly schedule: readonly number[]
  readonly sharing: SharingRecord
  /** Events of the new code that the recording does not have. */
  readonly extra: number
}

/** Events that a vCPU may make before the recorded one must have come, and steps to run on after the recording. */
const EXTRA_MAX = 256
const TAIL_MAX = 10_000
const PASSES_MAX = 32

/** What a choice does, without the place of the instruction: the event that others can see. */
function signature(machine: Machine, choice: number): string {
  let text: string | null = null
  machine.observer = (event) => {
    if (text === null && !QUIET.has(event.kind)) text = `${event.kind.replace('locked-load', 'locked')} ${placeOf(machine, event)}`.trimEnd()
  }
  machine.take(choice)
  machine.undo()
  machine.observer = null
  return text ?? 'local'
}

/** What a step brings along, but is not made of. */
const QUIET: ReadonlySet<EventKind> = new Set(['instruction', 'store', 'exception', 'end', 'schedule', 'deschedule', 'steal'])

function placeOf(machine: Machine, event: MachineEvent): string {
  const named: readonly EventKind[] = ['load', 'drain', 'locked-load', 'locked-store', 'fetch', 'mark']
  return named.includes(event.kind) ? symbolize(machine.image, event.address) : event.kind === 'send' ? String(event.address) : ''
}

/** Where `vcpu` stands: the symbol, and the line of source where it is known. */
function placeIn(machine: Machine, vcpu: number): string {
  const source = sourceOf(machine.image, machine.eip(vcpu))
  return machine.place(vcpu) + (source === '' ? '' : ` (${source})`)
}

/** @param image the changed code, linked as the trace's was */
export function reapply(trace: Trace, image: MachineImage): Reapplied {
  const steps = signaturesOf(trace)
  let { sharing } = parseSharing(image, formatSharing(trace.image, trace.sharing))
  for (let pass = 0; ; pass++) {
    const machine = makeMachine(image, makeModel(trace.knobs), sharing)
    const result = attempt(machine, trace, steps)
    sharing = recordSharing(machine.sharing)
    if (machine.sharing.grown && pass < PASSES_MAX) continue
    if (trace.cycleFrom === null || result.outcome !== 'passes') return { ...result, sharing }
    // The way into the cycle applies: does the new code go round there too?
    const known = sharing
    const round = goesRound(() => makeMachine(image, makeModel(trace.knobs), known), result.schedule, trace.violation!.vcpu)
    return { ...result, sharing, ...(round === null ? {} : { outcome: 'fails', violation: round.violation, schedule: round.lasso.schedule }) }
  }
}

function signaturesOf(trace: Trace): string[] {
  const machine = makeMachine(trace.image, makeModel(trace.knobs), trace.sharing)
  return Array.from(trace.schedule, (choice) => {
    const text = signature(machine, choice)
    machine.take(choice)
    return text
  })
}

function attempt(machine: Machine, trace: Trace, steps: readonly string[]): Omit<Reapplied, 'sharing'> {
  const schedule: number[] = []
  const list = new Int32Array(CHOICES_MAX)
  let extra = 0
  const enabled = () => list.subarray(0, machine.enabled(list))
  const take = (choice: number) => {
    schedule.push(choice)
    return machine.take(choice) !== 0
  }
  const done = (stuck: Reapplied['stuck']): Omit<Reapplied, 'sharing'> => {
    const { violation } = machine
    return { outcome: violation !== null ? 'fails' : stuck !== null ? 'no-longer-applies' : 'passes', violation, stuck, schedule, extra }
  }
  /** Stores that drained before their recorded step. */
  const early = new Map<string, number>()
  const stepsEnd = trace.cycleFrom ?? steps.length
  for (let step = 0; step < stepsEnd; step++) {
    const choice = trace.schedule[step]
    const vcpu = choiceVcpu(choice)
    if (choiceKind(choice) === DRAIN && (early.get(`${vcpu} ${steps[step]}`) ?? 0) > 0) {
      early.set(`${vcpu} ${steps[step]}`, early.get(`${vcpu} ${steps[step]}`)! - 1)
      continue
    }
    const kindOf = (one: number) => choiceKind(one) === choiceKind(choice) && choiceVcpu(one) === vcpu
    const seen = new Set<string>()
    for (let tries = 0; ; tries++) {
      const now = enabled()
      const same = now.find((one) => kindOf(one) && signature(machine, one) === steps[step])
      if (same !== undefined) {
        // The recorded alternative, where there is such a one.
        if (take(now.includes(choice) ? choice : same)) return done(null)
        break
      }
      const locked = now.find((one) => kindOf(one) && steps[step].startsWith('load ') && signature(machine, one) === steps[step].replace('load', 'locked'))
      if (locked !== undefined) {
        // A read-modify-write that the change made atomic: its store is in memory with its load.
        const key = `${vcpu} ${steps[step].replace('load', 'drain')}`
        early.set(key, (early.get(key) ?? 0) + 1)
        if (take(locked)) return done(null)
        break
      }
      const instead = (what: string) => done({ step, message: `in the recording vCPU ${vcpu} does \`${steps[step]}\` next, in the changed code it ${what}` })
      const state = `${machine.store.h0} ${machine.store.h1}`
      if (seen.has(state)) return instead(`goes round at ${placeIn(machine, vcpu)} until another vCPU does something`)
      seen.add(state)
      if (tries === EXTRA_MAX) return instead(`does ${EXTRA_MAX} other things, and stands at ${placeIn(machine, vcpu)}`)
      const run = now.find((one) => choiceKind(one) === RUN && choiceVcpu(one) === vcpu)
      const drain = packChoice(DRAIN, vcpu)
      // A store that drained later in the recording must wait: only a vCPU that cannot go on otherwise drains early.
      const next = run ?? (now.includes(drain) ? drain : undefined)
      if (next === undefined) return instead(machine.hasEnded(vcpu) ? 'ends without doing so' : `waits at ${placeIn(machine, vcpu)} (${machine.pending(vcpu)})`)
      if (next === drain) {
        const key = `${vcpu} ${signature(machine, drain)}`
        early.set(key, (early.get(key) ?? 0) + 1)
      }
      extra++
      if (take(next)) return done(null)
    }
  }
  if (trace.cycleFrom !== null) return done(null)
  // Past the recording: on to the end, in turns, so that what was under way can fail.
  for (let tail = 0; tail < TAIL_MAX; tail++) {
    const now = enabled()
    // As the default run would (elements.ts), but fairly: one that spins does not keep the others out.
    const runs = now.filter((one) => (choiceKind(one) === RUN && choiceArgument(one) === 0) || choiceKind(one) === DESCHEDULE || choiceKind(one) === SCHEDULE)
    const next = now.find((one) => choiceKind(one) === DRAIN) ?? runs[tail % runs.length]
    if (next === undefined || take(next)) break
  }
  return done(null)
}
