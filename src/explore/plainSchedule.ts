/** Schedules of a search in which turns of loops were taken at once (smp/spins.ts), as the plain machine takes them. */
import type { Machine } from '../smp/machine.ts'

export interface PlainSchedule {
  readonly schedule: readonly number[]
  readonly cycleFrom?: number
}

/** @param machine at the start, of the same search */
export function plainSchedule(machine: Machine, { schedule, cycleFrom }: PlainSchedule): PlainSchedule {
  const plain: number[] = []
  let from = cycleFrom
  schedule.forEach((choice, step) => {
    if (step === cycleFrom) from = plain.length
    machine.take(choice)
    for (let events = Math.max(1, machine.spun); events > 0; events--) plain.push(choice)
  })
  return { schedule: plain, ...(from === undefined ? {} : { cycleFrom: from }) }
}
