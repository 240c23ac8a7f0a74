/** One event of the present execution: a record of the trail, used again for whatever stands at its place later. */
import type { Act } from './act.ts'

export interface Event {
  act: Act
  /** Number of the event among those of its process, from 1, and the entry of its process in clocks. */
  index: number
  slot: number
  /** The event of the same process before it; -1: none. */
  previous: number
  /** Races (earlier events): trail.races[raceAt] .. [raceEnd]. */
  raceAt: number
  raceEnd: number
  /** It has one race, and what else comes before it does so through that, or its process, before that: it could come first there. */
  couldBeFirst: boolean
  fenceAfter: boolean
  /** Stores enqueued by it, and writes to code. */
  stores: number
  codeWrites: number
  /** Number of accesses before it. */
  accessAt: number
  /** The machine carried it out (an execution that an assumption cuts stays before it). */
  real: boolean
  /** The machine's choice that it was: `act` has its name (Reducible.identify); and the machine's step. */
  actual: number
  stepAt: number
  /** It can block (Reducible.canBeBlocked). */
  blockable: boolean
  /** What it touches depends on what it reads, or on what comes after that. */
  varies: boolean
}

export const NO_ACT: Act = { choice: 0, process: 0, touched: 0, own: null, reads: 0, writes: 0 }

export function makeEvent(): Event {
  return {
    act: NO_ACT, index: 0, slot: 0, previous: -1, raceAt: 0, raceEnd: 0, couldBeFirst: false, fenceAfter: false, stores: 0, codeWrites: 0, accessAt: 0,
    real: false, actual: 0, stepAt: 0, blockable: false, varies: false,
  }
}
