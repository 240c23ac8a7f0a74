/**
 * One task of a dpor search at work. It ends explored, or cut into smaller tasks when it turns out too large: by numbers of
 * events alone, so that a search is cut in the same way whoever carries it out, and in whatever order.
 */
import type { Violation } from '../../smp/monitor.ts'
import type { Counts, Task } from '../dpor/options.ts'
import { describeEndless } from '../dpor/returns.ts'
import { DporSearch } from '../dpor/search.ts'
import { Orders } from '../orders.ts'
import type { Verdict } from '../verdict.ts'
import type { Workshop } from '../workshop.ts'

/** Events after which a task is cut, unless it is nearly done. */
export const TASK_EVENTS = 400_000
/** Tasks that one is cut into, at least, where there are so many. */
const PARTS = 16

export interface Totals extends Counts {
  events: number
  /** Events in tasks that were then cut: done again in their parts. */
  repeated: number
  /** Check points and sites to how often they were reached. */
  points: Map<number, number>
  sites: Map<string, number>
  cutByAssumption: number
  /** orders.ts. */
  orders: number[]
  weaknesses: Set<string>
}

export function noTotals(): Totals {
  return {
    complete: 0, cut: 0, discarded: 0, redundant: 0, endless: 0, events: 0, repeated: 0, points: new Map(), sites: new Map(), cutByAssumption: 0, orders: [],
    weaknesses: new Set(),
  }
}

export function addTotals(to: Totals, from: Totals): void {
  for (const key of ['complete', 'cut', 'discarded', 'redundant', 'endless', 'events', 'repeated', 'cutByAssumption'] as const) to[key] += from[key]
  for (const [point, count] of from.points) to.points.set(point, (to.points.get(point) ?? 0) + count)
  for (const [site, count] of from.sites) to.sites.set(site, (to.sites.get(site) ?? 0) + count)
  const orders = new Orders()
  orders.addAll(to.orders)
  orders.addAll(from.orders)
  to.orders = orders.list()
  for (const weakness of from.weaknesses) to.weaknesses.add(weakness)
}

/** A violation, and the way to it; where it is a run that goes on for ever, from `cycleFrom` on it goes round. */
export interface Found {
  readonly violation: Violation
  readonly schedule: readonly number[]
  readonly cycleFrom?: number
}

export type TaskEnd =
  | { readonly kind: 'explored'; readonly totals: Totals }
  | { readonly kind: 'cut'; readonly parts: readonly Task[]; readonly totals: Totals }
  | { readonly kind: 'violated'; readonly found: Found; readonly totals: Totals }
  /** More memory is shared, or more places are waited at, than was known: the search has to start again. */
  | { readonly kind: 'grown' }
  /** It cannot be explored. */
  | { readonly kind: 'failed'; readonly reason: string }

export class TaskRun {
  readonly #workshop: Workshop
  readonly #waitPlaces: Set<number>
  readonly #task: Task
  readonly #eventsMax: number
  #search: DporSearch

  constructor(workshop: Workshop, waitPlaces: Set<number>, task: Task, eventsMax: number) {
    this.#workshop = workshop
    this.#waitPlaces = waitPlaces
    this.#task = task
    this.#eventsMax = eventsMax
    const { coverage } = workshop
    coverage.points.clear()
    coverage.sites.clear()
    coverage.cut = 0
    this.#search = this.#begin(task)
  }

  get events(): number {
    return this.#search.progress().events
  }
  get executions(): number {
    return this.#search.counts().complete
  }

  /** Goes on for a slice of events; null: it has not ended. */
  advance(): TaskEnd | null {
    const more = this.#search.advance()
    // A schedule means nothing without what was known to be shared all along: a violation will be found again.
    if (this.#search.grown || this.#workshop.sharing.grown) return { kind: 'grown' }
    if (!more) return this.#end()
    if (!this.#isTooLarge()) return null
    const events = this.#search.progress().events
    const ended = cutTask((task) => this.#begin(task), this.#task, PARTS)
    if ('kind' in ended) return ended
    // There is nothing to choose from: it is explored as it is.
    if (ended.length === 1) return null
    return { kind: 'cut', parts: ended, totals: { ...noTotals(), repeated: events } }
  }

  #begin(task: Task): DporSearch {
    const sliceEvents = Math.min(65536, Math.ceil(this.#eventsMax / 8))
    return new DporSearch(this.#workshop.make, { makeAside: this.#workshop.makeAside, task, waitPlaces: this.#waitPlaces, restart: false, sliceEvents })
  }

  /** By what it has taken so far, and, early, by what it is likely to take. */
  #isTooLarge(): boolean {
    const { events } = this.#search.progress()
    const { done } = this.#search
    if (events >= this.#eventsMax) return done < 0.75 || events >= 4 * this.#eventsMax
    return events >= this.#eventsMax / 8 && events > done * 8 * this.#eventsMax
  }

  #end(): TaskEnd {
    const verdict = this.#search.verdict()
    const found = foundBy(verdict)
    const { coverage } = this.#workshop
    const totals: Totals = {
      ...noTotals(), ...this.#search.counts(), events: this.#search.progress().events, points: new Map(coverage.points),
      sites: new Map(coverage.sites), cutByAssumption: coverage.cut, orders: this.#search.orders(),
    }
    if (found !== null) return { kind: 'violated', found, totals }
    if (Object.keys(verdict.bounds).length > 0) return { kind: 'failed', reason: 'budgets are not for searches that are divided' }
    // Executions that do not end leave the rest as it is: what they come to is said of all tasks together.
    const [first, ...others] = verdict.reasons
    const endless = first === describeEndless(totals.endless)
    if (verdict.verdict !== 'holds' && !endless) return { kind: 'failed', reason: first ?? 'the task could not be explored' }
    return { kind: 'explored', totals: { ...totals, weaknesses: new Set(endless ? others : verdict.reasons) } }
  }
}

function foundBy({ violation, schedule, cycleFrom }: Verdict): Found | null {
  return violation && { violation, schedule: schedule ?? [], ...(cycleFrom === undefined ? {} : { cycleFrom }) }
}

/**
 * Cuts a task breadth-first into `parts` or more; fewer where there are not so many. Alone it comes back where it cannot be cut.
 * @returns the parts, or how it ended while it was cut
 */
export function cutTask(begin: (task: Task) => DporSearch, task: Task, parts: number): Task[] | TaskEnd {
  const whole: Task[] = []
  const open: Task[] = [task]
  while (open.length > 0 && open.length + whole.length < parts) {
    const next = open.shift()!
    const search = begin(next)
    const found = search.grown ? [] : search.split()
    if (search.grown) return { kind: 'grown' }
    const violated = foundBy(search.verdict())
    if (violated !== null) return { kind: 'violated', found: violated, totals: noTotals() }
    if (found.length === 0) whole.push(next)
    else open.push(...found)
  }
  return [...whole, ...open]
}
