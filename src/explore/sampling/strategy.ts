/** How one sampled execution is scheduled: three methods, as small as a scheduler can be. */
import { choiceKind, choiceVcpu, DRAIN, RUN } from '../../smp/choice.ts'
import type { Explorable } from '../explorable.ts'

export interface Strategy {
  readonly name: string
  /** An execution begins. */
  begin(): void
  /** Which of the first `count` choices is taken. */
  pick(machine: Explorable, choices: Int32Array, count: number): number
  /** It was taken, and the execution goes on. */
  taken(machine: Explorable, choice: number): void
  /** The execution is over, after so many events. @param ended it came to its end by itself */
  end(events: number, ended: boolean): void
}

/** A random number below a bound. */
export type Draw = (below: number) => number

/** Who takes steps in an execution: each vCPU, its store buffer, its interrupt input. */
export const ACTORS_MAX = 3 * 256
export function actorOf(choice: number): number {
  const kind = choiceKind(choice)
  return 3 * choiceVcpu(choice) + (kind === RUN ? 0 : kind === DRAIN ? 1 : 2)
}

/** One of the choices of `actor`: what the environment leaves open is drawn. */
export function drawOf(actor: number, choices: Int32Array, count: number, draw: Draw): number {
  let ways = 0
  for (let k = 0; k < count; k++) if (actorOf(choices[k]) === actor) ways++
  let left = ways === 1 ? 0 : draw(ways)
  for (let k = 0; k < count; k++) if (actorOf(choices[k]) === actor && left-- === 0) return k
  throw new Error(`actor ${actor} has no choice`)
}
