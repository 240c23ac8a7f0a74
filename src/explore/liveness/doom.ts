/**
 * States from which a vCPU that has not ended gets nowhere any more, whatever is owed to anybody: it neither ends, nor wakes up, nor
 * passes a progress mark, nor does what others could see. It waits for ever.
 */
import { choiceVcpu } from '../../smp/choice.ts'
import { Components } from './components.ts'
import { EDGE_EFFECT, EDGE_FINITE, EDGE_PROGRESS, HELD_UP, NOWHERE, type StateGraph } from './stateGraph.ts'

export interface Doom {
  /** Per state: such vCPUs, as bits; and those that have ended or idle, or may later. */
  readonly doomed: Int32Array
  readonly ending: Int32Array
}

/** Null: there is no such state. */
export function doomOf(graph: StateGraph, vcpus: number): Doom | null {
  const all = vcpus === 32 ? -1 : (1 << vcpus) - 1
  /** Per state: vCPUs that get on, from there or later. */
  const hope = new Int32Array(graph.states)
  const ending = new Int32Array(graph.states)
  const states = Int32Array.from(hope.keys())
  let any = false
  const { starts, counts, targets, labels, ended } = graph
  new Components(graph).each(states, 0, (label) => (label & EDGE_FINITE) === 0, (members) => {
    let mask = 0
    let ends = 0
    for (const state of members) {
      ends |= ended[state]
      for (let edge = starts[state]; edge < starts[state] + counts[state]; edge++) {
        const label = labels[edge]
        if (targets[edge] === HELD_UP) continue
        // Executions that an assumption cuts do not count: nothing is known of what they would lead to.
        if (targets[edge] === NOWHERE) mask = all
        else if ((label & EDGE_FINITE) === 0) {
          // Who is idle for good ends by the last step of another.
          mask |= hope[targets[edge]] | ended[targets[edge]]
          ends |= ending[targets[edge]]
          if ((label & (EDGE_EFFECT | EDGE_PROGRESS)) !== 0) mask |= 1 << choiceVcpu(label)
        }
      }
    }
    for (const state of members) {
      hope[state] = mask
      ending[state] = ends
      if ((all & ~mask & ~ended[state]) !== 0) any = true
    }
  })
  return any ? { doomed: hope.map((mask, state) => all & ~mask & ~ended[state]), ending } : null
}
