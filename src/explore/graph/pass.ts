/**
 * Explicit-state search, least cost first. A node is a machine state together with the vCPU that ran last
 * (leaving it may be a preemption). Nodes of one cost are explored depth-first with undo; a successor of higher
 * cost waits in the bucket of its cost. So the first violation is a least one, and when the search is cut short
 * all levels before the present one are covered. Without that order (`byCost`) a node is a state, and buckets keep the
 * search from going deep.
 */
import { choiceVcpu, isEvent } from '../../smp/choice.ts'
import { addCost, costOf, unpackCost } from '../cost.ts'
import { CHOICES_MAX, workOf, type Explorable, type Limits, type Progress } from '../explorable.ts'
import { generator } from '../generator.ts'
import type { Live } from '../liveness/fairness.ts'
import { endedOf, HELD_UP, isLive, Labeller, StateGraph, throughOf } from '../liveness/stateGraph.ts'
import { CHOICE_WORDS, END, ENDED, FIRST, FRAME_WORDS, Frames, KEEPS, NEXT, STATE } from './frames.ts'
import { Pace } from '../pace.ts'
import { NodeTable } from './nodeTable.ts'
import { checkPlaces, fits, type SavedPass } from './savedPass.ts'
import { Sources } from '../sources.ts'
import type { Verdict } from '../verdict.ts'

/** Events that a search without order goes deep before it goes wide. */
const STRIPE_EVENTS = 256

/** One pass over the graph, with what is known to be shared when it begins. */
export class Pass {
  readonly #machine: Explorable
  readonly #limits: Limits
  readonly #started: number
  #nodes: NodeTable
  readonly #buckets = new Map<number, number[]>()
  readonly #choices = new Int32Array(CHOICES_MAX)
  /** Nodes from the root to where the machine is. */
  readonly #path: number[] = []
  /** Nodes of the present descent that have choices left; the first belongs to path[floor - 1]. */
  readonly #frames = new Frames()
  readonly graph: StateGraph | null
  readonly #labeller: Labeller | null
  /** Per state: its transitions are being kept, or have been. */
  #kept = new Uint8Array(1024)
  readonly #sources = new Sources()
  readonly #random: (() => number) | null
  readonly #byCost: boolean
  readonly #pace: Pace
  #floor = 0
  #passMs = 0
  #events = 0
  /** Events that only lead back to a node. */
  #retaken = 0
  #executions = 0
  #level = 0
  #stopped: string | null = null
  #found = -1
  #foundChoice = -1
  #budgetAfterGrowth = -1
  #pruned = false

  constructor(machine: Explorable, limits: Limits, started: number, edgesMax: number, byCost: boolean) {
    this.#byCost = byCost
    this.#nodes = new NodeTable(byCost)
    this.#machine = machine
    this.#limits = limits
    this.#started = started
    this.#pace = new Pace(limits, started)
    this.#random = limits.seed === undefined ? null : generator(limits.seed)
    const live = edgesMax > 0 && isLive(machine) ? machine : null
    this.graph = live && new StateGraph(edgesMax, live.vcpuCount)
    this.#labeller = live && new Labeller(live)
    if (machine.violation !== null) return
    const root = this.#nodes.add(machine.store.h0, machine.store.h1, -1, -1, 0, 0, -1)
    this.#path.push(root)
    this.#buckets.set(0, [root])
  }

  stop(): void {
    this.#stopped ??= 'interrupted'
  }

  save(): SavedPass {
    const frames = this.#frames
    const waiting: number[] = []
    for (const [cost, bucket] of this.#buckets) for (const node of bucket) waiting.push(cost, node)
    const end = frames.length === 0 ? 0 : frames.rows[(frames.length - 1) * FRAME_WORDS + END]
    const least = this.#found >= 0 ? { node: this.#found, choice: this.#foundChoice, price: this.#level } : this.#least
    return {
      byCost: this.#byCost,
      nodes: this.#nodes.save(),
      waiting: Int32Array.from(waiting),
      path: Int32Array.from(this.#path),
      floor: this.#floor,
      frames: {
        rows: frames.rows.slice(0, frames.length * FRAME_WORDS),
        choices: frames.choices.slice(0, end),
      },
      kept: this.#kept.slice(),
      graph: this.graph?.save() ?? null,
      level: this.#level,
      events: this.#events,
      retaken: this.#retaken,
      executions: this.#executions,
      least: least === null ? [] : [least.node, least.choice, least.price],
      weaknesses: [...this.#machine.weaknesses],
      sources: this.#sources.save(),
    }
  }

  /** @throws RangeError where it is of another program, or damaged */
  restore(saved: SavedPass): void {
    const machine = this.#machine
    const { nodes, path, floor, frames, waiting, least, level } = saved
    fits(saved.byCost === this.#byCost && (saved.graph === null) === (this.graph === null) && machine.violation === null)
    const table = new NodeTable(this.#byCost)
    table.restore(nodes)
    fits(table.find(machine.store.h0, machine.store.h1, -1) === 0)
    checkPlaces(saved, table)
    const depth = frames.rows.length / FRAME_WORDS
    this.graph?.restore(saved.graph!, table.states)
    this.#nodes = table
    this.#path.length = 0
    this.#buckets.clear()
    for (let k = 0; k < waiting.length; k += 2) this.#bucket(waiting[k]).push(waiting[k + 1])
    this.#path.push(0)
    for (const node of path.subarray(1)) {
      const choice = table.choice(node)
      fits(this.#isEnabled(choice) && machine.take(choice) === 0)
      fits(
        this.#byCost ? table.findState(machine.store.h0, machine.store.h1) === table.state(node) : table.find(machine.store.h0, machine.store.h1, -1) === node,
      )
      this.#path.push(node)
    }
    this.#frames.length = depth
    this.#frames.rows = withRoom(frames.rows)
    this.#frames.choices = withRoom(frames.choices)
    this.#kept = saved.kept.slice()
    this.#floor = floor
    this.#level = level
    this.#events = saved.events
    this.#retaken = saved.retaken
    this.#executions = saved.executions
    this.#sources.restore(saved.sources)
    for (const weakness of saved.weaknesses) (machine.weaknesses as Set<string>).add(weakness)
    if (least.length === 3) {
      const [node, choice, price] = least
      this.#least = { node, choice, price }
      if (price === level) [this.#found, this.#foundChoice] = [node, choice]
    }
  }

  /** Every state was expanded, with all its choices. */
  get isWhole(): boolean {
    return this.#stopped === null && !this.#pruned && this.#least === null && this.#machine.violation === null && this.#frames.length === 0
  }

  stateOf(h0: number, h1: number): number {
    return this.#nodes.findState(h0, h1)
  }

  progress(): Progress {
    return {
      states: this.#nodes.states,
      events: this.#events,
      work: this.#pace.done,
      preemptions: unpackCost(this.#level).preemptions,
    }
  }

  /** Goes on for a slice of events. */
  advance(): 'done' | 'grown' | 'paused' {
    const from = performance.now()
    const outcome = this.#goOn()
    this.#passMs += performance.now() - from
    return outcome
  }

  #goOn(): 'done' | 'grown' | 'paused' {
    const machine = this.#machine
    if (machine.violation === null) {
      this.#pace.resume(workOf(this.#events, machine))
      this.#checkMemory()
      if (this.#frames.length > 0) this.#descend()
      while (this.#frames.length === 0 && this.#advanceLevel());
      if (this.#frames.length > 0 && this.#stopped === null && this.#found < 0) return 'paused'
    }
    const cut = this.#stopped === 'limit' || this.#stopped === 'interrupted'
    return machine.sharing.grown && !cut ? 'grown' : 'done'
  }

  /** Takes up the next waiting node; false: there is none, or the search is over. */
  #advanceLevel(): boolean {
    if (this.#stopped !== null || this.#found >= 0) return false
    const cost = this.#nextLevel()
    if (cost < 0 || (this.#least !== null && cost >= this.#least.price)) return false
    this.#level = cost
    if (unpackCost(cost).preemptions > (this.#limits.preemptions ?? Infinity)) {
      this.#pruned = true
      return false
    }
    const bucket = this.#buckets.get(cost)!
    const node = bucket.pop()!
    if (bucket.length === 0) this.#buckets.delete(cost)
    if (this.#nodes.expanded(node) || this.#nodes.cost(node) !== cost) return true
    this.#goTo(node)
    if (this.#stopped !== null) return false
    this.#floor = this.#path.length
    this.#expand()
    this.#descend()
    return true
  }

  #nextLevel(): number {
    let least = -1
    for (const [cost, bucket] of this.#buckets) if (bucket.length > 0 && (least < 0 || cost < least)) least = cost
    return least
  }

  /** Depth-first from where the frames stand, along successors of the same cost, until done or the slice is over. */
  #descend(): void {
    const machine = this.#machine
    const frames = this.#frames
    const nodes = this.#nodes
    const labeller = this.#labeller
    const cost = this.#level
    while (frames.length > 0) {
      // What is left stays, for a search that is kept and gone on with.
      if (this.#stopped !== null || this.#found >= 0) return
      const row = (frames.length - 1) * FRAME_WORDS
      const { rows } = frames
      const at = rows[row + NEXT]
      if (at === rows[row + END]) {
        if (rows[row + KEEPS] === 1) this.graph!.add(rows[row + STATE], rows[row + ENDED], frames.choices, rows[row + FIRST], at, CHOICE_WORDS)
        frames.length--
        if (this.#path.length > this.#floor) {
          this.#path.pop()
          machine.undo()
        }
        continue
      }
      if (this.#pace.pauses(workOf(this.#events, machine))) return
      rows[row + NEXT] = at + CHOICE_WORDS
      if (frames.choices[at + 1] === HELD_UP) continue
      const node = this.#path[this.#path.length - 1]
      const choice = frames.choices[at]
      const current = nodes.current(node)
      const price = this.#byCost ? addCost(cost, costOf(machine, choice, current)) : Math.floor(this.#path.length / STRIPE_EVENTS)
      this.#tick()
      const keeps = rows[row + KEEPS] === 1
      if (keeps) labeller!.before(choice)
      const outcome = machine.take(choice)
      if (keeps) {
        frames.choices[at + 2] = labeller!.after()
      }
      if (outcome === 1) {
        this.#reportLater(node, choice, price)
        machine.undo()
        continue
      }
      if (outcome === 2) {
        this.#executions++
        machine.undo()
        continue
      }
      const last = this.#byCost && isEvent(choice) ? choiceVcpu(choice) : current
      const { h0, h1 } = machine.store
      const child = nodes.find(h0, h1, last)
      if (child >= 0) {
        if (keeps) frames.choices[at + 1] = nodes.state(child)
        if (nodes.expanded(child) || nodes.cost(child) <= price) {
          this.#executions++
          machine.undo()
          continue
        }
        nodes.reparent(child, node, choice, price, nodes.depth(node) + 1)
      }
      const id = child >= 0 ? child : nodes.add(h0, h1, node, choice, price, nodes.depth(node) + 1, last)
      if (child < 0) {
        if (keeps) frames.choices[at + 1] = nodes.state(id)
        this.#sources.count(choice, price - cost)
      }
      if (price === cost) {
        this.#path.push(id)
        this.#expand()
      } else {
        this.#bucket(price).push(id)
        machine.undo()
      }
    }
  }

  /** A violation is reported when its level comes: a cheaper one may still be found. */
  #reportLater(node: number, choice: number, price: number): void {
    this.#executions++
    const known = this.#least
    if (known === null || price < known.price) this.#least = { node, choice, price }
    if (price === this.#level) {
      this.#found = node
      this.#foundChoice = choice
    }
  }
  #least: { node: number; choice: number; price: number } | null = null

  #expand(): void {
    const node = this.#path[this.#path.length - 1]
    this.#nodes.markExpanded(node)
    const count = this.#machine.enabled(this.#choices)
    if (count === 0) this.#executions++
    const choices = this.#choices
    if (this.#random !== null)
      for (let k = count - 1; k > 0; k--) {
        const other = this.#random() % (k + 1)
        ;[choices[k], choices[other]] = [choices[other], choices[k]]
      }
    const state = this.#nodes.state(node)
    const keeps = this.graph !== null && !this.graph.full && !this.#isKept(state)
    const live = this.#machine as Live
    const heldUp = keeps ? (live.heldUp?.(choices.subarray(count)) ?? 0) : 0
    if (keeps) this.graph!.exited |= endedOf(live)
    this.#frames.push(state, keeps, keeps ? throughOf(live) : 0, choices, count, count + heldUp)
  }

  #isKept(state: number): boolean {
    if (state >= this.#kept.length) {
      const kept = new Uint8Array(Math.max(state + 1, this.#kept.length * 2))
      kept.set(this.#kept)
      this.#kept = kept
    }
    const known = this.#kept[state] === 1
    this.#kept[state] = 1
    return known
  }

  /** Brings the machine to `node`: undo to the common ancestor, then its choices again. */
  #goTo(node: number): void {
    const nodes = this.#nodes
    const route: number[] = []
    let at = node
    while (this.#path[nodes.depth(at)] !== at) {
      route.push(at)
      at = nodes.parent(at)
    }
    while (this.#path.length > nodes.depth(at) + 1) {
      this.#path.pop()
      this.#machine.undo()
    }
    for (let k = route.length - 1; k >= 0; k--) {
      // With more memory known to be shared, the way there may be another. The pass is void anyway.
      if (this.#machine.sharing.grown && !this.#isEnabled(nodes.choice(route[k]))) {
        this.#stopped = 'grown'
        return
      }
      this.#machine.take(nodes.choice(route[k]))
      this.#events++
      this.#retaken++
      this.#path.push(route[k])
    }
  }

  #isEnabled(choice: number): boolean {
    return this.#choices.subarray(0, this.#machine.enabled(this.#choices)).includes(choice)
  }

  #bucket(cost: number): number[] {
    let bucket = this.#buckets.get(cost)
    if (bucket === undefined) this.#buckets.set(cost, (bucket = []))
    return bucket
  }

  #tick(): void {
    this.#events++
    const machine = this.#machine
    if (machine.sharing.grown) {
      // Learn a little more before the pass is started again: shared memory rarely comes alone.
      if (this.#budgetAfterGrowth < 0) this.#budgetAfterGrowth = this.#events + Math.max(2000, this.#events)
      else if (this.#events > this.#budgetAfterGrowth) this.#stopped = 'grown'
    }
    const limits = this.#limits
    if (this.#nodes.states > (limits.states ?? Infinity) || this.#events > (limits.events ?? Infinity)) this.#stopped = 'limit'
    if (!this.#pace.looks(workOf(this.#events, machine))) return
    this.#checkMemory()
    if (this.#pace.timeIsOver) this.#stopped = 'limit'
  }

  #checkMemory(): void {
    const { memory } = this.#limits
    if (memory?.isOver() !== true) return
    this.#stopped = 'limit'
    this.#outOfMemory = memory.reason
  }
  #outOfMemory: string | null = null

  verdict(problem: string | null): Verdict {
    const machine = this.#machine
    const common = {
      states: this.#nodes.states,
      executions: this.#executions,
      events: this.#events,
      transitions: this.#events - this.#retaken,
      bytes: this.#nodes.bytes,
      seconds: (performance.now() - this.#started) / 1000,
      passSeconds: this.#passMs / 1000,
      engine: 'graph',
    }
    // The machine stands at the root's violation, or is brought to the one that was found.
    if (machine.violation !== null && problem === null)
      return {
        ...common,
        verdict: 'violated',
        strength: 'complete',
        bounds: {},
        reasons: [],
        violation: machine.violation,
        schedule: [],
        cost: unpackCost(0),
      }
    if (machine.sharing.grown && problem === null) problem = 'the search ended before all shared memory was known'
    const least = this.#found >= 0 ? { node: this.#found, choice: this.#foundChoice, price: this.#level } : this.#least
    const stopped = this.#stopped === 'limit' || this.#stopped === 'interrupted'
    if (least !== null && problem === null) {
      this.#goTo(least.node)
      machine.take(least.choice)
      const schedule = [...this.#nodes.choicesTo(least.node), least.choice]
      const { violation } = machine
      machine.undo()
      const reasons = stopped || !this.#byCost ? ['the search was stopped: a schedule of lower cost may exist'] : []
      const cost = this.#byCost ? unpackCost(least.price) : null
      return {
        ...common,
        verdict: 'violated',
        strength: 'complete',
        bounds: {},
        reasons,
        violation,
        schedule,
        cost,
      }
    }
    const reasons = [...machine.weaknesses]
    if (problem !== null) reasons.push(problem)
    const cut = stopped || this.#pruned
    const covered = unpackCost(this.#level).preemptions - 1
    if (this.#outOfMemory !== null)
      reasons.push(
        this.#outOfMemory,
        ...(covered < 0 ? [] : [`no violation was found in schedules of at most ${covered} preemptions, all of which were covered`]),
      )
    else if (this.#stopped === 'limit') reasons.push(`the search was stopped by a limit (time, events or ${this.#limits.states ?? 'any number of'} states)`)
    if (this.#stopped === 'interrupted') reasons.push('the search was interrupted')
    if (stopped && this.#byCost) reasons.push(...this.#sources.describe())
    if (this.#pruned) reasons.push(`the search was limited to ${this.#limits.preemptions} preemptions`)
    const blank = { violation: null, schedule: null, cost: null, reasons }
    if (problem !== null || this.#outOfMemory !== null || (cut && covered < 0))
      return { ...common, ...blank, verdict: 'unknown', strength: 'bounded', bounds: {} }
    if (cut) return { ...common, ...blank, verdict: 'holds', strength: 'bounded', bounds: { preemptions: covered } }
    return {
      ...common,
      ...blank,
      verdict: 'holds',
      strength: reasons.length > 0 ? 'bounded' : 'complete',
      bounds: {},
    }
  }
}

function withRoom(array: Int32Array): Int32Array<ArrayBuffer> {
  const bigger = new Int32Array(array.length + 1024 * CHOICE_WORDS)
  bigger.set(array)
  return bigger
}
