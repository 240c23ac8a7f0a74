/**
 * Chooses an engine by letting them show what they can do: no measure of a program tells beforehand whether it has few states or few
 * classes of executions. Graph goes first, then dpor, with ever larger budgets in turns: whoever comes to an end first has
 * spent a third of the time or more. Where the time is short, the rest of it is for samples.
 */
import type { Progress, Search } from './explorable.ts'
import type { Verdict } from './verdict.ts'

/** Events of the first turn of each engine. */
const FIRST_EVENTS = 200_000
/** Part of a limited time that goes to engines that can end. */
const EXHAUSTIVE_SHARE = 0.75

export interface Contender {
  readonly name: string
  /** How long an event of it takes, beside those of others; default 1. */
  readonly eventCost?: number
  /** @param seconds that it has; absent: as long as it takes */
  readonly start: (seconds?: number) => Search
}

export interface AutoOptions {
  readonly exhaustive: readonly Contender[]
  /** What the rest of a limited time is for, and what is left when none gives an answer; null: nothing. */
  readonly sampling: Contender | null
  readonly seconds?: number
  /** Events of the first turn. */
  readonly firstEvents?: number
}

interface Running {
  readonly name: string
  readonly search: Search
  readonly eventCost: number
  /** Its verdict where it is over, and no answer. */
  failed: Verdict | null
}

export class AutoSearch implements Search {
  readonly #options: AutoOptions
  readonly #started = performance.now()
  readonly #running: Running[] = []
  #turn = 0
  #budget: number
  #until: number
  #winner: Running | null = null
  #why = ''
  #sampling: Running | null = null
  #interrupted = false

  constructor(options: AutoOptions) {
    this.#options = options
    this.#budget = options.firstEvents ?? FIRST_EVENTS
    this.#until = this.#budget
  }

  /** The engine whose verdict is given. */
  get engine(): string {
    return this.#answering.name
  }

  advance(): boolean {
    if (this.#winner !== null || this.#interrupted) return false
    const { seconds = Infinity } = this.#options
    const elapsed = (performance.now() - this.#started) / 1000
    if (this.#sampling !== null) return this.#sample(this.#sampling)
    const contender = this.#present()
    if (contender === null) return this.#allFailed()
    if (elapsed > seconds) return this.#timeIsOver()
    if (this.#options.sampling !== null && elapsed > seconds * EXHAUSTIVE_SHARE) {
      this.#startSampling(this.#options.sampling, seconds - elapsed, `no engine had come to an end in ${Math.round(elapsed)} s: the rest of the time was for samples`)
      return true
    }
    if (contender.search.advance()) {
      const { events, work = events } = contender.search.progress()
      if (work * contender.eventCost >= this.#until) this.#next()
      return true
    }
    const verdict = contender.search.verdict()
    if (verdict.verdict === 'unknown') {
      contender.failed = verdict
      this.#next()
      return true
    }
    this.#winner = contender
    this.#why = this.#reasonOf(contender)
    return false
  }

  stop(): void {
    this.#interrupted = true
    for (const { search, failed } of [...this.#running, ...(this.#sampling === null ? [] : [this.#sampling])]) if (failed === null) search.stop()
  }

  progress(): Progress {
    return this.#running.length === 0 ? { states: 0, events: 0, preemptions: 0 } : this.#answering.search.progress()
  }

  verdict(): Verdict {
    if (this.#running.length === 0) this.#present()
    const verdict = this.#answering.search.verdict()
    return { ...verdict, chosen: this.#why === '' ? `${this.#answering.name}: the search was left before an engine had come to an end` : this.#why }
  }

  /** The engine whose turn it is; null: none can go on. */
  #present(): Running | null {
    const { exhaustive } = this.#options
    if (this.#turn < exhaustive.length && this.#running.length === this.#turn) {
      const { name, start, eventCost = 1 } = exhaustive[this.#turn]
      this.#running.push({ name, search: start(), eventCost, failed: null })
    }
    const open = this.#running.filter((one) => one.failed === null)
    return open.length === 0 && this.#running.length === exhaustive.length ? null : this.#running[this.#turn % this.#running.length]
  }

  #next(): void {
    const { exhaustive } = this.#options
    for (let k = 0; k < exhaustive.length; k++) {
      this.#turn++
      if (this.#turn >= exhaustive.length && this.#turn % exhaustive.length === 0) {
        this.#budget *= 2
        this.#until += this.#budget
      }
      if (this.#turn < exhaustive.length || this.#running[this.#turn % exhaustive.length].failed === null) return
    }
  }

  #reasonOf(winner: Running): string {
    const others = this.#running.filter((one) => one !== winner)
    const alone = this.#options.exhaustive.length === 1 ? `${winner.name}: what was asked for needs it` : `${winner.name}: it came to an end within its first ${this.#until} events`
    if (others.length === 0) return alone
    const states = others.map(({ name, search, failed }) => (failed === null ? `${name} was still at it after ${search.progress().events} events` : `${name} could not: ${failed.reasons[0] ?? 'no answer'}`))
    return `${winner.name}: it came to an end after ${winner.search.progress().events} events; ${states.join('; ')}`
  }

  #allFailed(): boolean {
    if (this.#options.sampling === null) {
      this.#winner = this.#running[0]
      this.#why = this.#reasonOf(this.#winner)
      return false
    }
    const { seconds = Infinity } = this.#options
    const left = seconds - (performance.now() - this.#started) / 1000
    this.#startSampling(this.#options.sampling, left, this.#running.map(({ name, failed }) => `${name} gave no answer: ${failed?.reasons[0] ?? ''}`).join('; '))
    return true
  }

  #timeIsOver(): boolean {
    for (const { search, failed } of this.#running) if (failed === null) search.stop()
    // Of samples there would be none.
    this.#winner = this.#running[0]
    this.#why = `${this.#winner.name}: no engine had come to an end when the time was over`
    return false
  }

  #startSampling({ name, start }: Contender, seconds: number, why: string): void {
    this.#sampling = { name, search: start(seconds === Infinity ? undefined : seconds), eventCost: 1, failed: null }
    this.#why = why
  }

  #sample(sampling: Running): boolean {
    if (sampling.search.advance()) return true
    for (const one of this.#running) if (one.failed === null) one.search.stop()
    // A bound that was covered says more than samples do.
    const bounded = this.#running.find((one) => (one.failed ?? one.search.verdict()).verdict === 'holds')
    const sampled = sampling.search.verdict().verdict
    // Samples that say nothing: what is known of the others says where the time went.
    const other = bounded ?? (sampled === 'unknown' ? this.#running[0] : undefined)
    this.#winner = sampled === 'violated' ? sampling : (other ?? sampling)
    this.#why = `${this.#winner.name}: ${this.#why}`
    return false
  }

  get #answering(): Running {
    return this.#winner ?? this.#sampling ?? this.#running.find((one) => one.failed === null) ?? this.#running[0]
  }
}
