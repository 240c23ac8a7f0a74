/** What to call it, and what to say, when vCPUs wait for ever. */
import { AT_HALT, AT_POLL, PENDING, PENDING_ADDRESS, WAKE_CAME, WAKE_TAKEN, WAKE_WHAT } from './layout.ts'
import type { Board } from './board.ts'
import { cameTooEarly, describeWake } from './wakes.ts'

/**
 * The kind of a violation in which all who have not ended sleep or wait. Several that wait, with nobody gone who could
 * have woken them and no wake-up used up, wait for each other.
 */
export function kindOfStandstill(machine: Board): 'deadlock' | 'lost-wakeup' {
  let sleeping = 0
  let waiting = 0
  let woken = false
  for (let v = 0; v < machine.vcpuCount; v++) {
    if (machine.hasEnded(v)) continue
    waiting++
    if (!machine.sleeps(v)) continue
    sleeping++
    if (cameTooEarly(machine.quietWord(v, WAKE_WHAT))) woken = true
  }
  if (sleeping === 0) return 'deadlock'
  return woken || waiting === 1 || waiting < machine.vcpuCount ? 'lost-wakeup' : 'deadlock'
}

/** Why `vcpu` cannot go on, in words. */
export function describeWait(machine: Board, vcpu: number): string {
  if (!machine.sleeps(vcpu)) return `vCPU ${vcpu} waits (${machine.pending(vcpu)}) at ${machine.place(vcpu)}`
  if (machine.quietWord(vcpu, PENDING) === AT_POLL)
    return `vCPU ${vcpu} sleeps (XM_POLL) at ${machine.place(vcpu)} for as long as ${machine.symbolize(machine.quietWord(vcpu, PENDING_ADDRESS))} is 0`
  const how = machine.quietWord(vcpu, PENDING) === AT_HALT ? 'HLT' : 'XM_BLOCK'
  const wake = describeWake(machine.quietWord(vcpu, WAKE_WHAT), machine.quietWord(vcpu, WAKE_CAME), machine.quietWord(vcpu, WAKE_TAKEN))
  return `vCPU ${vcpu} sleeps (${how}) at ${machine.place(vcpu)}; ${wake}`
}
