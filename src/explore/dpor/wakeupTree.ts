/**
 * Wakeup trees (Abdulla, Aronis, Jonsson, Sagonas, "Source Sets", JACM 64(4), 2017): per node of the present
 * execution, the sequences of events that have still to be explored from there, as an ordered tree.
 * Nodes are recycled.
 */
import { grown } from './cells.ts'
import type { OwnReads } from './dependence.ts'

export class WakeupTree {
  /** Per node of the execution: the first of what is planned from there; 0: nothing. */
  first = new Int32Array(256)
  /** Some event could have gone another way. */
  anyForked = false
  choice = new Int32Array(256)
  /** cells.ts; UNKNOWN: the event has not been seen yet. */
  touched = new Int32Array(256)
  own: (OwnReads | null)[] = []
  /** First child and next sibling; 0: none. */
  child = new Int32Array(256)
  next = new Int32Array(256)
  #free = 0
  #used = 1

  make(choice: number, touched: number, own: OwnReads | null): number {
    let node = this.#free
    if (node !== 0) this.#free = this.next[node]
    else {
      node = this.#used++
      if (node === this.choice.length) {
        this.choice = grown(this.choice)
        this.touched = grown(this.touched)
        this.child = grown(this.child)
        this.next = grown(this.next)
      }
    }
    this.choice[node] = choice
    this.touched[node] = touched
    this.own[node] = own
    this.child[node] = 0
    this.next[node] = 0
    return node
  }

  /** Room for twice as many nodes of the execution. */
  grow(): void {
    this.first = grown(this.first)
  }

  /** `list` before `rest`. */
  splice(list: number, rest: number): number {
    if (list === 0) return rest
    let last = list
    while (this.next[last] !== 0) last = this.next[last]
    this.next[last] = rest
    return list
  }

  free(node: number): void {
    this.next[node] = this.#free
    this.#free = node
  }

  /** Frees the nodes of a list of siblings and all below them. */
  freeAll(first: number): void {
    while (first !== 0) {
      const next = this.next[first]
      this.freeAll(this.child[first])
      this.free(first)
      first = next
    }
  }
}
