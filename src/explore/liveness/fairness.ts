/**
 * What a fair run owes, and to whom. A vCPU that could always step steps, and a store that could always drain drains
 * (weak fairness). An IPI or NMI that is pending and can be taken again and again is taken (strong fairness: interrupts
 * are open at some boundaries only). Interrupts of declared sources come finitely often, and so do stale fetches and translations: views
 * catch up. Data choices and the orders of halves are anybody's. Where vCPUs share pCPUs, what one could do if it had a pCPU is owed to it all the
 * same: so a fair hypervisor runs everybody who can run again and again, and takes pCPUs away as often as that needs.
 */
import { choiceArgument, choiceKind, choiceVcpu, DRAIN, INTERRUPT, isEvent, NMI, RUN, SCHEDULE } from '../../smp/choice.ts'
import type { WayOut } from '../../cpu/wayOut.ts'
import type { Observer } from '../../smp/events.ts'
import type { Footprint } from '../../smp/footprint.ts'
import { CHOICES_MAX, type Explorable } from '../explorable.ts'

/** What liveness needs of a machine besides exploring. */
export interface Live extends Explorable {
  readonly vcpuCount: number
  /** The last step did what others can see, or got its vCPU on. */
  readonly effect: boolean
  /** vCPUs, as bits, that passed a progress mark in the last step. */
  readonly progressed: number
  readonly footprint: Footprint
  hasEnded(vcpu: number): boolean
  /** It sleeps in a loop that leads nowhere else: it owes nothing to anybody, and waits for nothing. */
  idles(vcpu: number): boolean
  /** It waits for a kick or an interrupt. */
  sleeps(vcpu: number): boolean
  isStaleView(choice: number): boolean
  kindOfStandstill(): string
  /** Told of every instruction, where there are some. */
  observer?: Observer | null
  /** Where code that goes round through these places would go otherwise; null: nowhere, it waits for nobody. */
  wayOut(vcpu: number, executed: ReadonlySet<number>): WayOut
  /** Choices that are not offered for want of a pCPU alone (smp/pcpus.ts), into `out`; how many there are. Absent: there are none. */
  heldUp?(out: Int32Array): number
  /** Why it cannot go on, for people. */
  describeWait(vcpu: number): string
  /** Where it stands, for people. */
  place(vcpu: number): string
  eip(vcpu: number): number
  /** Address of the instruction that it stands at: the one that put it to sleep, where it sleeps. */
  instructionAt(vcpu: number): number
  symbolize(address: number): string
}

/** It has ended, or idles: for now it has done all that it has to do. */
export function isThrough(machine: Live, vcpu: number): boolean {
  return machine.hasEnded(vcpu) || machine.idles(vcpu)
}

/** An obligation is a number below 4 * vCPUs: the step of a vCPU, then its drain, then its pending interrupt, then its pending NMI. */
export const NOBODY = -1

/** To whom a fair run owes `choice`; NOBODY: it is not owed. */
export function obligationOf(choice: number, vcpus: number): number {
  const kind = choiceKind(choice)
  const vcpu = choiceVcpu(choice)
  if (kind === RUN) return vcpu
  // The oldest store is owed, so in the end every one is.
  if (kind === DRAIN) return choiceArgument(choice) === 0 ? vcpus + vcpu : NOBODY
  if (kind === INTERRUPT && choiceArgument(choice) >>> 8 === 0) return 2 * vcpus + vcpu
  if (kind === NMI && choiceArgument(choice) === 0) return 3 * vcpus + vcpu
  return NOBODY
}

/** Owed if it is offered again and again; otherwise only if it is offered all the time. */
export function isStrong(obligation: number, vcpus: number): boolean {
  return obligation >= 2 * vcpus
}

/** A fair run makes this choice finitely often. */
export function isFinite(machine: Live, choice: number): boolean {
  if (choiceKind(choice) === SCHEDULE) return false
  return (isEvent(choice) && obligationOf(choice, machine.vcpuCount) === NOBODY) || machine.isStaleView(choice)
}

const SCRATCH = new Int32Array(CHOICES_MAX)

/** Something that a fair run has to do is possible, or would be with a pCPU. */
export function owesAnything(machine: Live): boolean {
  const isOwed = (choice: number) => obligationOf(choice, machine.vcpuCount) !== NOBODY && !isFinite(machine, choice)
  return SCRATCH.subarray(0, machine.enabled(SCRATCH)).some(isOwed) || SCRATCH.subarray(0, machine.heldUp?.(SCRATCH) ?? 0).some(isOwed)
}
