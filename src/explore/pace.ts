/**
 * How a search goes on in slices, and when it looks at the clock: often enough to keep to its time however slow its events are, seldom enough to
 * cost nothing. Work is counted in events of about the same length (`workOf`).
 */
import type { Limits } from './explorable.ts'

/** Work between two returns to whoever drives the search. */
const SLICE_WORK = 65536
/** With `returnsSoon`. */
const SLICE_MS = 100
/** Between two looks at the clock, about. */
const APART_MS = 20
const APART_WORK_MAX = 4096

export class Pace {
  /** Work as the last whole slice ended: the clock has no part in it. */
  done = 0
  readonly #limits: Limits
  readonly #started: number
  #pauseAt = 0
  #lookAt = 0
  #apart = 1
  #resumed = 0
  #now: number
  #returns = false

  /** @param started `performance.now()` where the time of the search began */
  constructor(limits: Limits, started: number = performance.now()) {
    this.#limits = limits
    this.#started = started
    this.#now = started
  }

  /** Goes on with the slice that was left, or with the next. */
  resume(work: number): void {
    this.#resumed = this.#now = performance.now()
    this.#returns = false
    if (work >= this.#pauseAt) this.#pauseAt = work + (this.#limits.sliceEvents ?? SLICE_WORK)
  }

  /** It is time to return. */
  pauses(work: number): boolean {
    if (work >= this.#pauseAt) this.done = work
    return this.#returns || work >= this.#pauseAt
  }

  /** It was time to look at the clock, and limits may be looked at. */
  looks(work: number): boolean {
    if (work < this.#lookAt) return false
    const before = this.#now
    this.#now = performance.now()
    this.#apart = this.#now - before > APART_MS ? Math.max(1, this.#apart >> 1) : Math.min(APART_WORK_MAX, this.#apart * 2)
    this.#lookAt = work + this.#apart
    this.#returns = this.#limits.returnsSoon === true && this.#now - this.#resumed > SLICE_MS
    return true
  }

  /** By the last look. */
  get timeIsOver(): boolean {
    return (this.#now - this.#started) / 1000 > (this.#limits.seconds ?? Infinity)
  }
}
