/**
 * Optimal dynamic partial-order reduction with source sets and wakeup trees (Abdulla, Aronis, Jonsson,
 * Sagonas, JACM 64(4), 2017), by undo: the machine stays where the execution is, and only what differs between
 * one execution and the next is carried out. For programs whose executions end; one execution a class
 * (trail.ts) where the environment has no choices, at least one where it has.
 */
import { EIP } from '../../cpu/registers.ts'
import { choiceKind, choiceVcpu, DRAIN, INTERRUPT, NMI, packChoice, RUN } from '../../smp/choice.ts'
import { RESOURCE_VCPU } from '../../smp/footprint.ts'
import { OPEN_TO_CODE, OPEN_TO_INTERRUPTS } from '../../smp/machine.ts'
import type { Violation } from '../../smp/monitor.ts'
import { CHOICES_MAX, remake, type Limits, type Progress, type Search } from '../explorable.ts'
import { Orders } from '../orders.ts'
import type { Verdict } from '../verdict.ts'
import { Cells, GRANULES_MAX, grown, NOTHING, UNKNOWN } from './cells.ts'
import { Loops, TURN_MAX } from './loops.ts'
import type { Reducible } from './reducible.ts'
import { processOf, Trail, type OwnReads } from './trail.ts'
import { WakeupTree } from './wakeupTree.ts'

const PASSES_MAX = 1000
const SLICE_EVENTS = 65536
const EVENTS_BETWEEN_CHECKS = 1024
/** Events of one execution at the most. */
const DEPTH_MAX = 100_000

/** Ways to end of one execution. */
export interface Counts {
  /** Executions that ran to their end: one a class. */
  complete: number
  /** Stopped by an assumption. */
  cut: number
  /** A vCPU waits for what comes too late, or came too early, in this execution. */
  discarded: number
  /** Found to be equivalent to one that was explored. */
  redundant: number
}

/** Ways to break the engine on purpose; tests demand that they are noticed. */
export type Fault = 'no-drain-race' | 'no-sleep-wakeup' | 'lost-race'

export interface DporOptions extends Limits {
  readonly fault?: Fault
  /** Called at the end of each execution, with the machine standing there. */
  readonly onEnd?: (how: keyof Counts, schedule: readonly number[]) => void
  /** Explores this part only. */
  readonly task?: Task
  /** Places (EIP) where vCPUs wait, as far as they are known; it grows. */
  readonly waitPlaces?: Set<number>
  /** When something is learnt that makes it necessary to start again: stops (`grown`). */
  readonly restart?: false
}

/**
 * A part of a search: the executions that begin with `prefix`, but for those that are equivalent to one that goes on with
 * one of `sleep`. Above its end nodes are expanded fully (`split`), so that races are reversed below it only.
 */
export interface Task {
  readonly prefix: readonly number[]
  readonly sleep: readonly number[]
}

export const WHOLE: Task = { prefix: [], sleep: [] }

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
    const { events, counts, done, orders } = this.#pass
    return { states: events, events, preemptions: 0, executions: counts.complete, done, orders: { pairs: orders.pairs, both: orders.both } }
  }

  counts(): Counts {
    return this.#pass.counts
  }

  verdict(): Verdict {
    return this.#pass.verdict(this.#problem)
  }
}

class Pass {
  readonly counts: Counts = { complete: 0, cut: 0, discarded: 0, redundant: 0 }
  readonly orders = new Orders()
  events = 0
  readonly #machine: Reducible
  readonly #options: DporOptions
  readonly #started: number
  readonly #cells: Cells
  readonly #trail: Trail
  readonly #tree = new WakeupTree()
  /** Per node of the execution: the unexplored siblings (wakeupTree.ts), and where its sleep set begins. */
  #siblings = new Int32Array(256)
  #sleepAt = new Int32Array(257)
  /** Whether event d was carried out by the machine (an execution that an assumption cuts stays before it). */
  #real = new Uint8Array(256)
  /** The machine's choice that event d was: in the trail stands its name (Reducible.identify). */
  #actual = new Int32Array(256)
  /** The machine's step that it was. */
  #stepAt = new Int32Array(256)
  /** What of others could have added ways to event d (Reducible.openTo), and own stores that were buffered. */
  #open = new Uint8Array(256)
  #buffered = new Uint8Array(256)
  #anyOpen = false
  /** A vCPU waits at the node, and an interrupt was explored there: others have to be, too. */
  #more = new Uint8Array(257)
  /** Interrupts taken before event d. */
  #interrupts = new Int32Array(257)
  #stales = new Int32Array(257)
  #pruned = false
  #sleepChoice = new Int32Array(256)
  #sleepTouched = new Int32Array(256)
  #sleepOwn: (OwnReads | null)[] = []
  /** It sleeps since the task began. */
  #sleepInherited = new Uint8Array(256)
  /** Entries of the sleep sets in use. */
  #sleepers = 0
  readonly #choices = new Int32Array(CHOICES_MAX)
  readonly #loops: Loops
  /** Per node and vCPU: what it reads in vain there, if it waits (UNKNOWN: it does not). */
  #waits = new Int32Array(256)
  /** Places (EIP) where a vCPU has waited, for all passes. */
  readonly #waitPlaces: Set<number>
  #waitPlacesGrown = false
  /** Some event has been explored from the node. */
  #expanded = new Uint8Array(256)
  /** Per vCPU: it goes no further in this execution, since event d (-1: it does). */
  readonly #stopped: Int32Array
  #stoppedCount = 0
  /** Events from here on are new since the last execution ended. */
  #newFrom = 0
  /** The event that blocks (Reducible.canBeBlocked), by depth. */
  #blockable = new Uint8Array(256)
  #sequence = new Int32Array(256)
  #length = 0
  readonly #drained: Int32Array
  #anyOwn = false
  /** In some execution a vCPU works in a loop for ever. */
  #endless = false
  /** Some event could have gone another way. */
  #anyForked = false
  #entering = true
  #over = false
  #problem: string | null = null
  #violation: Violation | null = null
  #schedule: number[] | null = null
  #unreducible: string | null = null
  /** Number of events of the task's prefix, which stay. */
  #floor = 0
  /** Per node: choices whose executions are all explored. */
  #finished = new Int32Array(256)

  constructor(machine: Reducible, options: DporOptions, started: number, waitPlaces: Set<number>) {
    this.#machine = machine
    this.#options = options
    this.#started = started
    this.#waitPlaces = waitPlaces
    this.#loops = new Loops(machine)
    const vcpus = machine.vcpuCount
    this.#cells = new Cells(machine.granules)
    this.#trail = new Trail(vcpus, machine.granules.memory + 2 + vcpus, this.#cells)
    this.#stopped = new Int32Array(vcpus).fill(-1)
    this.#drained = new Int32Array(vcpus)
    this.#asleepIn = new Int32Array(vcpus * 2)
    this.#waits = new Int32Array(257 * vcpus).fill(UNKNOWN)
    for (let v = 0; v < vcpus; v++) this.#trail.startWith(v, machine.bufferedStoresOf(v))
    this.#unreducible = machine.unreducible ?? (machine.granules.memory + 2 + vcpus > GRANULES_MAX ? 'dpor does not handle so much memory; use --engine graph' : null)
    if (machine.violation !== null) this.#violated()
    else if (options.task !== undefined && this.#unreducible === null) this.#start(options.task)
  }

  #start({ prefix, sleep }: Task): void {
    for (const choice of prefix) {
      if (this.#over || !this.#enter(choice)) throw new Error('the prefix of a task cannot be carried out')
    }
    const floor = this.#trail.depth
    this.#noteOrders(0)
    this.#floor = floor
    this.#newFrom = floor
    for (const choice of sleep) {
      if (!this.#enter(choice)) throw new Error('what sleeps in a task is not enabled there')
      if (this.#over) return
      if (this.#trail.depth > floor) this.#back()
    }
    this.#sleepInherited.fill(1, 0, this.#sleepers)
    this.#expanded[floor] = 0
    this.#finished[floor] = 0
    this.#more[floor] = 0
    this.#entering = true
    this.events = 0
  }

  /** Takes a choice of the machine's that nothing is planned below. False: it is not enabled. */
  #enter(actual: number): boolean {
    const d = this.#trail.depth
    if (d + 2 > this.#siblings.length) this.#growNodes()
    const count = this.#machine.enabled(this.#choices)
    if (!this.#choices.subarray(0, count).includes(actual)) return false
    const name = this.#machine.identify(actual)
    if (this.#locate(name) !== actual) return false
    const forked = choiceKind(name) !== DRAIN && this.#machine.alternatives(choiceVcpu(name)) > 1
    this.#take(forked ? name | FORKED : name, actual, d, 0)
    return true
  }

  split(): Task[] {
    const tasks: Task[] = []
    const d = this.#floor
    if (this.#over || this.#unreducible !== null) return tasks
    const names = this.#choices.slice(0, this.#list(d))
    for (const name of names) {
      const actual = this.#locate(name)
      if (actual < 0 || !this.#goesOn(d, name) || this.#sleepsAs(d, name)) continue
      this.#enter(actual)
      if (this.#over || this.grown) return []
      if (this.#trail.depth === d) continue
      // Names are this machine's own; choices mean the same to all that stand at the same place.
      const prefix = [...this.#actual.subarray(0, d + 1)]
      const asleep = this.#sleepChoice.subarray(this.#sleepAt[d + 1], this.#sleepers)
      tasks.push({ prefix, sleep: Array.from(asleep, (one) => this.#locate(one & ~FORKED)).filter((one) => one >= 0) })
      this.#back()
    }
    return tasks
  }

  /** By Knuth's estimate: at every node of the present execution the known choices weigh the same. */
  get done(): number {
    if (this.#over) return 1
    let done = 0
    let weight = 1
    for (let d = this.#floor; d <= this.#trail.depth; d++) {
      let known = this.#finished[d] + (d < this.#trail.depth ? 1 : 0)
      for (let node = this.#siblings[d]; node !== 0; node = this.#tree.next[node]) known++
      if (known === 0) break
      done += (weight * this.#finished[d]) / known
      weight /= known
    }
    return done
  }

  stop(problem: string): void {
    this.#problem ??= problem
    this.#over = true
  }

  advance(): 'paused' | 'over' | 'grown' {
    const until = this.events + (this.#options.sliceEvents ?? SLICE_EVENTS)
    let check = this.events + EVENTS_BETWEEN_CHECKS
    if (!this.#over) this.#checkLimits()
    while (!this.#over) {
      if (this.#unreducible !== null) break
      if (!this.#step()) break
      if (this.grown && this.#violation === null) return 'grown'
      if (this.events >= check) {
        this.#checkLimits()
        check = this.events + EVENTS_BETWEEN_CHECKS
      }
      if (this.events >= until && !this.#over) return 'paused'
    }
    if (this.grown && this.#violation === null && this.#problem === null) return 'grown'
    this.#over = true
    return 'over'
  }

  /** What was explored so far took accesses or waits for something else than they are. */
  get grown(): boolean {
    return this.#machine.sharing.grown || this.#waitPlacesGrown
  }

  verdict(problem: string | null): Verdict {
    const { weaknesses } = this.#machine
    const problems = [problem, this.#problem, this.#unreducible].filter((one) => one !== null)
    const common = {
      bounds: {}, states: this.events + 1, executions: this.counts.complete, events: this.events,
      seconds: (performance.now() - this.#started) / 1000, engine: 'dpor', cost: null,
      orders: { pairs: this.orders.pairs, both: this.orders.both },
      others: { discarded: this.counts.discarded, redundant: this.counts.redundant, cut: this.counts.cut },
    }
    if (this.#violation !== null)
      return { ...common, verdict: 'violated', strength: 'complete', reasons: [], violation: this.#violation, schedule: this.#schedule }
    const unfinished = problems.length > 0 || !this.#over
    const { interrupts, stale } = this.#options
    const bounds = this.#pruned ? { ...(interrupts === undefined ? {} : { interrupts }), ...(stale === undefined ? {} : { 'stale fetches': stale }) } : {}
    return {
      ...common,
      bounds,
      ...(this.#endless || this.#pruned ? { liveness: { covered: 'none', text: this.#pruned ? 'not judged: executions beyond the bounds were left out' : 'not judged: a vCPU goes on in a loop for ever' } } : {}),
      verdict: unfinished ? 'unknown' : 'holds',
      strength: unfinished || weaknesses.size > 0 || this.#pruned ? 'bounded' : 'complete',
      reasons: [...problems, ...weaknesses],
      violation: null,
      schedule: null,
    }
  }

  /** One event further, or back. False: everything is explored. */
  #step(): boolean {
    const trail = this.#trail
    const d = trail.depth
    if (this.#entering) {
      if (d + 2 > this.#siblings.length) this.#growNodes()
      this.#entering = false
      if (this.#siblings[d] === 0 && this.#expanded[d] === 0 && !this.#choose(d)) {
        this.#end()
        return !this.#over && this.#back()
      }
    }
    if (this.#siblings[d] === 0 && this.#more[d] === 1) {
      this.#more[d] = 0
      this.#choose(d)
    }
    const node = this.#siblings[d]
    if (node === 0) return this.#back()
    this.#siblings[d] = this.#tree.next[node]
    let choice = this.#tree.choice[node] & ~FORKED
    const planned = this.#tree.touched[node] !== UNKNOWN
    const below = this.#tree.child[node]
    this.#tree.free(node)
    if (this.#sleepsSinceBegin(d, choice)) {
      // That way lies another task; what was planned may also be reached by another.
      this.#tree.freeAll(below)
      this.#entering = true
      return true
    }
    if (isInterrupt(choice) && this.#interrupts[d] >= (this.#options.interrupts ?? Infinity)) {
      this.#pruned = true
      this.#tree.freeAll(below)
      return true
    }
    const actual = this.#locate(choice)
    if (actual < 0) {
      // A fence that had nothing to wait for in this order is no event of its own.
      this.#siblings[d] = this.#splice(below, this.#siblings[d])
      return true
    }
    if (choiceKind(choice) !== DRAIN && this.#machine.alternatives(choiceVcpu(choice)) > 1) {
      if (planned) this.#addAlternatives(choice, d)
      choice |= FORKED
      this.#anyForked = true
    }
    this.#take(choice, actual, d, below)
    return true
  }

  /** The names of the choices that `vcpu` could make at node d (all: -1), within the budgets, into `#choices`; their number. */
  #list(d: number): number {
    const machine = this.#machine
    const count = machine.enabled(this.#choices)
    const { interrupts } = this.#options
    let kept = 0
    this.#someOverBudget = false
    for (let k = 0; k < count; k++) {
      const choice = this.#choices[k]
      if (interrupts !== undefined && isInterrupt(choice) && this.#interrupts[d] >= interrupts) this.#someOverBudget = true
      else this.#choices[kept++] = machine.identify(choice)
    }
    this.#pruned ||= this.#someOverBudget
    return kept
  }
  #someOverBudget = false

  /**
   * What else the process could do here, besides what was planned: other orders of halves, other data. Where
   * one of these sleeps, it may wake up before the process goes this way at all: everybody else may come first.
   */
  #addAlternatives(choice: number, d: number): void {
    const count = this.#list(d)
    const process = processOf(choice)
    const half = this.#halfAsleep(d, process, count)
    for (let k = 0; k < count; k++) {
      const other = this.#choices[k]
      if (other === choice || (processOf(other) !== process && !half) || this.#sleepsAs(d, other) || !this.#goesOn(d, other)) continue
      let known = false
      for (let node = this.#siblings[d]; node !== 0 && !known; node = this.#tree.next[node]) known = (this.#tree.choice[node] & ~FORKED) === other
      if (!known) this.#siblings[d] = this.#splice(this.#siblings[d], this.#tree.make(other, UNKNOWN, null))
    }
  }

  #sleepsAs(d: number, choice: number): boolean {
    for (let k = this.#sleepAt[d]; k < this.#sleepers; k++) if ((this.#sleepChoice[k] & ~FORKED) === choice) return true
    return false
  }

  #sleepsSinceBegin(d: number, choice: number): boolean {
    for (let k = this.#sleepAt[d]; k < this.#sleepers; k++)
      if (this.#sleepInherited[k] === 1 && (this.#sleepChoice[k] & ~FORKED) === choice) return true
    return false
  }

  /** `list` before `rest`. */
  #splice(list: number, rest: number): number {
    if (list === 0) return rest
    let last = list
    while (this.#tree.next[last] !== 0) last = this.#tree.next[last]
    this.#tree.next[last] = rest
    return list
  }

  #take(choice: number, actual: number, d: number, below: number): void {
    const machine = this.#machine
    const trail = this.#trail
    const vcpu = choiceVcpu(choice)
    const drain = choiceKind(choice) === DRAIN
    const running = machine.running()
    const before = machine.bufferedStoresOf(vcpu)
    const fenced = !drain && machine.needsDrains(actual)
    this.#blockable[d] = !drain && machine.canBeBlocked(actual) ? 1 : 0
    this.#actual[d] = actual
    this.#stepAt[d] = machine.step
    this.#open[d] = choiceKind(choice) === RUN ? machine.openTo(vcpu) : 0
    this.#buffered[d] = before
    if (this.#open[d] !== 0) this.#anyOpen = true
    const outcome = machine.take(actual)
    this.events++
    this.#cells.read(machine.footprint)
    if (machine.polls) this.#unreducible = 'dpor does not handle XM_POLL; use --engine graph'
    if (this.#cells.lifetime) this.#unreducible = 'dpor does not handle XM_FREE and XM_ALLOC; use --engine graph'
    if (outcome === 1 && !this.#isOverBudget(choice, d, fenced)) {
      this.#violation = machine.violation
      this.#schedule = [...this.#realChoices(), actual]
      this.#over = true
      return
    }
    const cut = outcome >= 1
    const quiet = !drain && outcome === 0 && machine.quiet && running && machine.running() && machine.canContinue(vcpu)
    if (!drain) this.#loops.note(d, quiet)
    if (!drain && this.#waitPlaces.size > 0 && this.#waitPlaces.has(this.#placeOf())) this.#blockable[d] = 1
    if (quiet && this.#closesTurn(d, trail.lastOf(vcpu), vcpu)) {
      // It waits: without this turn of a loop it stands where it stood, and others may change what it reads.
      this.#wait(d, vcpu)
      machine.undo()
      this.#tree.freeAll(below)
      if (this.#canInterrupt(vcpu)) this.#more[d] = 1
      this.#entering = true
      return
    }
    const stores = drain || cut ? 0 : machine.bufferedStoresOf(vcpu) - before
    if (cut) {
      // The others go on without it: what they do may show another order in which it is not cut.
      machine.undo()
      this.#stopped[vcpu] = d
      this.#stoppedCount++
    }
    this.#real[d] = cut ? 0 : 1
    const { codeSeen } = this.#cells
    trail.push(choice, stores, fenced, !running)
    this.#interrupts[d + 1] = this.#interrupts[d] + (isInterrupt(choice) ? 1 : 0)
    this.#stales[d + 1] = this.#stales[d] + (codeSeen >= 0 && trail.isStale(d, codeSeen) ? 1 : 0)
    if (this.#stales[d + 1] > (this.#options.stale ?? Infinity)) return this.#prune(d, vcpu, below)
    this.#expanded[d] = 1
    this.#expanded[d + 1] = 0
    this.#finished[d + 1] = 0
    this.#more[d + 1] = 0
    if (trail.own[d] !== null) this.#anyOwn = true
    this.#sleepAt[d + 1] = this.#sleepers
    this.#passOnSleep(d)
    this.#passOnWaits(d)
    this.#siblings[d + 1] = below
    this.#entering = true
    if (d + 2 > DEPTH_MAX) this.stop(`an execution of more than ${DEPTH_MAX} events`)
  }

  /** The event that was taken in slot d is a stale fetch too many. */
  #isOverBudget(choice: number, d: number, fenced: boolean): boolean {
    const { codeSeen } = this.#cells
    if (codeSeen < 0 || this.#options.stale === undefined || this.#stales[d] < this.#options.stale) return false
    this.#trail.push(choice, 0, fenced, false)
    const stale = this.#trail.isStale(d, codeSeen)
    this.#trail.pop()
    return stale
  }

  /** Event d is beyond a budget: as if it could not be chosen. */
  #prune(d: number, vcpu: number, below: number): void {
    this.#pruned = true
    if (this.#real[d] === 1) this.#machine.undo()
    if (this.#stopped[vcpu] === d) {
      this.#stopped[vcpu] = -1
      this.#stoppedCount--
    }
    const trail = this.#trail
    trail.pop()
    this.#tree.freeAll(below)
    this.#addSleeper(trail.choice[d], trail.touched[d], trail.own[d], 0)
    this.#sleepAt[d + 1] = this.#sleepers
    this.#entering = true
  }

  /** An interrupt or NMI could be taken now. */
  #canInterrupt(vcpu: number): boolean {
    const count = this.#machine.enabled(this.#choices)
    for (let k = 0; k < count; k++) if (isInterrupt(this.#choices[k]) && choiceVcpu(this.#choices[k]) === vcpu) return true
    return false
  }

  /** `vcpu` reads in vain at node d what the cells hold. */
  #wait(d: number, vcpu: number): void {
    this.#waits[d * this.#stopped.length + vcpu] = this.#cells.waitNumber()
    const place = this.#placeOf()
    if (this.#waitPlaces.has(place)) return
    this.#waitPlaces.add(place)
    this.#waitPlacesGrown = true
  }

  /** EIP of the event that was taken last. */
  #placeOf(): number {
    return this.#machine.eventBegins ? this.#machine.eventRegisters[EIP] : -1
  }

  #waitsAt(d: number, vcpu: number): boolean {
    return this.#waits[d * this.#stopped.length + vcpu] !== UNKNOWN
  }

  /** Who waited before event d for what it did not change waits on. */
  #passOnWaits(d: number): void {
    if (this.#waitPlaces.size === 0) return
    const vcpus = this.#stopped.length
    const trail = this.#trail
    const from = d * vcpus
    for (let v = 0; v < vcpus; v++) {
      const read = this.#waits[from + v]
      const goesOn = read === UNKNOWN || trail.process[d] >> 1 === v || this.#cells.conflict(read, trail.touched[d])
      this.#waits[from + vcpus + v] = goesOn ? UNKNOWN : read
    }
  }

  /** Whether the event in slot d brought `vcpu`, whose event before was `previous`, back to where it stood before, without effect. */
  #closesTurn(d: number, previous: number, vcpu: number): boolean {
    const steps = [this.#machine.step - 1]
    if (this.#loops.isBackAt(d, vcpu) && this.#machine.restored(steps)) return true
    let event = previous
    for (let k = 0; k < TURN_MAX && event >= 0 && this.#loops.isQuiet(event); k++) {
      steps.unshift(this.#stepAt[event])
      if (this.#loops.isBackAt(event, vcpu) && this.#machine.restored(steps)) return true
      event = this.#trail.previousOf(event)
    }
    return false
  }

  /** Who slept before event d and is independent of it sleeps on. */
  #passOnSleep(d: number): void {
    const trail = this.#trail
    const from = this.#sleepAt[d]
    const to = this.#sleepAt[d + 1]
    for (let k = from; k < to; k++) {
      if (this.#options.fault !== 'no-sleep-wakeup') {
        if (this.#clash(this.#sleepChoice[k], this.#sleepTouched[k], this.#sleepOwn[k], trail.choice[d], trail.touched[d], trail.own[d], trail.drained)) continue
      } else if (processOf(this.#sleepChoice[k]) === trail.process[d]) continue
      this.#addSleeper(this.#sleepChoice[k], this.#sleepTouched[k], this.#sleepOwn[k], this.#sleepInherited[k])
    }
  }

  /** Whether two events that are possible in one state are dependent there. */
  #clash(a: number, aTouched: number, aOwn: OwnReads | null, b: number, bTouched: number, bOwn: OwnReads | null, drained: Int32Array): boolean {
    const aVcpu = choiceVcpu(a)
    const bVcpu = choiceVcpu(b)
    if (aVcpu === bVcpu) {
      const aDrain = choiceKind(a) === DRAIN
      const bDrain = choiceKind(b) === DRAIN
      if (aDrain === bDrain) return true
      return aDrain ? this.#cells.ownConflict(bTouched, aTouched) : this.#cells.ownConflict(aTouched, bTouched)
    }
    if (aOwn === null && bOwn === null) return this.#cells.conflict(aTouched, bTouched)
    return this.#trail.dependent(aTouched, aOwn, aVcpu, bTouched, bOwn, bVcpu, drained)
  }

  #addSleeper(choice: number, touched: number, own: OwnReads | null, inherited: number): void {
    const at = this.#sleepers++
    if (at === this.#sleepChoice.length) {
      this.#sleepChoice = grown(this.#sleepChoice)
      this.#sleepTouched = grown(this.#sleepTouched)
      const flags = new Uint8Array(this.#sleepInherited.length * 2)
      flags.set(this.#sleepInherited)
      this.#sleepInherited = flags
    }
    this.#sleepChoice[at] = choice
    this.#sleepTouched[at] = touched
    this.#sleepOwn[at] = own
    this.#sleepInherited[at] = inherited
  }

  /** Goes back over the last event, which sleeps from now on. False: there is none. */
  #back(): boolean {
    const trail = this.#trail
    if (trail.depth === this.#floor) return false
    const d = trail.depth - 1
    this.#finished[d]++
    const choice = trail.choice[d]
    const touched = trail.touched[d]
    const own = trail.own[d]
    if (this.#real[d] === 1) this.#machine.undo()
    const vcpu = choiceVcpu(choice)
    if (this.#stopped[vcpu] === d) {
      this.#stopped[vcpu] = -1
      this.#stoppedCount--
    }
    trail.pop()
    this.#sleepers = this.#sleepAt[d + 1]
    this.#addSleeper(choice, touched, own, 0)
    this.#sleepAt[d + 1] = this.#sleepers
    if (d < this.#newFrom) this.#newFrom = d
    return true
  }

  /** The machine's choice of that name; -1: it is not enabled, or its vCPU goes no further. */
  #locate(name: number): number {
    if (choiceKind(name) !== DRAIN && this.#stopped[choiceVcpu(name)] >= 0) return -1
    return this.#machine.locate(name)
  }

  /** Picks whom to run where nothing is planned: all alternatives of one process that does not sleep. False: none. */
  #choose(d: number): boolean {
    const only = this.#onlyWay(d)
    if (only >= 0) {
      this.#siblings[d] = this.#tree.make(only, UNKNOWN, null)
      this.#more[d] = 0
      return true
    }
    const count = this.#list(d)
    let picked = -1
    let first = -1
    let half = -1
    const last = d > 0 ? this.#trail.process[d - 1] & ~1 : -1
    for (let k = 0; k < count && picked < 0; k++) {
      const process = processOf(this.#choices[k])
      if (!this.#goesOn(d, this.#choices[k]) || this.#sleepsAs(d, this.#choices[k])) continue
      if (this.#halfAsleep(d, process, count)) half = process
      else if (process === last) picked = process
      else if (first < 0 || ((first & 1) === 1 && (process & 1) === 0)) first = process
    }
    if (picked < 0) picked = first
    if (picked < 0 && half < 0) {
      this.#someAsleep = false
      for (let k = 0; k < count && !this.#someAsleep; k++) {
        this.#someAsleep = this.#goesOn(d, this.#choices[k])
      }
      return false
    }
    let tail = 0
    for (let k = 0; k < count; k++) {
      if ((picked >= 0 && processOf(this.#choices[k]) !== picked) || !this.#goesOn(d, this.#choices[k]) || this.#sleepsAs(d, this.#choices[k])) continue
      const node = this.#tree.make(this.#choices[k], UNKNOWN, null)
      if (tail === 0) this.#siblings[d] = node
      else this.#tree.next[tail] = node
      tail = node
    }
    // Of a vCPU that waits only interrupts were picked: the others have their turn after them.
    this.#more[d] = picked >= 0 && (picked & 1) === 0 && this.#waitsAt(d, picked >> 1) ? 1 : 0
    return true
  }
  #someAsleep = false

  /** As `#choose`, where the process picked has one way to go; -1: it takes a closer look. */
  #onlyWay(d: number): number {
    const machine = this.#machine
    if (!machine.running()) return -1
    const vcpus = this.#stopped.length
    const round = ++this.#round
    for (let k = this.#sleepAt[d]; k < this.#sleepers; k++) this.#asleepIn[processOf(this.#sleepChoice[k])] = round
    const last = d > 0 ? this.#trail.process[d - 1] >> 1 : 0
    for (let k = -1; k < vcpus; k++) {
      const v = k < 0 ? last : k
      if (this.#stopped[v] >= 0 || this.#waitsAt(d, v) || !machine.canContinue(v)) continue
      // An alternative that sleeps may leave others that do not.
      if (machine.alternatives(v) > 1) return -1
      if (this.#asleepIn[v * 2] !== round) return packChoice(RUN, v)
    }
    for (let v = 0; v < vcpus; v++) {
      if (machine.alternatives(v) > 1) return -1
      if (this.#asleepIn[v * 2 + 1] !== round && machine.bufferedStoresOf(v) > 0) return packChoice(DRAIN, v)
    }
    return -1
  }
  #round = 0
  /** By process: the round of `#onlyWay` in which it slept. */
  readonly #asleepIn: Int32Array

  /** Some alternatives of the process sleep, and some do not. */
  #halfAsleep(d: number, process: number, count: number): boolean {
    for (let k = 0; k < count; k++) if (processOf(this.#choices[k]) === process && this.#sleepsLightly(d, this.#choices[k])) return true
    return false
  }

  /** The choice sleeps, and others may wake it. */
  #sleepsLightly(d: number, choice: number): boolean {
    for (let k = this.#sleepAt[d]; k < this.#sleepers; k++)
      if ((this.#sleepChoice[k] & ~FORKED) === choice) return this.#cells.concernsOthers(this.#sleepTouched[k])
    return false
  }

  /** The vCPU that would make this choice has not been stopped in this execution, and does not wait at node d. */
  #goesOn(d: number, choice: number): boolean {
    const vcpu = choiceVcpu(choice)
    return choiceKind(choice) === DRAIN || (this.#stopped[vcpu] < 0 && (isInterrupt(choice) || !this.#waitsAt(d, vcpu)))
  }

  /** The execution ends here: plans the reversals of its races. */
  #end(): void {
    const trail = this.#trail
    const node = trail.depth
    const ending = this.#ending(node)
    if (ending === 'deadlock') return
    this.counts[ending]++
    this.#options.onEnd?.(ending, this.#realChoices())
    for (let d = this.#newFrom; d < trail.depth; d++)
      if (this.#blockable[d] === 1) this.#reverseAwait(d)
      else for (let k = trail.raceAt[d]; k < trail.raceAt[d + 1]; k++) this.#reverse(trail.races[k], d)
    if (this.#anyOpen) for (let d = Math.max(this.#newFrom, 1); d < trail.depth; d++) this.#reverseOpens(d)
    this.#noteOrders(this.#newFrom)
    if (this.#over) return
    this.#newFrom = trail.depth
    for (let v = 0; v < this.#stopped.length; v++) if (this.#waitsAt(node, v)) this.#reverseWait(v)
  }

  /** Of the events from `from` on. */
  #noteOrders(from: number): void {
    const trail = this.#trail
    for (let d = from; d < trail.depth; d++)
      for (let k = trail.raceAt[d]; k < trail.raceAt[d + 1]; k++) this.orders.note(this.#partyOf(trail.races[k]), this.#partyOf(d))
  }

  #partyOf(d: number): number {
    return Orders.party(this.#trail.process[d], this.#cells.first(this.#trail.touched[d]))
  }

  #ending(node: number): keyof Counts | 'deadlock' {
    if (this.#someAsleep) return 'redundant'
    if (this.#stoppedCount > 0 || this.#someOverBudget) return 'cut'
    const waiting: number[] = []
    for (let v = 0; v < this.#stopped.length; v++) if (this.#waitsAt(node, v)) waiting.push(v)
    if (waiting.length === 0) return 'complete'
    const loops = waiting.map((v) => this.#loopOf(v))
    if (loops.includes('leaves')) return 'discarded'
    if (!loops.includes('waits')) {
      this.#endless = true
      return 'complete'
    }
    const who = waiting.map((v) => `vCPU ${v} at ${this.#machine.symbolize(this.#machine.registersOf(v)[EIP])}`)
    const eip = this.#machine.registersOf(waiting[0])[EIP] >>> 0
    this.#violation = { kind: 'deadlock', message: `nobody can go on: ${who.join('; ')} in a loop that waits for others`, vcpu: waiting[0], eip }
    this.#schedule = this.#realChoices()
    this.#over = true
    return 'deadlock'
  }

  /**
   * The loop that `vcpu` is in, with what memory holds now: it leaves it; it waits in it for others for ever; or it goes
   * on in it for ever where it stores, and loads nothing that others could change: it works there, for all that is known, and does not wait.
   */
  #loopOf(vcpu: number): 'leaves' | 'waits' | 'works' {
    const machine = this.#machine
    const from = this.#trail.depth
    const first = machine.step
    let back = false
    const { observer, privateStores, foreignLoads } = machine
    machine.observer = () => {}
    let looks = false
    let taken = 0
    while (!back && taken < 2 * TURN_MAX && machine.canContinue(vcpu)) {
      taken++
      if (machine.take(packChoice(RUN, vcpu)) !== 0 || !machine.quiet) break
      looks ||= machine.footprint.hasLoads()
      this.#loops.note(from + taken - 1, true)
      for (let d = from; d < from + taken && !back; d++) {
        if (!this.#loops.isBackAt(d, vcpu)) continue
        back = machine.restored(Array.from({ length: from + taken - d }, (_, k) => first + d - from + k))
      }
    }
    while (taken-- > 0) machine.undo()
    machine.observer = observer
    return !back ? 'leaves' : looks || machine.foreignLoads > foreignLoads || machine.privateStores === privateStores ? 'waits' : 'works'
  }

  /** `vcpu` waits to the end: plans the executions in which it came in time for what others have changed since. */
  #reverseWait(vcpu: number): void {
    const machine = this.#machine
    const trail = this.#trail
    const d = trail.depth
    const run = packChoice(RUN, vcpu)
    const name = machine.identify(run)
    const fenced = machine.needsDrains(run)
    machine.take(run)
    this.#cells.read(machine.footprint)
    machine.undo()
    if (d + 2 > this.#siblings.length) this.#growNodes()
    this.#real[d] = 0
    trail.push(name, 0, fenced, false)
    this.#reverseAwait(d)
    trail.pop()
  }

  /**
   * Event d of a vCPU may be possible only after some of the writes that it conflicts with: plans the execution in
   * which it comes as late as it can, but before one of them.
   */
  #reverseAwait(d: number): void {
    const trail = this.#trail
    const vcpu = trail.process[d] >> 1
    const previous = trail.previousOf(d)
    for (let e = d - 1; e >= 0; e--) {
      if (trail.process[e] >> 1 === vcpu || !this.#cells.conflict(trail.touched[e], trail.touched[d]) || !trail.before(e, d)) continue
      if (previous >= 0 && trail.before(e, previous)) continue
      if (this.#reverse(e, d)) return
    }
  }

  /**
   * Plans an execution in which event `d` comes before event `e`, unless one is explored or planned already.
   * False: `d` is not possible there.
   */
  #reverse(e: number, d: number): boolean {
    const trail = this.#trail
    if (e < this.#floor) return true
    if (this.#options.fault === 'lost-race' && (d & 3) === 3) return true
    if (this.#options.fault === 'no-drain-race' && (trail.process[d] & 1) === 1 && (trail.process[e] & 1) === 0) return true
    if (this.#sequence.length < trail.depth) this.#sequence = new Int32Array(trail.choice.length)
    let length = 0
    for (let x = e + 1; x < trail.depth; x++) if (x !== d && !trail.before(e, x)) this.#sequence[length++] = x
    this.#sequence[length++] = d
    this.#length = length
    if ((this.#blockable[d] === 1 || this.#real[d] === 0) && !this.#reaches(e)) return false
    for (let k = this.#sleepAt[e]; k < this.#sleepAt[e + 1]; k++) {
      this.#resetDrained(e)
      const at = this.#initial(this.#sleepChoice[k], this.#sleepTouched[k], this.#sleepOwn[k])
      // Another task explores what begins with what sleeps since this one began; but it plans nothing here, for
      // executions in which that does not come first after all.
      if (at >= 0 || (at === INDEPENDENT && this.#sleepInherited[k] === 0)) return true
    }
    this.#insert(e)
    return true
  }

  /** Stores drained before event `e`, for conflicts with forwarded loads. */
  #resetDrained(e: number): void {
    if (!this.#anyOwn) return
    const trail = this.#trail
    this.#drained.set(trail.drained)
    for (let x = e; x < trail.depth; x++) if ((trail.process[x] & 1) === 1) this.#drained[trail.process[x] >> 1]--
  }

  /** Place in the sequence of an event that may come first there; INDEPENDENT: it is not in it, and could go before it; CLASH. */
  #initial(choice: number, touched: number, own: OwnReads | null): number {
    const trail = this.#trail
    const process = processOf(choice)
    const drained = this.#drained
    // Of alternatives, one alone stands for nothing that goes another way.
    let result = (choice & FORKED) === 0 ? INDEPENDENT : CLASH
    let restore = 0
    for (let k = 0; k < this.#length; k++) {
      const x = this.#sequence[k]
      if (trail.process[x] === process) {
        result = ((trail.choice[x] ^ choice) & ~FORKED) === 0 ? k : CLASH
        break
      }
      if (touched === UNKNOWN || (touched !== NOTHING && this.#clash(choice, touched, own, trail.choice[x], trail.touched[x], trail.own[x], drained))) {
        result = CLASH
        break
      }
      if (this.#anyOwn && (trail.process[x] & 1) === 1) {
        drained[trail.process[x] >> 1]++
        restore = k + 1
      }
    }
    if (restore > 0)
      for (let k = 0; k < restore; k++) {
        const x = this.#sequence[k]
        if ((trail.process[x] & 1) === 1) drained[trail.process[x] >> 1]--
      }
    return result
  }

  /** Adds the sequence to the wakeup tree of node `e`. */
  #insert(e: number): void {
    const tree = this.#tree
    const trail = this.#trail
    this.#resetDrained(e)
    let parent = 0
    let first = this.#siblings[e]
    for (;;) {
      let last = 0
      let matched = 0
      for (let node = first; node !== 0; node = tree.next[node]) {
        last = node
        const at = this.#initial(tree.choice[node], tree.touched[node], tree.own[node])
        if (at === CLASH) continue
        if (at >= 0) {
          this.#length--
          for (let k = at; k < this.#length; k++) this.#sequence[k] = this.#sequence[k + 1]
        }
        matched = node
        break
      }
      if (matched === 0) {
        let at = last
        for (let k = 0; k < this.#length; k++) {
          const x = this.#sequence[k]
          const node = tree.make(trail.choice[x], trail.touched[x], trail.own[x])
          if (k === 0) {
            if (last !== 0) tree.next[last] = node
            else if (parent !== 0) tree.child[parent] = node
            else this.#siblings[e] = node
          } else tree.child[at] = node
          at = node
        }
        return
      }
      // Below what is planned everything is free, unless some alternatives sleep there: then the way is shown.
      if (this.#length === 0 || (tree.child[matched] === 0 && !this.#anyForked)) return
      if (choiceKind(tree.choice[matched]) === DRAIN) this.#drained[choiceVcpu(tree.choice[matched])]++
      parent = matched
      first = tree.child[matched]
    }
  }

  /** Whether the sequence can be carried out from node `e`, by trying. */
  #reaches(e: number): boolean {
    const machine = this.#machine
    const trail = this.#trail
    this.#goBackTo(e)
    let taken = 0
    let possible = true
    for (let k = 0; k < this.#length && possible; k++) {
      const choice = machine.locate(trail.choice[this.#sequence[k]] & ~FORKED)
      possible = choice >= 0
      if (!possible) break
      if (k === this.#length - 1) {
        const vcpu = choiceVcpu(choice)
        const outcome = machine.take(choice)
        this.#loops.note(trail.depth, machine.quiet)
        const previous = trail.previousOf(this.#sequence[k])
        possible = outcome !== 0 || !machine.quiet || !machine.canContinue(vcpu) || !this.#closesTurn(trail.depth, previous, vcpu)
        machine.undo()
        break
      }
      taken++
      this.#stepAt[this.#sequence[k]] = machine.step
      if (machine.take(choice) !== 0) break
    }
    while (taken-- > 0) machine.undo()
    this.#comeBackFrom(e)
    return possible
  }

  /** Brings the machine to node e of the present execution, and back to its end. */
  #goBackTo(e: number): void {
    for (let x = this.#trail.depth - 1; x >= e; x--) if (this.#real[x] === 1) this.#machine.undo()
  }
  #comeBackFrom(e: number): void {
    for (let x = e; x < this.#trail.depth; x++) {
      this.#stepAt[x] = this.#machine.step
      if (this.#real[x] === 1) this.#machine.take(this.#actual[x])
    }
  }

  /** Plans the executions in which event d came early enough for others to go another way, if it can add ways to their events. */
  #reverseOpens(d: number): void {
    const trail = this.#trail
    const process = trail.process[d]
    if ((process & 1) === 0 && trail.codeWrites[d] === 0 && !this.#cells.concernsOthers(trail.touched[d])) return
    for (let e = d - 1; e >= this.#floor; e--) {
      if (this.#open[e] === 0 || trail.before(e, d)) continue
      const vcpu = trail.process[e] >> 1
      const arrives =
        (this.#open[e] & OPEN_TO_INTERRUPTS) !== 0 &&
        (process === vcpu * 2 + 1 ? this.#buffered[e] > 0 : process >> 1 !== vcpu && this.#cells.writesResource(trail.touched[d], RESOURCE_VCPU + vcpu))
      const writes = (this.#open[e] & OPEN_TO_CODE) !== 0 && trail.codeWrites[d] > 0
      if (arrives || writes) this.#openWays(e, d)
      if (this.#over) return
    }
  }

  /** Plans the ways that the process of event e has only when what came between, up to event d, has come before it. */
  #openWays(e: number, d: number): void {
    const machine = this.#machine
    const trail = this.#trail
    const vcpu = trail.process[e] >> 1
    if (this.#sequence.length < trail.depth + 1) this.#sequence = new Int32Array(trail.choice.length)
    this.#goBackTo(e)
    const before = this.#waysOf(vcpu, e)
    const sequence: number[] = []
    const taken: number[] = []
    for (let x = e; x <= d; x++) {
      if (this.#real[x] === 0 || trail.before(e, x)) continue
      const choice = machine.locate(trail.choice[x] & ~FORKED)
      if (choice < 0) break
      sequence.push(x)
      taken.push(choice)
      if (machine.take(choice) === 0) continue
      if (machine.violation !== null) {
        this.#violation = machine.violation
        this.#schedule = [...this.#realChoices().slice(0, this.#realBefore(e)), ...taken]
        this.#over = true
        return
      }
      break
    }
    if (sequence.at(-1) === d) {
      for (const name of this.#waysOf(vcpu, e)) {
        if (before.includes(name)) continue
        machine.take(machine.locate(name))
        this.#cells.read(machine.footprint)
        machine.undo()
        const at = trail.depth
        trail.choice[at] = name | FORKED
        trail.process[at] = vcpu * 2
        trail.touched[at] = this.#cells.number()
        trail.own[at] = null
        this.#sequence.set(sequence)
        this.#sequence[sequence.length] = at
        this.#length = sequence.length + 1
        let slept = false
        for (let k = this.#sleepAt[e]; k < this.#sleepAt[e + 1] && !slept; k++) {
          this.#resetDrained(e)
          const first = this.#initial(this.#sleepChoice[k], this.#sleepTouched[k], this.#sleepOwn[k])
          slept = first >= 0 || (first === INDEPENDENT && this.#sleepInherited[k] === 0)
        }
        if (!slept) this.#insert(e)
      }
    }
    for (let k = 0; k < sequence.length; k++) machine.undo()
    this.#comeBackFrom(e)
  }

  /** Names of the ways that `vcpu` can go where the machine stands, with the budget of node e. */
  #waysOf(vcpu: number, e: number): number[] {
    const count = this.#list(e)
    return Array.from(this.#choices.subarray(0, count)).filter((choice) => choiceVcpu(choice) === vcpu && choiceKind(choice) !== DRAIN)
  }

  /** Events before node e that the machine carried out. */
  #realBefore(e: number): number {
    let count = 0
    for (let x = 0; x < e; x++) count += this.#real[x]
    return count
  }

  #realChoices(): number[] {
    const choices: number[] = []
    for (let d = 0; d < this.#trail.depth; d++) if (this.#real[d] === 1) choices.push(this.#actual[d])
    return choices
  }

  #violated(): void {
    this.#violation = this.#machine.violation
    this.#schedule = this.#realChoices()
    this.#over = true
  }

  #checkLimits(): void {
    const { seconds, events, memory } = this.#options
    if (memory?.isOver() === true) this.stop(memory.reason)
    if (seconds !== undefined && (performance.now() - this.#started) / 1000 > seconds) this.stop('the time was over')
    if (events !== undefined && this.events > events) this.stop('the limit of events was reached')
  }

  #growWaits(): void {
    const waits = new Int32Array((this.#siblings.length + 1) * this.#stopped.length).fill(UNKNOWN)
    waits.set(this.#waits)
    this.#waits = waits
  }

  #growNodes(): void {
    this.#siblings = grown(this.#siblings)
    this.#actual = grown(this.#actual)
    this.#stepAt = grown(this.#stepAt)
    this.#interrupts = grown(this.#interrupts)
    this.#stales = grown(this.#stales)
    this.#sleepAt = grown(this.#sleepAt)
    this.#finished = grown(this.#finished)
    const flags = (from: Uint8Array) => {
      const to = new Uint8Array(from.length * 2)
      to.set(from)
      return to
    }
    this.#real = flags(this.#real)
    this.#blockable = flags(this.#blockable)
    this.#expanded = flags(this.#expanded)
    this.#open = flags(this.#open)
    this.#buffered = flags(this.#buffered)
    this.#more = flags(this.#more)
    this.#growWaits()
  }
}

const isInterrupt = (choice: number): boolean => choiceKind(choice) === INTERRUPT || choiceKind(choice) === NMI

/** Mark on a choice: the process could have gone another way there. */
const FORKED = 1 << 30
const INDEPENDENT = -1
const CLASH = -2
