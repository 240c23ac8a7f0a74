/**
 * Explicit-state search, least cost first. A node is a machine state together with the vCPU that ran last
 * (leaving it may be a preemption). Nodes of one cost are explored depth-first with undo; a successor of higher
 * cost waits in the bucket of its cost. So the first violation is a least one, and when the search is cut short
 * all levels before the present one are covered.
 */
import { choiceKind, choiceVcpu, DRAIN } from '../smp/choice.ts'
import { addCost, costOf, unpackCost } from './cost.ts'
import { CHOICES_MAX, type Explorable, type Limits } from './explorable.ts'
import { NodeTable } from './nodeTable.ts'
import type { Verdict } from './verdict.ts'

export interface Progress {
  readonly states: number
  readonly events: number
  readonly preemptions: number
}

const PASSES_MAX = 64
const EVENTS_BETWEEN_CHECKS = 4096

/** @param makeMachine a machine in its initial state; machines of one exploration share what they learn */
export function explore(makeMachine: () => Explorable, limits: Limits, onProgress?: (progress: Progress) => void): Verdict {
  const started = performance.now()
  let pass = new Pass(makeMachine(), limits, started, onProgress)
  for (let passes = 1; pass.run() === 'grown'; passes++) {
    if (passes === PASSES_MAX) return pass.verdict('the set of shared memory did not settle')
    const machine = makeMachine()
    machine.sharing.grown = false
    pass = new Pass(machine, limits, started, onProgress)
  }
  return pass.verdict(null)
}

class Pass {
  readonly #machine: Explorable
  readonly #limits: Limits
  readonly #started: number
  readonly #onProgress: ((progress: Progress) => void) | undefined
  readonly #nodes = new NodeTable()
  readonly #buckets = new Map<number, number[]>()
  readonly #choices = new Int32Array(CHOICES_MAX)
  /** Nodes from the root to where the machine is. */
  readonly #path: number[] = []
  #events = 0
  #executions = 0
  #level = 0
  #stopped: string | null = null
  #found = -1
  #foundChoice = -1
  #budgetAfterGrowth = -1
  #pruned = false

  constructor(machine: Explorable, limits: Limits, started: number, onProgress?: (progress: Progress) => void) {
    this.#machine = machine
    this.#limits = limits
    this.#started = started
    this.#onProgress = onProgress
  }

  run(): 'done' | 'grown' {
    const machine = this.#machine
    if (machine.violation !== null) return machine.sharing.grown ? 'grown' : 'done'
    const root = this.#nodes.add(machine.store.h0, machine.store.h1, -1, -1, 0, 0, -1)
    this.#path.push(root)
    this.#buckets.set(0, [root])
    while (this.#stopped === null && this.#found < 0) {
      const cost = this.#nextLevel()
      if (cost < 0 || (this.#least !== null && cost >= this.#least.price)) break
      this.#level = cost
      if (unpackCost(cost).preemptions > (this.#limits.preemptions ?? Infinity)) {
        this.#pruned = true
        break
      }
      const bucket = this.#buckets.get(cost)!
      while (bucket.length > 0 && this.#stopped === null && this.#found < 0) {
        const node = bucket.pop()!
        if (this.#nodes.expanded(node) || this.#nodes.cost(node) !== cost) continue
        this.#goTo(node)
        this.#descend(cost)
      }
      if (bucket.length === 0) this.#buckets.delete(cost)
    }
    return machine.sharing.grown && this.#stopped !== 'limit' ? 'grown' : 'done'
  }

  #nextLevel(): number {
    let least = -1
    for (const [cost, bucket] of this.#buckets) if (bucket.length > 0 && (least < 0 || cost < least)) least = cost
    return least
  }

  /** Depth-first from the last node of the path, along successors of the same cost. */
  #descend(cost: number): void {
    const machine = this.#machine
    const floor = this.#path.length
    const frames: { choices: Int32Array; next: number }[] = [this.#expand()]
    while (frames.length > 0) {
      const frame = frames[frames.length - 1]
      if (frame.next === frame.choices.length || this.#stopped !== null || this.#found >= 0) {
        frames.pop()
        if (this.#path.length > floor) {
          this.#path.pop()
          machine.undo()
        }
        continue
      }
      const node = this.#path[this.#path.length - 1]
      const choice = frame.choices[frame.next++]
      const current = this.#nodes.current(node)
      const price = addCost(cost, costOf(machine, choice, current))
      this.#tick()
      const outcome = machine.take(choice)
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
      const last = choiceKind(choice) === DRAIN ? current : choiceVcpu(choice)
      const child = this.#nodes.find(machine.store.h0, machine.store.h1, last)
      if (child >= 0 && (this.#nodes.expanded(child) || this.#nodes.cost(child) <= price)) {
        this.#executions++
        machine.undo()
        continue
      }
      const id = child >= 0 ? child : this.#nodes.add(machine.store.h0, machine.store.h1, node, choice, price, this.#nodes.depth(node) + 1, last)
      if (child >= 0) this.#nodes.reparent(child, node, choice, price, this.#nodes.depth(node) + 1)
      if (price === cost) {
        this.#path.push(id)
        frames.push(this.#expand())
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

  #expand(): { choices: Int32Array; next: number } {
    const node = this.#path[this.#path.length - 1]
    this.#nodes.markExpanded(node)
    const count = this.#machine.enabled(this.#choices)
    if (count === 0) this.#executions++
    return { choices: this.#choices.slice(0, count), next: 0 }
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
      this.#machine.take(nodes.choice(route[k]))
      this.#events++
      this.#path.push(route[k])
    }
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
    if (this.#events % EVENTS_BETWEEN_CHECKS !== 0) return
    if ((performance.now() - this.#started) / 1000 > (limits.seconds ?? Infinity) || limits.stop?.() === true) this.#stopped = 'limit'
    this.#onProgress?.({ states: this.#nodes.states, events: this.#events, preemptions: unpackCost(this.#level).preemptions })
  }

  verdict(problem: string | null): Verdict {
    const machine = this.#machine
    const common = {
      states: this.#nodes.states,
      executions: this.#executions,
      events: this.#events,
      seconds: (performance.now() - this.#started) / 1000,
      engine: 'graph',
    }
    // The machine stands at the root's violation, or is brought to the one that was found.
    if (machine.violation !== null && problem === null)
      return { ...common, verdict: 'violated', strength: 'complete', bounds: {}, reasons: [], violation: machine.violation, schedule: [], cost: unpackCost(0) }
    if (machine.sharing.grown && problem === null) problem = 'the search ended before all shared memory was known'
    const least = this.#found >= 0 ? { node: this.#found, choice: this.#foundChoice, price: this.#level } : this.#least
    if (least !== null && problem === null) {
      this.#goTo(least.node)
      machine.take(least.choice)
      const schedule = [...this.#nodes.choicesTo(least.node), least.choice]
      const { violation } = machine
      machine.undo()
      return { ...common, verdict: 'violated', strength: 'complete', bounds: {}, reasons: [], violation, schedule, cost: unpackCost(least.price) }
    }
    const reasons = [...machine.weaknesses]
    if (problem !== null) reasons.push(problem)
    const cut = this.#stopped === 'limit' || this.#pruned
    const covered = unpackCost(this.#level).preemptions - 1
    if (this.#stopped === 'limit') reasons.push('the search was stopped by a limit')
    if (this.#pruned) reasons.push(`the search was limited to ${this.#limits.preemptions} preemptions`)
    const blank = { violation: null, schedule: null, cost: null, reasons }
    if (problem !== null || (cut && covered < 0)) return { ...common, ...blank, verdict: 'unknown', strength: 'bounded', bounds: {} }
    if (cut) return { ...common, ...blank, verdict: 'holds', strength: 'bounded', bounds: { preemptions: covered } }
    return { ...common, ...blank, verdict: 'holds', strength: reasons.length > 0 ? 'bounded' : 'complete', bounds: {} }
  }
}
