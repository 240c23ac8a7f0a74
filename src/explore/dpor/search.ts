/**
 * Optimal dynamic partial-order reduction with source sets and wakeup trees (Abdulla, Aronis, Jonsson,
 * Sagonas, JACM 64(4), 2017), by undo: the machine stays where the execution is, and only what differs between
 * one execution and the next is carried out. For programs whose executions end; one execution a class
 * (trail.ts) where the environment has no choices, at least one where it has.
 *
 * What is learnt on the way (that memory is shared, that a vCPU waits at a place) makes it start again: a search is passes.
 */
import { remake, type Progress, type Search } from '../explorable.ts'
import type { Verdict } from '../verdict.ts'
import type { Counts, DporOptions, Task } from './options.ts'
import { Pass } from './pass.ts'
import type { Reducible } from './reducible.ts'

const PASSES_MAX = 1000

export class DporSearch implements Search {
  readonly #makeMachine: () => Reducible
  readonly #options: DporOptions
  readonly #started = performance.now()
  #machine: Reducible
  #pass: Pass
  readonly #waitPlaces: Set<number>
  /** It stopped because it has to start again. */
  grown = false
  #passes = 1
  #problem: string | null = null

  constructor(makeMachine: () => Reducible, options: DporOptions = {}) {
    this.#makeMachine = makeMachine
    this.#options = options
    this.#waitPlaces = options.waitPlaces ?? new Set()
    this.#machine = makeMachine()
    this.#pass = new Pass(this.#machine, options, this.#started, this.#waitPlaces)
  }

  advance(): boolean {
    const outcome = this.#pass.advance()
    if (outcome !== 'grown') return outcome === 'paused'
    if (this.#options.restart === false) {
      this.grown = true
      return false
    }
    if (this.#passes++ === PASSES_MAX) {
      this.#problem = 'the set of shared memory did not settle'
      return false
    }
    this.#machine = remake(this.#machine, this.#makeMachine)
    this.#pass = new Pass(this.#machine, this.#options, this.#started, this.#waitPlaces)
    return true
  }

  stop(): void {
    this.#pass.stop('the search was interrupted')
  }

  /**
   * Instead of exploring: the parts that the task consists of, one for each choice at its end. None: it has ended there, or the
   * search is over (a violation, `grown`).
   */
  split(): Task[] {
    const tasks = this.#pass.split()
    this.grown = this.#pass.grown
    return tasks
  }

  /** Orders of conflicting accesses, orders.ts. */
  orders(): number[] {
    return this.#pass.orders.list()
  }

  /** Estimate of the part of the search that is done, 0..1. */
  get done(): number {
    return this.#pass.done
  }

  progress(): Progress {
    const { events, workDone: work, counts, done, orders } = this.#pass
    return { states: events, events, work, preemptions: 0, executions: counts.complete, done, orders: { pairs: orders.pairs, both: orders.both } }
  }

  counts(): Counts {
    return this.#pass.counts
  }

  verdict(): Verdict {
    return this.#pass.verdict(this.#problem)
  }
}
