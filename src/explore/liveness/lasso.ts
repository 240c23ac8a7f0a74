/** A run that goes on for ever, as a way into a cycle and once round it. */
import type { WayOut } from '../../cpu/wayOut.ts'
import { choiceArgument, choiceKind, choiceVcpu, DESCHEDULE, DRAIN, packChoice, RUN, SCHEDULE } from '../../smp/choice.ts'
import { FP_READ, FP_WORDS, FP_WRITE } from '../../smp/footprint.ts'
import type { Violation } from '../../smp/monitor.ts'
import { CHOICES_MAX, workOf } from '../explorable.ts'
import { isFinite, isStrong, isThrough, type Live, NOBODY, obligationOf, owesAnything } from './fairness.ts'

export interface Lasso {
  /** All choices; those from `from` on are the cycle: none where nobody has to go on. */
  readonly schedule: readonly number[]
  readonly from: number
}

/** Work (`workOf`) of a run before it has to come to a state again. */
const CLOSING_WORK_MAX = 100_000

/**
 * Goes on after `schedule` in turns, fairly, until a state comes again.
 * @param machine at the start; it is left where the cycle begins
 * @returns null: the run was judged, or did not come to a state again; a cycle of nothing: nobody has to go on
 */
export function closeFairly(machine: Live, schedule: readonly number[]): Lasso | null {
  for (const choice of schedule) if (machine.take(choice) !== 0) return null
  const all = [...schedule]
  const enabled = new Int32Array(CHOICES_MAX)
  const seen = new Map<string, number>()
  const vcpus = machine.vcpuCount
  const workSoFar = () => workOf(all.length, machine)
  const until = workSoFar() + CLOSING_WORK_MAX
  while (workSoFar() < until) {
    const key = `${machine.store.h0} ${machine.store.h1}`
    const from = seen.get(key)
    if (from !== undefined) return { schedule: all, from }
    seen.set(key, all.length)
    let moved = false
    for (let turn = 0; turn < 2 * vcpus; turn++) {
      for (let rounds = 0; rounds < TURN_EVENTS_MAX; rounds++) {
        const choices = enabled.subarray(0, machine.enabled(enabled))
        // Pending interrupts go first: they may be open here only.
        const interrupt = choices.find((one) => isStrong(obligationOf(one, vcpus), vcpus))
        const own = choices.find((one) => obligationOf(one, vcpus) === turn && !isFinite(machine, one))
        const choice = interrupt ?? own ?? (isHeldUp(machine, turn) ? (choices.find((one) => one === packChoice(SCHEDULE, turn)) ?? makeRoom(choices, turn)) : undefined)
        if (choice === undefined) break
        all.push(choice)
        moved = true
        if (machine.take(choice) !== 0) return null
        if (choice === own) break
      }
    }
    if (!moved) return machine.violation === null ? { schedule: all, from: all.length } : null
  }
  return null
}

/** Most that happens at one turn: until a vCPU that others have kept from running gets a pCPU, and interrupts. */
const TURN_EVENTS_MAX = 1000

/** `vcpu` could do something if it had a pCPU. */
function isHeldUp(machine: Live, vcpu: number): boolean {
  const heldUp = new Int32Array(CHOICES_MAX)
  return heldUp.subarray(0, machine.heldUp?.(heldUp) ?? 0).some((one) => choiceVcpu(one) === vcpu)
}

/** What leads to a pCPU for `vcpu`: whose turn was last gives up its own, after its stores, and the instruction that it is at. */
function makeRoom(choices: Int32Array, vcpu: number): number | undefined {
  const before = (choice: number) => (choiceVcpu(choice) < vcpu ? choiceVcpu(choice) + 256 : choiceVcpu(choice))
  const last = (kind: number) => choices.filter((one) => choiceKind(one) === kind && choiceArgument(one) === 0).sort((a, b) => before(b) - before(a))[0]
  return last(DESCHEDULE) ?? last(DRAIN) ?? last(RUN)
}

/**
 * Judges a lasso by carrying it out, from nothing but what happens on it. The machine stands at the start, and is left where the
 * lasso ends.
 * @param victim vCPU that is said to get nowhere
 * @returns null: the cycle does not close, is not fair, or the victim has ended
 */
export function judgeLasso(machine: Live, { schedule, from }: Lasso, victim: number): Violation | null {
  const vcpus = machine.vcpuCount
  const enabled = new Int32Array(CHOICES_MAX)
  const heldUp = new Int32Array(CHOICES_MAX)
  const offered = new Int32Array(4 * vcpus)
  const acted = new Int32Array(4 * vcpus)
  const reads = Array.from({ length: vcpus }, () => new Set<number>())
  const written = new Map<number, number>()
  let progressed = 0
  let effects = 0
  let [h0, h1] = [0, 0]
  for (let step = 0; step < schedule.length; step++) {
    const choice = schedule[step]
    const choices = enabled.subarray(0, machine.enabled(enabled))
    if (!choices.includes(choice)) return null
    if (step === from) [h0, h1] = [machine.store.h0, machine.store.h1]
    if (step >= from) {
      const here = new Set(Array.from([...choices, ...heldUp.subarray(0, machine.heldUp?.(heldUp) ?? 0)], (one) => obligationOf(one, vcpus)))
      for (const one of here) if (one !== NOBODY) offered[one]++
      if (isFinite(machine, choice)) return null
      const one = obligationOf(choice, vcpus)
      if (one !== NOBODY) acted[one]++
    }
    if (machine.take(choice) !== 0) return null
    const vcpu = choiceVcpu(choice)
    const { words, length } = machine.footprint
    for (let at = 0; at < length; at += FP_WORDS) {
      if (words[at] === FP_WRITE && machine.effect) written.set(words[at + 1], vcpu)
      if (words[at] === FP_WRITE && step >= from && ownsPcpus(choice)) written.set(words[at + 1], HYPERVISOR)
      if (words[at] === FP_READ && step >= from) reads[vcpu].add(words[at + 1])
    }
    if (step < from) continue
    progressed |= machine.progressed
    if (machine.effect) effects |= 1 << vcpu
  }
  const length = schedule.length - from
  // Of nothing: nobody goes on, and what may still come is owed to nobody.
  if (length === 0 && owesAnything(machine)) return null
  if (length < 0 || (length > 0 && (machine.store.h0 !== h0 || machine.store.h1 !== h1))) return null
  for (let one = 0; one < 4 * vcpus; one++)
    if (length > 0 && acted[one] === 0 && (isStrong(one, vcpus) ? offered[one] > 0 : offered[one] === length)) return null
  if (isThrough(machine, victim)) return null
  return describe(machine, { victim, length, effects, progressed, reads, written })
}

/**
 * vCPUs that have not ended and, going round this lasso, wait for something: they would end if it came, or do something else. The
 * latter does not count where others have ended: who served them may be idle.
 */
export function whoWaits(machine: Live, { schedule, from }: Lasso): number[] {
  const executed = Array.from({ length: machine.vcpuCount }, () => new Set<number>())
  schedule.forEach((choice, step) => {
    if (step === from) {
      executed.forEach((places, v) => places.add(machine.instructionAt(v)))
      machine.observer = (event) => event.kind === 'instruction' && executed[event.vcpu].add(event.address)
    }
    machine.take(choice)
    if (step >= from) executed[choiceVcpu(choice)].add(machine.instructionAt(choiceVcpu(choice)))
  })
  machine.observer = null
  if (schedule.length === from) executed.forEach((places, v) => places.add(machine.instructionAt(v)))
  const open = [...executed.keys()].filter((v) => !isThrough(machine, v))
  const waits = (out: WayOut) => out === 'ends' || (out === 'acts' && open.length === executed.length)
  return open.filter((v) => waits(machine.wayOut(v, executed[v])))
}

/** The fair run that follows `schedule` in turns, where it gets `victim` nowhere. */
export function goesRound(makeMachine: () => Live, schedule: readonly number[], victim: number): { lasso: Lasso; violation: Violation } | null {
  const lasso = closeFairly(makeMachine(), schedule)
  const violation = lasso && judgeLasso(makeMachine(), lasso, victim)
  return violation && lasso && { lasso, violation }
}

/** A choice of the hypervisor's, about who has a pCPU. */
const ownsPcpus = (choice: number) => choiceKind(choice) === SCHEDULE || choiceKind(choice) === DESCHEDULE
/** In place of a vCPU. */
const HYPERVISOR = -1

interface Round {
  readonly victim: number
  /** Of the cycle, in events. */
  readonly length: number
  /** vCPUs, as bits, with steps in the cycle that others can see; that passed a progress mark there. */
  readonly effects: number
  readonly progressed: number
  /** Per vCPU: addresses that it reads in the cycle. */
  readonly reads: readonly ReadonlySet<number>[]
  /** Address to the vCPU that wrote there last; HYPERVISOR: it does in the cycle. */
  readonly written: ReadonlyMap<number, number>
}

/** Addresses named for one vCPU. */
const NAMED_MAX = 3

/** The machine stands in the cycle. */
function describe(machine: Live, round: Round): Violation {
  const { victim, length, effects, progressed, reads, written } = round
  const open = Array.from({ length: machine.vcpuCount }, (_, v) => v).filter((v) => !isThrough(machine, v))
  const others = progressed & ~(1 << victim)
  // A read is an event where others write in some execution: what they have not written in this one was to be told.
  const unwritten = (v: number) => reads[v].size > 0 && [...reads[v]].every((address) => !written.has(address))
  const looks = open.some((v) => [...reads[v]].some((address) => written.get(address) === HYPERVISOR))
  let kind: string
  let what: string
  if (effects === 0 && looks) [kind, what] = ['livelock', 'the hypervisor takes pCPUs away and gives them back, and each look at it comes at the wrong time']
  else if (effects === 0 && open.some((v) => machine.sleeps(v))) [kind, what] = [machine.kindOfStandstill(), 'nobody can go on']
  else if (effects === 0 && open.length === 1 && machine.vcpuCount > 1 && unwritten(victim)) [kind, what] = ['lost-wakeup', 'what it waits for never comes']
  else if (effects === 0) [kind, what] = ['deadlock', 'nobody can go on']
  else if (machine.sleeps(victim)) [kind, what] = ['lost-wakeup', `nobody wakes vCPU ${victim}`]
  else if ((progressed & (1 << victim)) !== 0) [kind, what] = ['livelock', `vCPU ${victim} passes its progress marks for ever, but never ends`]
  else if (others !== 0 || (effects & (1 << victim)) === 0) [kind, what] = ['starvation', `the others get on for ever, vCPU ${victim} does not`]
  else [kind, what] = ['livelock', 'all go on for ever, none gets anywhere']
  const named = effects === 0 || kind === 'livelock' ? open : [victim]
  const waits = named.map((v) => {
    if (machine.sleeps(v)) return machine.describeWait(v)
    const places = [...reads[v]].slice(0, NAMED_MAX).map((address) => {
      const writer = written.get(address)
      return `${machine.symbolize(address)} (${writer === undefined ? 'which nobody has written' : `written last by ${writer === HYPERVISOR ? 'the hypervisor' : `vCPU ${writer}`}`})`
    })
    return `vCPU ${v} goes round at ${machine.place(v)}${places.length === 0 ? ', reading nothing that others ever write' : `, reading ${places.join(', ')}`}`
  })
  return { kind, message: `${what}: ${waits.join('; ')}; ${length === 0 ? 'a declared interrupt that may come need not' : `a fair cycle of ${length} events`}`, vcpu: victim, eip: machine.eip(victim) }
}
