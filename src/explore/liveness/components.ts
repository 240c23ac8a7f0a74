/** Strongly connected components of a part of a state graph (Tarjan, SIAM J. Comput. 1(2), 1972), without recursion. */
import { leads, type StateGraph } from './stateGraph.ts'

export class Components {
  readonly #graph: StateGraph
  /** Per state: the part that it belongs to; components stay inside one part. */
  readonly part: Int32Array
  /** Per state, in the present run: order in which it was found (0: not yet), least order that it reaches, next edge to follow. */
  readonly #found: Int32Array
  readonly #low: Int32Array
  readonly #next: Int32Array
  readonly #onStack: Uint8Array
  readonly #stack: Int32Array
  readonly #calls: Int32Array

  constructor(graph: StateGraph) {
    const { states } = graph
    this.#graph = graph
    this.part = new Int32Array(states)
    this.#found = new Int32Array(states)
    this.#low = new Int32Array(states)
    this.#next = new Int32Array(states)
    this.#onStack = new Uint8Array(states)
    this.#stack = new Int32Array(states)
    this.#calls = new Int32Array(states)
  }

  /**
   * Calls `visit` with each component of the states of part `part`, those that others lead to first. `members` is valid during
   * the call only.
   * @param usable whether edges with this label count
   */
  each(states: Int32Array, part: number, usable: (label: number) => boolean, visit: (members: Int32Array) => void): void {
    const { starts, counts, targets, labels } = this.#graph
    const found = this.#found
    const low = this.#low
    const next = this.#next
    const stack = this.#stack
    const calls = this.#calls
    for (const state of states) found[state] = 0
    let order = 0
    let stacked = 0
    for (const root of states) {
      if (found[root] !== 0) continue
      let depth = 0
      calls[depth] = root
      found[root] = low[root] = ++order
      next[root] = 0
      stack[stacked++] = root
      this.#onStack[root] = 1
      while (depth >= 0) {
        const state = calls[depth]
        if (next[state] < counts[state]) {
          const edge = starts[state] + next[state]++
          const target = targets[edge]
          if (!leads(target) || this.part[target] !== part || !usable(labels[edge])) continue
          if (found[target] === 0) {
            found[target] = low[target] = ++order
            next[target] = 0
            stack[stacked++] = target
            this.#onStack[target] = 1
            calls[++depth] = target
          } else if (this.#onStack[target] === 1 && found[target] < low[state]) low[state] = found[target]
          continue
        }
        depth--
        if (depth >= 0 && low[state] < low[calls[depth]]) low[calls[depth]] = low[state]
        if (low[state] !== found[state]) continue
        let first = stacked
        do this.#onStack[stack[--first]] = 0
        while (stack[first] !== state)
        visit(stack.subarray(first, stacked))
        stacked = first
      }
    }
  }
}
