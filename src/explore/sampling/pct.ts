/**
 * Probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi, Nagarakatte, ASPLOS 2010): actors have random priorities, the
 * highest one that can goes on, and at d - 1 random events the one that would go on falls to the bottom. In executions of k
 * events of n actors a bug of depth d is found with probability 1 / (n k^(d - 1)) at least. Depth is the number of orders
 * between events that suffice for it.
 *
 * Store buffers and interrupt inputs are actors like vCPUs. A vCPU that spins is taken as one that is blocked: it comes to a state
 * again by itself, and waits until somebody does what it could see.
 */
import type { Explorable } from '../explorable.ts'
import { actorOf, ACTORS_MAX, drawOf, type Draw, type Strategy } from './strategy.ts'

/** What the executions of one depth add up to. */
export interface Guarantee {
  readonly depth: number
  readonly executions: number
  /** The most that were seen in one execution that ended. */
  readonly actors: number
  readonly steps: number
  /** Upper bound of the probability that a bug of this depth was missed in all of them. */
  readonly missed: number
}

const PRIORITY_BITS = 24

export class Pct implements Strategy {
  readonly name: string
  readonly #depth: number
  readonly #draw: Draw
  /** Events of the longest execution that ended, of all strategies. */
  readonly #steps: () => number
  readonly #priorities = new Float64Array(ACTORS_MAX)
  readonly #waits = new Uint8Array(ACTORS_MAX)
  #actors = new Set<number>()
  #actorsMax = 1
  #changes: number[] = []
  #event = 0
  /** States that the actor which goes on has come to, alone. */
  readonly #own = new Set<number>()
  #last = -1
  #executions = 0
  #logMissed = 0
  #k = 1

  constructor(depth: number, draw: Draw, steps: () => number) {
    this.name = `pct:${depth}`
    this.#depth = depth
    this.#draw = draw
    this.#steps = steps
  }

  begin(): void {
    for (const actor of this.#actors) this.#priorities[actor] = this.#waits[actor] = 0
    this.#actors = new Set()
    this.#own.clear()
    this.#last = -1
    this.#event = 0
    this.#k = Math.max(1, this.#steps())
    const changes = new Set<number>()
    while (changes.size < Math.min(this.#depth - 1, this.#k)) changes.add(this.#draw(this.#k))
    this.#changes = [...changes]
  }

  pick(_machine: Explorable, choices: Int32Array, count: number): number {
    let best = this.#highest(choices, count)
    // Everybody waits for somebody: nobody is told from the others.
    if (best < 0) {
      this.#waits.fill(0)
      best = this.#highest(choices, count)
    }
    const change = this.#changes.indexOf(this.#event)
    if (change >= 0) {
      // Below all that were drawn; of those that fell, the one of the first drawn change point is lowest.
      this.#priorities[best] = (change + 1) / (this.#changes.length + 1)
      best = this.#highest(choices, count)
    }
    this.#event++
    return drawOf(best, choices, count, this.#draw)
  }

  #highest(choices: Int32Array, count: number): number {
    let best = -1
    for (let k = 0; k < count; k++) {
      const actor = actorOf(choices[k])
      if (!this.#actors.has(actor)) {
        this.#actors.add(actor)
        this.#priorities[actor] = 1 + this.#draw(1 << PRIORITY_BITS)
      }
      if (this.#waits[actor] === 0 && (best < 0 || this.#priorities[actor] > this.#priorities[best])) best = actor
    }
    return best
  }

  taken(machine: Explorable, choice: number): void {
    const actor = actorOf(choice)
    if (actor !== this.#last) this.#own.clear()
    this.#last = actor
    // Arrivals have no order among themselves to keep: each is drawn anew.
    if (actor % 3 === 2) this.#priorities[actor] = 1 + this.#draw(1 << PRIORITY_BITS)
    const { effect } = machine as { effect?: boolean }
    if (effect !== false) this.#wakeOthers(actor)
    const state = machine.store.h0 * 2 ** 20 + (machine.store.h1 & 0xfffff)
    if (this.#own.has(state)) this.#waits[actor] = 1
    this.#own.add(state)
  }

  #wakeOthers(actor: number): void {
    for (const other of this.#actors) if (other !== actor) this.#waits[other] = 0
  }

  end(events: number, ended: boolean): void {
    if (!ended || events > this.#k) return
    this.#actorsMax = Math.max(this.#actorsMax, this.#actors.size)
    this.#executions++
    this.#logMissed += Math.log1p(-1 / (this.#actorsMax * this.#k ** (this.#depth - 1)))
  }

  guarantee(): Guarantee {
    return { depth: this.#depth, executions: this.#executions, actors: this.#actorsMax, steps: this.#k, missed: Math.exp(this.#logMissed) }
  }
}
