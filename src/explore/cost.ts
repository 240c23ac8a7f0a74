/**
 * The price of a schedule: preemptions, then environment choices, then delayed drains, compared in that order
 * and packed into one number (10 bits each, saturating).
 */
import { choiceKind, choiceVcpu, DESCHEDULE, DRAIN } from '../smp/choice.ts'
import type { Explorable } from './explorable.ts'

export interface Cost {
  readonly preemptions: number
  readonly environment: number
  readonly delays: number
}

const FIELD_MAX = 1023
const PREEMPTION = 1 << 20
const ENVIRONMENT = 1 << 10

/** Price of taking `choice` when `current` ran last (-1: nobody has). */
export function costOf(machine: Explorable, choice: number, current: number): number {
  if (choiceKind(choice) === DRAIN) return 0
  const vcpu = choiceVcpu(choice)
  // A preemption leaves a vCPU that could have gone on.
  if (choiceKind(choice) === DESCHEDULE) return machine.canContinue(vcpu) ? PREEMPTION : 0
  let cost = 0
  if (current >= 0 && current !== vcpu && machine.canContinue(current)) cost += PREEMPTION
  if (machine.isEnvironmentChoice(choice)) cost += ENVIRONMENT
  if (machine.bufferedStores() > 0) cost += 1
  return cost
}

export function addCost(a: number, b: number): number {
  if (b === 0) return a
  const preemptions = Math.min(FIELD_MAX, (a >>> 20) + (b >>> 20))
  const environment = Math.min(FIELD_MAX, ((a >>> 10) & FIELD_MAX) + ((b >>> 10) & FIELD_MAX))
  return preemptions * PREEMPTION + environment * ENVIRONMENT + Math.min(FIELD_MAX, (a & FIELD_MAX) + (b & FIELD_MAX))
}

export function unpackCost(cost: number): Cost {
  return { preemptions: cost >>> 20, environment: (cost >>> 10) & FIELD_MAX, delays: cost & FIELD_MAX }
}
