/**
 * The graph of all states and transitions of a search, kept for the judgement of cycles. The transitions of one state stand
 * together, two words each:
 *
 * ```
 * target state (NOWHERE: the execution was cut; HELD_UP: not to be taken) | label: choice, and EDGE_... flags above it
 * ```
 */
import { choiceVcpu } from '../../smp/choice.ts'
import type { Explorable } from '../explorable.ts'
import { isFinite, isThrough, type Live } from './fairness.ts'

export const NOWHERE = -1
/** Not a transition: what a vCPU could do if it had a pCPU, which a fair run owes it. */
export const HELD_UP = -2
/** Where a transition leads to another state. */
export const leads = (target: number): boolean => target >= 0

/** A fair run takes it finitely often. */
export const EDGE_FINITE = 1 << 31
/** Its vCPU passed a progress mark. */
export const EDGE_PROGRESS = 1 << 30
/** It did what others can see, or got its vCPU on. */
export const EDGE_EFFECT = 1 << 29
export const CHOICE_MASK = EDGE_EFFECT - 1

/** Makes the label of a transition in two steps, around taking it. */
export class Labeller {
  readonly #machine: Live
  #choice = 0

  constructor(machine: Live) {
    this.#machine = machine
  }

  before(choice: number): void {
    this.#choice = choice | (isFinite(this.#machine, choice) ? EDGE_FINITE : 0)
  }

  after(): number {
    const { progressed, effect } = this.#machine
    return this.#choice | (progressed !== 0 ? EDGE_PROGRESS : 0) | (effect ? EDGE_EFFECT : 0)
  }
}

export class StateGraph {
  readonly edgesMax: number
  readonly vcpus: number
  /** Too large: nothing is kept any more. */
  full = false
  states = 0
  edges = 0
  /** vCPUs that passed a progress mark on some transition, as bits. */
  progressed = 0
  /** vCPUs that have ended in some state, as bits: more than idling. */
  exited = 0
  /** Per state: first edge, number of edges, vCPUs that have ended or idle (as bits). */
  starts = new Int32Array(1024)
  counts = new Int32Array(1024)
  ended = new Int32Array(1024)
  /** Per edge. */
  targets = new Int32Array(4096)
  labels = new Int32Array(4096)

  constructor(edgesMax: number, vcpus: number) {
    this.edgesMax = edgesMax
    this.vcpus = vcpus
  }

  save(): SavedGraph {
    const { states, edges, progressed, exited, full } = this
    const upTo = (array: Int32Array, count: number) => array.slice(0, count)
    return {
      states, progressed, exited, full, starts: upTo(this.starts, states), counts: upTo(this.counts, states), ended: upTo(this.ended, states),
      targets: upTo(this.targets, edges), labels: upTo(this.labels, edges),
    }
  }

  /** @param known states that there are, some of which are not kept yet. @throws RangeError */
  restore({ states, progressed, exited, full, starts, counts, ended, targets, labels }: SavedGraph, known: number): void {
    const edges = targets.length
    const wrong = (array: Int32Array, from: number, to: number) => array.some((value) => value < from || value > to)
    if ([starts, counts, ended].some((array) => array.length !== states) || labels.length !== edges) throw new RangeError('parts of a graph do not fit')
    if (starts.some((start, k) => start < 0 || counts[k] < 0 || start + counts[k] > edges) || states > known || wrong(targets, HELD_UP, known - 1)) throw new RangeError('a graph leads nowhere')
    Object.assign(this, { states, edges, progressed, exited, full })
    this.starts = withRoom(starts)
    this.counts = withRoom(counts)
    this.ended = withRoom(ended)
    this.targets = withRoom(targets)
    this.labels = withRoom(labels)
  }

  /**
   * Keeps the transitions of `state`: of rows of `stride` words, from `from` to `to`, the second word is the target and the third
   * the label.
   */
  add(state: number, ended: number, rows: Int32Array, from: number, to: number, stride: number): void {
    const count = (to - from) / stride
    if (this.full || this.edges + count > this.edgesMax) {
      this.full = true
      return
    }
    while (state >= this.starts.length) {
      this.starts = grown(this.starts)
      this.counts = grown(this.counts)
      this.ended = grown(this.ended)
    }
    while (this.edges + count > this.targets.length) {
      this.targets = grown(this.targets)
      this.labels = grown(this.labels)
    }
    this.starts[state] = this.edges
    this.counts[state] = count
    this.ended[state] = ended
    for (let at = from; at < to; at += stride) {
      const label = rows[at + 2]
      if ((label & EDGE_PROGRESS) !== 0) this.progressed |= 1 << choiceVcpu(label)
      this.targets[this.edges] = rows[at + 1]
      this.labels[this.edges++] = label
    }
    this.states = Math.max(this.states, state + 1)
  }
}

/** A graph as plain data. */
export interface SavedGraph {
  readonly states: number
  readonly progressed: number
  readonly exited: number
  readonly full: boolean
  readonly starts: Int32Array
  readonly counts: Int32Array
  readonly ended: Int32Array
  readonly targets: Int32Array
  readonly labels: Int32Array
}

/** The machine can be judged for liveness. */
export function isLive(machine: Explorable): machine is Live {
  return 'isStaleView' in machine
}

/** vCPUs that have ended, as bits. */
export function endedOf(machine: Live): number {
  return maskOf(machine, (v) => machine.hasEnded(v))
}

/** Or idle, which they may do again and again. */
export function throughOf(machine: Live): number {
  return maskOf(machine, (v) => isThrough(machine, v))
}

function maskOf(machine: Live, holds: (vcpu: number) => boolean): number {
  let mask = 0
  for (let v = 0; v < machine.vcpuCount; v++) if (holds(v)) mask |= 1 << v
  return mask
}

/** The vCPUs of a mask. */
export const bitsOf = (mask: number): number[] => Array.from({ length: 32 }, (_, v) => v).filter((v) => ((mask >>> v) & 1) === 1)

function withRoom(array: Int32Array): Int32Array<ArrayBuffer> {
  const bigger = new Int32Array(array.length + 1024)
  bigger.set(array)
  return bigger
}

function grown(array: Int32Array): Int32Array<ArrayBuffer> {
  const bigger = new Int32Array(array.length * 2)
  bigger.set(array)
  return bigger
}
