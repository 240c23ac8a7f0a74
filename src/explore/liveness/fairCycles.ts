/**
 * Fair cycles, as in Streett automata (Emerson, Lei 1987; Rosier, Yen 1986): strongly connected components, less the
 * states that offer strong obligations which the component never meets, and again.
 */
import { Components } from './components.ts'
import { isStrong, NOBODY, obligationOf } from './fairness.ts'
import { bitsOf, CHOICE_MASK, leads, type StateGraph } from './stateGraph.ts'

export class FairCycles {
  readonly #graph: StateGraph
  readonly #vcpus: number
  readonly #components: Components
  #parts = 0

  constructor(graph: StateGraph, vcpus: number) {
    this.#graph = graph
    this.#vcpus = vcpus
    this.#components = new Components(graph)
  }

  /**
   * States strongly connected by `usable` edges, in which one of the vCPUs `owed` (bits) has not ended and never idles, and whose runs through
   * all of it are fair; null: there are none.
   */
  find(usable: (label: number) => boolean, owed: number): Int32Array | null {
    const { ended, states } = this.#graph
    const all = Int32Array.from({ length: states }, (_, state) => state)
    const { idle } = this
    const found = (owed & ~idle) === 0 ? null : this.#findIn(all, usable, owed & ~idle)
    // Who idles now and then is left out of what he is through with, one at a time: who has ended stays so.
    return bitsOf(owed & idle).reduce((first, v) => first ?? this.#findIn(all.filter((state) => ((ended[state] >>> v) & 1) === 0), usable, 1 << v), found)
  }

  /** vCPUs (bits) that idle in some state and have something to do in one that follows. */
  get idle(): number {
    return (this.#idle ??= this.#idleNow())
  }
  #idle: number | null = null
  #idleNow(): number {
    const { ended, starts, counts, targets, states } = this.#graph
    let idle = 0
    for (let state = 0; state < states; state++)
      for (let edge = starts[state]; edge < starts[state] + counts[state]; edge++) if (leads(targets[edge])) idle |= ended[state] & ~ended[targets[edge]]
    return idle
  }

  #findIn(among: Int32Array, usable: (label: number) => boolean, owed: number): Int32Array | null {
    const { ended } = this.#graph
    const { part } = this.#components
    const work = [among]
    let result: Int32Array | null = null
    for (let some = work.pop(); some !== undefined && result === null; some = work.pop()) {
      const number = ++this.#parts
      for (const state of some) part[state] = number
      const components: Int32Array[] = []
      this.#components.each(some, number, usable, (members) => {
        if ((~ended[members[0]] & owed) !== 0 && (members.length > 1 || this.#hasLoop(members[0], usable))) components.push(members.slice())
      })
      for (const members of components) {
        const inside = ++this.#parts
        for (const state of members) part[state] = inside
        const missing = this.#missing(members, inside, usable)
        if (missing === null) continue
        if (missing.size === 0) {
          result = members
          break
        }
        const rest = members.filter((state) => !this.#offersOneOf(state, missing))
        if (rest.length > 0) work.push(rest)
      }
    }
    return result
  }

  /** Strong obligations that the component offers and never meets; null: a weak one is offered everywhere and never met. */
  #missing(members: Int32Array, inside: number, usable: (label: number) => boolean): Set<number> | null {
    const { starts, counts, targets, labels } = this.#graph
    const { part } = this.#components
    const vcpus = this.#vcpus
    const offered = new Int32Array(4 * vcpus)
    const acted = new Uint8Array(4 * vcpus)
    const seenIn = new Int32Array(4 * vcpus).fill(-1)
    for (const state of members)
      for (let edge = starts[state]; edge < starts[state] + counts[state]; edge++) {
        const one = obligationOf(labels[edge] & CHOICE_MASK, vcpus)
        if (one === NOBODY) continue
        if (seenIn[one] !== state) offered[one]++
        seenIn[one] = state
        if (leads(targets[edge]) && part[targets[edge]] === inside && usable(labels[edge])) acted[one] = 1
      }
    const missing = new Set<number>()
    for (let one = 0; one < 4 * vcpus; one++) {
      if (acted[one] !== 0 || offered[one] === 0) continue
      if (isStrong(one, vcpus)) missing.add(one)
      else if (offered[one] === members.length) return null
    }
    return missing
  }

  #offersOneOf(state: number, obligations: ReadonlySet<number>): boolean {
    const { starts, counts, labels } = this.#graph
    for (let edge = starts[state]; edge < starts[state] + counts[state]; edge++)
      if (obligations.has(obligationOf(labels[edge] & CHOICE_MASK, this.#vcpus))) return true
    return false
  }

  #hasLoop(state: number, usable: (label: number) => boolean): boolean {
    const { starts, counts, targets, labels } = this.#graph
    for (let edge = starts[state]; edge < starts[state] + counts[state]; edge++) if (targets[edge] === state && usable(labels[edge])) return true
    return false
  }
}

/**
 * Choices of a tour of a fair component, from `start` back to it, that meets every obligation.
 * @param members the component, strongly connected by `usable` edges
 */
export function tour(graph: StateGraph, members: Int32Array, start: number, vcpus: number, usable: (label: number) => boolean): number[] {
  const { starts, counts, targets, labels } = graph
  const inside = new Uint8Array(graph.states)
  for (const state of members) inside[state] = 1
  const via = new Int32Array(graph.states)
  const before = new Int32Array(graph.states)
  const obligation = (edge: number) => obligationOf(labels[edge] & CHOICE_MASK, vcpus)
  const own = (edge: number) => leads(targets[edge]) && inside[targets[edge]] === 1 && usable(labels[edge])
  const edgesOf = function* (state: number) {
    for (let edge = starts[state]; edge < starts[state] + counts[state]; edge++) yield edge
  }
  const cycle: number[] = []
  let at = start
  /** Walks a shortest way to a state that is `wanted`; false: there is none. */
  const walk = (wanted: (state: number) => boolean): boolean => {
    via.fill(-2)
    via[at] = -1
    const queue = [at]
    for (let k = 0; k < queue.length; k++) {
      const state = queue[k]
      if (wanted(state)) {
        const way: number[] = []
        for (let back = state; via[back] >= 0; back = before[back]) way.push(via[back])
        cycle.push(...way.reverse())
        at = state
        return true
      }
      for (const edge of edgesOf(state)) {
        if (!own(edge) || via[targets[edge]] !== -2) continue
        via[targets[edge]] = edge
        before[targets[edge]] = state
        queue.push(targets[edge])
      }
    }
    return false
  }
  const step = (wanted: (edge: number) => boolean) => {
    const edge = [...edgesOf(at)].find((one) => own(one) && wanted(one))!
    cycle.push(edge)
    at = targets[edge]
  }
  for (let one = 0; one < 4 * vcpus; one++) {
    if (cycle.some((edge) => obligation(edge) === one)) continue
    const acts = (edge: number) => obligation(edge) === one
    if (walk((state) => [...edgesOf(state)].some((edge) => own(edge) && acts(edge)))) step(acts)
    else if (!isStrong(one, vcpus)) walk((state) => ![...edgesOf(state)].some(acts))
  }
  if (at === start && cycle.length === 0) step(() => true)
  walk((state) => state === start)
  return cycle.map((edge) => labels[edge] & CHOICE_MASK)
}
