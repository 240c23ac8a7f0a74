/**
 * A schedule as what it does differently from the *default run*: every store drains at once (of several the one
 * of the lowest vCPU), the vCPU that ran last goes on as long as it can, then the lowest one that can; code is
 * fetched as memory holds it, stores drain in order, nothing interrupts, data choices are 0. Where vCPUs share pCPUs nobody is
 * descheduled; behind one who was, the lowest other one goes on.
 *
 * Differences are tied to the progress of the actors they concern, not to a global step, so that one can be
 * taken away and the others still mean what they meant. Position (vCPU v, n) is where v has made n events (runs
 * and interrupts); (drains of v, n) is where n of its stores have reached memory.
 */
import { CHOICES_MAX } from '../explore/explorable.ts'
import { choiceArgument, choiceKind, choiceVcpu, DESCHEDULE, DRAIN, INTERRUPT, isEvent, NMI, packChoice, RUN, SCHEDULE } from '../smp/choice.ts'
import type { Machine } from '../smp/machine.ts'

export type Element =
  /** After `events` events of `vcpu`, `to` runs (vcpu -1: at the start). */
  | { readonly kind: 'switch'; readonly vcpu: number; readonly events: number; readonly to: number }
  /** Event number `events` of `vcpu` is this choice: a stale fetch, an order of halves, a data choice, an interrupt. */
  | { readonly kind: 'choose'; readonly vcpu: number; readonly events: number; readonly choice: number }
  /** Where `drains` stores of `vcpu` have reached memory the next is this choice: not the oldest. */
  | { readonly kind: 'overtake'; readonly vcpu: number; readonly drains: number; readonly choice: number }
  /** After `events` events of `vcpu` the pCPU of `of` is taken away. */
  | { readonly kind: 'deschedule'; readonly vcpu: number; readonly events: number; readonly of: number }
  /** Store number `drains` of `vcpu` stays in the buffer until the release point (null: for good). */
  | { readonly kind: 'hold'; readonly vcpu: number; readonly drains: number; readonly until: Release | null }

export type Actor = 'events' | 'drains' | 'deschedules'

/** Whose progress a choice is. */
export function actorOf(choice: number): Actor {
  return isEvent(choice) ? 'events' : choiceKind(choice) === DRAIN ? 'drains' : 'deschedules'
}

export interface Release {
  /** Events of `vcpu`, its drains, or how often it was descheduled. */
  readonly actor: Actor
  readonly vcpu: number
  readonly count: number
}

export interface Carried {
  readonly schedule: readonly number[]
  /** Step (index into `schedule`) at which each element took effect; -1: it never did. */
  readonly steps: readonly number[]
  /** The run came to an end (or a judgement); false: it was left after `stepsMax` steps. */
  readonly ended: boolean
}

/** What each actor has done, per vCPU, and who ran last. */
class Progress implements Readonly<Record<Actor, number[]>> {
  readonly events: number[]
  readonly drains: number[]
  readonly deschedules: number[]
  current = -1

  constructor(vcpus: number) {
    this.events = new Array<number>(vcpus).fill(0)
    this.drains = new Array<number>(vcpus).fill(0)
    this.deschedules = new Array<number>(vcpus).fill(0)
  }

  note(choice: number): void {
    const vcpu = choiceVcpu(choice)
    this[actorOf(choice)][vcpu]++
    if (isEvent(choice)) this.current = vcpu
  }

  /** How often the current vCPU has run: the position of a switch. */
  get position(): number {
    return this.current < 0 ? 0 : this.events[this.current]
  }
}

/** It goes on, or begins to. */
const isRun = (choice: number) => choiceKind(choice) === RUN || choiceKind(choice) === SCHEDULE
const runsOf = (enabled: Int32Array, vcpu: number) => enabled.find((choice) => isRun(choice) && choiceVcpu(choice) === vcpu)
const lowestDrain = (enabled: Int32Array) => enabled.find((choice) => choiceKind(choice) === DRAIN)

/** Whom the default run lets go on; undefined: nobody can run. */
function defaultVcpu(machine: Machine, enabled: Int32Array, current: number): number | undefined {
  const runners = Array.from(enabled.filter(isRun), choiceVcpu).sort((a, b) => a - b)
  if (runners.includes(current) && machine.canContinue(current)) return current
  return runners.find((vcpu) => vcpu !== current) ?? runners[0]
}

/** The differences of `schedule` from the default run. The machine stands at its start, before and after. */
export function elementsOf(machine: Machine, schedule: readonly number[]): Element[] {
  const elements: Element[] = []
  const progress = new Progress(machine.cpus.length)
  const list = new Int32Array(CHOICES_MAX)
  /** Per vCPU: index in `elements` of the hold of its oldest store; -1: it is not held. */
  const holds = new Array<number>(machine.cpus.length).fill(-1)
  let release: Release | null = null
  let taken = 0
  for (const choice of schedule) {
    const enabled = list.subarray(0, machine.enabled(list))
    const kind = choiceKind(choice)
    const vcpu = choiceVcpu(choice)
    for (const drain of enabled) {
      const other = choiceVcpu(drain)
      // Whatever could drain before this choice, and does not, is held.
      if (choiceKind(drain) !== DRAIN || choiceArgument(drain) !== 0 || holds[other] >= 0 || (kind === DRAIN && other >= vcpu)) continue
      holds[other] = elements.length
      elements.push({ kind: 'hold', vcpu: other, drains: progress.drains[other], until: null })
    }
    if (kind === DRAIN) {
      if (holds[vcpu] >= 0) elements[holds[vcpu]] = { kind: 'hold', vcpu, drains: progress.drains[vcpu], until: release }
      holds[vcpu] = -1
      if (choiceArgument(choice) !== 0) elements.push({ kind: 'overtake', vcpu, drains: progress.drains[vcpu], choice })
    } else if (kind === DESCHEDULE) elements.push({ kind: 'deschedule', vcpu: progress.current, events: progress.position, of: vcpu })
    else {
      if (vcpu !== defaultVcpu(machine, enabled, progress.current))
        elements.push({ kind: 'switch', vcpu: progress.current, events: progress.position, to: vcpu })
      if (choice !== runsOf(enabled, vcpu)) elements.push({ kind: 'choose', vcpu, events: progress.events[vcpu], choice })
    }
    progress.note(choice)
    release = { actor: actorOf(choice), vcpu, count: progress[actorOf(choice)][vcpu] }
    taken++
    if (machine.take(choice) !== 0) break
  }
  for (; taken > 0; taken--) machine.undo()
  return elements
}

/**
 * Carries out the default run with `elements`; one that cannot take effect where it stands is passed over.
 * The machine is left where the run ended; `schedule.length` undos bring it back.
 */
export function carryOut(machine: Machine, elements: readonly Element[], stepsMax: number): Carried {
  const progress = new Progress(machine.cpus.length)
  const list = new Int32Array(CHOICES_MAX)
  const schedule: number[] = []
  const steps = elements.map(() => -1)
  const find = (match: (element: Element) => boolean) => elements.findIndex((element, k) => steps[k] < 0 && match(element))
  while (schedule.length < stepsMax) {
    const enabled = list.subarray(0, machine.enabled(list))
    if (enabled.length === 0) return { schedule, steps, ended: true }
    const choice = freeDrain(enabled, elements, progress, steps, schedule.length) ?? descheduled(enabled) ?? next(enabled)
    progress.note(choice)
    schedule.push(choice)
    if (machine.take(choice) !== 0) return { schedule, steps, ended: true }
  }
  return { schedule, steps, ended: false }

  function descheduled(enabled: Int32Array): number | undefined {
    const here = find((one) => one.kind === 'deschedule' && one.vcpu === progress.current && one.events === progress.position && enabled.includes(packChoice(DESCHEDULE, one.of)))
    if (here < 0) return undefined
    steps[here] = schedule.length
    return packChoice(DESCHEDULE, (elements[here] as { of: number }).of)
  }

  function next(enabled: Int32Array): number {
    const here = find((one) => one.kind === 'switch' && one.vcpu === progress.current && one.events === progress.position)
    const to = here < 0 ? -1 : (elements[here] as { to: number }).to
    const chosen = to < 0 ? undefined : at(enabled, to)
    if (chosen !== undefined) {
      steps[here] = schedule.length
      return chosen
    }
    const vcpu = defaultVcpu(machine, enabled, progress.current)
    // Nobody can run: stores must drain although they were to be held, or who sleeps gives its pCPU up, or an interrupt comes.
    if (vcpu === undefined) return (progress.current >= 0 ? at(enabled, progress.current) : undefined) ?? lowestDrain(enabled) ?? enabled.find((choice) => choiceKind(choice) === DESCHEDULE) ?? enabled[0]
    return at(enabled, vcpu)!
  }

  /** What `vcpu` does next: the choice of an element, or its ordinary run. */
  function at(enabled: Int32Array, vcpu: number): number | undefined {
    const k = find((one) => one.kind === 'choose' && one.vcpu === vcpu && one.events === progress.events[vcpu])
    if (k >= 0) {
      const { choice } = elements[k] as { choice: number }
      if (enabled.includes(choice)) {
        steps[k] = schedule.length
        return choice
      }
    }
    return runsOf(enabled, vcpu)
  }
}

/** The lowest drain that no element holds. */
function freeDrain(
  enabled: Int32Array, elements: readonly Element[], progress: Progress, steps: number[], step: number,
): number | undefined {
  for (const choice of enabled) {
    if (choiceKind(choice) !== DRAIN || choiceArgument(choice) !== 0) continue
    const vcpu = choiceVcpu(choice)
    const k = elements.findIndex((one) => one.kind === 'hold' && one.vcpu === vcpu && one.drains === progress.drains[vcpu])
    if (k < 0) return overtaking(vcpu) ?? choice
    const { until } = elements[k] as { until: Release | null }
    if (until !== null && progress[until.actor][until.vcpu] >= until.count) return overtaking(vcpu) ?? choice
    if (steps[k] < 0) steps[k] = step
  }
  return undefined

  function overtaking(vcpu: number): number | undefined {
    const k = elements.findIndex((one) => one.kind === 'overtake' && one.vcpu === vcpu && one.drains === progress.drains[vcpu])
    if (k < 0) return undefined
    const { choice } = elements[k] as { choice: number }
    if (!enabled.includes(choice)) return undefined
    if (steps[k] < 0) steps[k] = step
    return choice
  }
}

/** One element in words. */
export function describeElement(element: Element): string {
  switch (element.kind) {
    case 'switch':
      return element.vcpu < 0
        ? `vCPU ${element.to} starts`
        : `vCPU ${element.to} runs after event ${element.events} of vCPU ${element.vcpu}`
    case 'choose': {
      const kind = choiceKind(element.choice)
      const argument = choiceArgument(element.choice)
      const which = kind === NMI ? '' : ` ${kind === INTERRUPT ? argument & 0xff : argument}`
      return `event ${element.events + 1} of vCPU ${element.vcpu} is ${CHOICE_WORDS[kind]}${which}`
    }
    case 'deschedule':
      return `the hypervisor takes the pCPU of vCPU ${element.of} away${element.vcpu < 0 ? '' : ` after event ${element.events} of vCPU ${element.vcpu}`}`
    case 'overtake':
      return `a store of vCPU ${element.vcpu} reaches memory before ${choiceArgument(element.choice)} older of its stores`
    case 'hold': {
      const { until } = element
      const end = until === null ? 'for good' : `until ${untilText(until)}`
      return `store ${element.drains + 1} of vCPU ${element.vcpu} stays in its buffer ${end}`
    }
  }
}
function untilText({ actor, vcpu, count }: Release): string {
  if (actor === 'events') return `vCPU ${vcpu} has made ${count} event${count === 1 ? '' : 's'}`
  if (actor === 'drains') return `${count} store${count === 1 ? '' : 's'} of vCPU ${vcpu} ${count === 1 ? 'has' : 'have'} drained`
  return `vCPU ${vcpu} has been descheduled ${count === 1 ? 'once' : `${count} times`}`
}

const CHOICE_WORDS = ['variant', 'drain', 'interrupt', 'an NMI']
