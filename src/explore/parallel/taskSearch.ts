/**
 * A dpor search as a list of tasks: here, one after the other, or by workers, each of which takes the next when it has done
 * one. What is left of the list, and the sums so far, are all that has to be kept to go on another day (`save`), or to have
 * it done by several machines (`shard`). Sums do not depend on who does what when.
 */
import type { Learnt } from '../../smp/sharing.ts'
import { WHOLE, type Counts, type Task } from '../dpor/options.ts'
import { DporSearch } from '../dpor/search.ts'
import type { Limits, Progress, Search } from '../explorable.ts'
import { describeEndless } from '../dpor/returns.ts'
import { Orders } from '../orders.ts'
import type { Verdict } from '../verdict.ts'
import type { Workshop } from '../workshop.ts'
import type { FromWorker, Port } from './protocol.ts'
import { addTotals, cutTask, noTotals, TASK_EVENTS, TaskRun, type Found, type TaskEnd, type Totals } from './taskRun.ts'
import { teach } from './worker.ts'

const RESTARTS_MAX = 1000
/** Parts of a search for each of several machines. */
const PARTS_A_SHARD = 16

/** Part `index` of `of`, from 1. */
export interface Shard {
  readonly index: number
  readonly of: number
}

interface Weighted {
  readonly task: Task
  /** Part of the whole, by Knuth's estimate. */
  readonly weight: number
}

/** All that is needed to go on. */
export interface SavedTasks {
  readonly tasks: readonly Weighted[]
  readonly totals: Totals
  readonly learnt: Learnt
  readonly waitPlaces: readonly number[]
  readonly done: number
  readonly seconds: number
  readonly found: Found | null
  /** Nothing is explored yet, but something is known: `tasks` is empty because they have still to be listed. */
  readonly fresh?: boolean
}

export interface TaskOptions {
  readonly limits: Limits
  readonly ports?: readonly Port[]
  readonly shard?: Shard
  readonly saved?: SavedTasks
  readonly taskEvents?: number
}

export class TaskSearch implements Search {
  readonly #workshop: Workshop
  readonly #limits: Limits
  readonly #shard: Shard | null
  readonly #taskEvents: number
  readonly #ports: readonly Port[]
  /** By port: what it is at, null: nothing; and events and executions that it has reported of it. */
  readonly #underWay: (Weighted | null)[]
  readonly #live: { events: number; executions: number }[]
  readonly #waitPlaces = new Set<number>()
  readonly #started = performance.now()
  readonly #secondsBefore: number
  #pending: Weighted[] = []
  #run: TaskRun | null = null
  #totals = noTotals()
  #done = 0
  #epoch = 0
  #restarts = 0
  #over = false
  #problem: string | null = null
  #found: SavedTasks['found'] = null
  #wake: (() => void) | null = null
  /** Something was said since the last turn. */
  #news = false

  constructor(workshop: Workshop, { limits, ports = [], shard, saved, taskEvents = TASK_EVENTS }: TaskOptions) {
    this.#workshop = workshop
    this.#limits = limits
    this.#shard = shard ?? null
    this.#taskEvents = taskEvents
    this.#ports = ports
    this.#underWay = ports.map(() => null)
    this.#live = ports.map(() => ({ events: 0, executions: 0 }))
    this.#secondsBefore = saved?.seconds ?? 0
    ports.forEach((port, k) => {
      port.onMessage = (message) => this.#receive(k, message)
      port.post({ kind: 'begin', image: workshop.image, knobs: workshop.model.knobs, taskEvents })
    })
    if (saved !== undefined) teach(workshop, this.#waitPlaces, saved)
    if (saved === undefined || saved.fresh === true) this.#begin()
    else {
      this.#pending = [...saved.tasks]
      addTotals(this.#totals, saved.totals)
      this.#done = saved.done
      this.#found = saved.found
      this.#over = saved.found !== null
      this.#announce()
    }
  }

  /** Lists the tasks from the start, with what is known by now. */
  #begin(): void {
    this.#run = null
    this.#totals = noTotals()
    this.#done = 0
    this.#pending = [{ task: WHOLE, weight: 1 }]
    if (this.#shard !== null) {
      const { index, of } = this.#shard
      const make = (task: Task) => new DporSearch(this.#workshop.make, { task, waitPlaces: this.#waitPlaces, restart: false })
      const parts = cutTask(make, WHOLE, of * PARTS_A_SHARD)
      this.#workshop.coverage.points.clear()
      this.#workshop.coverage.sites.clear()
      if ('kind' in parts) return this.#ended(parts, { task: WHOLE, weight: 1 })
      this.#pending = parts.filter((_, k) => k % of === index - 1).map((task, _, mine) => ({ task, weight: 1 / mine.length }))
    }
    this.#announce()
  }

  /** Tells the workers what is known. */
  #announce(): void {
    this.#epoch++
    const knowledge = { learnt: this.#workshop.sharing.learnt(), waitPlaces: [...this.#waitPlaces] }
    for (const port of this.#ports) port.post({ kind: 'learnt', epoch: this.#epoch, knowledge })
    this.#underWay.fill(null)
    for (const live of this.#live) live.events = live.executions = 0
  }

  advance(): boolean {
    this.#news = false
    this.#checkLimits()
    if (this.#over) return this.#close()
    if (this.#ports.length === 0) this.#advanceHere()
    else this.#handOut()
    return this.#over ? this.#close() : true
  }

  #close(): false {
    for (const port of this.#ports) port.close()
    return false
  }

  #advanceHere(): void {
    const next = this.#pending.at(-1)
    if (next === undefined) {
      this.#over = true
      return
    }
    this.#run ??= new TaskRun(this.#workshop, this.#waitPlaces, next.task, this.#taskEvents)
    const end = this.#run.advance()
    if (end === null) return
    this.#run = null
    this.#pending.pop()
    this.#ended(end, next)
  }

  #handOut(): void {
    this.#ports.forEach((port, k) => {
      if (this.#underWay[k] !== null) return
      const next = this.#pending.pop()
      if (next === undefined) return
      this.#underWay[k] = next
      port.post({ kind: 'task', epoch: this.#epoch, task: next.task })
    })
    if (this.#underWay.every((task) => task === null)) this.#over = true
  }

  #receive(k: number, message: FromWorker): void {
    if (message.kind === 'broken') {
      this.#problem ??= `a worker failed: ${message.message}`
      this.#over = true
    } else if (message.epoch === this.#epoch && !this.#over) {
      if (message.kind === 'progress') {
        this.#live[k].events = message.events
        this.#live[k].executions = message.executions
      } else {
        const task = this.#underWay[k]!
        this.#underWay[k] = null
        this.#live[k].events = this.#live[k].executions = 0
        // What two workers saw, each a part of it, may be shared only by both together.
        const grown = message.knowledge !== null && teach(this.#workshop, this.#waitPlaces, message.knowledge)
        this.#ended(grown ? { kind: 'grown' } : message.end, task)
      }
    }
    this.#news = true
    this.#wake?.()
  }

  #ended(end: TaskEnd, { weight }: Weighted): void {
    switch (end.kind) {
      case 'explored':
        addTotals(this.#totals, end.totals)
        this.#done += weight
        return
      case 'cut':
        addTotals(this.#totals, end.totals)
        for (const task of end.parts.toReversed()) this.#pending.push({ task, weight: weight / end.parts.length })
        return
      case 'violated':
        addTotals(this.#totals, end.totals)
        this.#found = end.found
        this.#over = true
        return
      case 'grown':
        this.#workshop.sharing.grown = false
        if (this.#restarts++ < RESTARTS_MAX) return this.#begin()
        this.#problem = 'the set of shared memory did not settle'
        this.#over = true
        return
      case 'failed':
        this.#problem = end.reason
        this.#over = true
    }
  }

  /** Until a worker has something to say; null where nobody else works. */
  waiting(): Promise<void> | null {
    if (this.#ports.length === 0 || this.#over || this.#news) return null
    return new Promise((resolve) => (this.#wake = resolve))
  }

  stop(): void {
    this.#problem ??= 'the search was interrupted'
    this.#over = true
    this.#wake?.()
  }

  #checkLimits(): void {
    const { seconds, events, memory } = this.#limits
    if (this.#over) return
    if (seconds !== undefined && (performance.now() - this.#started) / 1000 > seconds) this.#problem = 'the time was over'
    if (events !== undefined && this.#totals.events + this.#totals.repeated > events) this.#problem = 'the limit of events was reached'
    if (memory?.isOver() === true) this.#problem = memory.reason
    if (this.#problem !== null) this.#over = true
  }

  /** What has been explored so far, in such a way that a search can be made that goes on from there. */
  save(): SavedTasks {
    const underWay = this.#underWay.filter((task) => task !== null)
    return {
      tasks: [...this.#pending, ...underWay], totals: this.#totals, learnt: this.#workshop.sharing.learnt(), waitPlaces: [...this.#waitPlaces],
      done: this.#done, seconds: this.seconds, found: this.#found,
    }
  }

  get seconds(): number {
    return this.#secondsBefore + (performance.now() - this.#started) / 1000
  }
  /** Every task has been explored, or a violation was found. */
  get complete(): boolean {
    return this.#over && this.#problem === null
  }

  counts(): Counts {
    return this.#totals
  }

  /** What was reached, for coverage. */
  get reached(): Totals {
    return this.#totals
  }

  progress(): Progress {
    const live = this.#live.reduce((sum, one) => sum + one.events, this.#run?.events ?? 0)
    const executions = this.#live.reduce((sum, one) => sum + one.executions, this.#run?.executions ?? 0)
    const events = this.#totals.events + this.#totals.repeated + live
    return { states: events, events, preemptions: 0, executions: this.#totals.complete + executions, done: this.#done }
  }

  verdict(): Verdict {
    return taskVerdict(this.#totals, this.#found, this.#over ? this.#problem : 'the search has not ended', this.seconds)
  }
}

/** The verdict of all tasks together. */
export function taskVerdict(totals: Totals, found: SavedTasks['found'], problem: string | null, seconds: number): Verdict {
  const orders = new Orders()
  orders.addAll(totals.orders)
  const common = {
    orders: { pairs: orders.pairs, both: orders.both },
    bounds: {}, states: totals.events + 1, executions: totals.complete, events: totals.events, seconds, engine: 'dpor', cost: null,
    others: { discarded: totals.discarded, redundant: totals.redundant, cut: totals.cut, endless: totals.endless },
  }
  if (found !== null)
    return { ...common, verdict: 'violated', strength: 'complete', reasons: [], ...found }
  const problems = [problem, totals.endless === 0 ? null : describeEndless(totals.endless)].filter((one) => one !== null)
  return {
    ...common,
    verdict: problems.length === 0 ? 'holds' : 'unknown',
    strength: problems.length > 0 || totals.weaknesses.size > 0 ? 'bounded' : 'complete',
    reasons: [...problems, ...totals.weaknesses],
    violation: null,
    schedule: null,
  }
}
