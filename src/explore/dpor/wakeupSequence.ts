/** A sequence of events of the present execution, as it is to be explored from an earlier node; and its place in the wakeup tree there. */
import { FORKED, type Act } from './act.ts'
import { NOTHING, UNKNOWN } from './cells.ts'
import type { Event } from './event.ts'
import type { Path } from './path.ts'
import type { SleepSets } from './sleepSets.ts'
import type { TreeNode, WakeupTree } from './wakeupTree.ts'

export class WakeupSequence {
  /** The first `length`; null: it has been found in the tree. */
  readonly events: (Event | null)[] = []
  length = 0
  /** The first that is left, and how many are. */
  #begin = 0
  #left = 0
  /** By place: that of the next event of the same process; 0: there is none. */
  #next = new Int32Array(256)
  /** By process: the places of its first event that is left and of its last, where the stamp is that of this sequence. */
  readonly #placeOf: Int32Array
  readonly #lastOf: Int32Array
  readonly #stampOf: Int32Array
  #stamp = 0
  readonly #path: Path
  readonly #tree: WakeupTree
  readonly #sleep: SleepSets
  /** Stores drained so far, by vCPU, for conflicts with forwarded loads. */
  readonly #drained: Int32Array

  constructor(path: Path, tree: WakeupTree, sleep: SleepSets) {
    this.#path = path
    this.#tree = tree
    this.#sleep = sleep
    this.#drained = new Int32Array(path.vcpus)
    this.#placeOf = new Int32Array(path.vcpus * 2)
    this.#lastOf = new Int32Array(path.vcpus * 2)
    this.#stampOf = new Int32Array(path.vcpus * 2)
  }

  /** Becomes empty, with room for all events of the execution and two more. */
  clear(): void {
    const room = this.#path.trail.events.length
    if (this.#next.length < room) this.#next = new Int32Array(room)
    this.length = 0
    this.#begin = 0
    this.#stamp++
  }

  add(event: Event): void {
    const { process } = event.act
    const place = this.length++
    if (this.#stampOf[process] !== this.#stamp) {
      this.#stampOf[process] = this.#stamp
      this.#placeOf[process] = place
    } else this.#next[this.#lastOf[process]] = place
    this.#lastOf[process] = place
    this.#next[place] = 0
    this.events[place] = event
  }

  /** Ends after its first `length` events. */
  cut(length: number): void {
    for (let k = length; k < this.length; k++) {
      const p = this.events[k]!.act.process
      if (this.#placeOf[p] === k) this.#stampOf[p] = 0
    }
    this.length = length
  }

  /** Becomes what does not come after event e, of those behind it, with event d as the last. */
  reverse(e: number, d: number): void {
    this.clear()
    const { depth, clocks, width, events } = this.#path.trail
    const { slot, index } = events[e]
    for (let x = e + 1, at = x * width + slot; x < depth; x++, at += width) if (clocks[at] < index && x !== d) this.add(events[x])
    this.add(events[d])
  }

  /** As `isExplored` would find of the reversal of race (e, d), where that is seen at once. */
  isKnown(e: number, d: number): boolean {
    const { trail } = this.#path
    const { act, couldBeFirst } = trail.events[d]
    return couldBeFirst && !trail.anyOwn && this.#sleep.sleepsAlike(e, act)
  }

  /** It begins, at node e, with what sleeps there: it has been explored. @param whole what could wake who sleeps there is in it */
  isExplored(e: number, whole: boolean): boolean {
    const sleep = this.#sleep
    const { from, to, free } = sleep.at(e)
    if (from === to) return false
    this.#resetDrained(e)
    for (let k = from; k < to; k++) {
      const first = this.#initial(sleep.entry(k))
      if (first >= 0 || (first === INDEPENDENT && whole && k >= free)) return true
    }
    return false
  }

  /** Adds it to the wakeup tree of node `e`, which uses it up. */
  insert(e: number): void {
    const tree = this.#tree
    this.#resetDrained(e)
    this.#left = this.length
    let parent: TreeNode | null = null
    let first = tree.first[e]
    for (;;) {
      let last: TreeNode | null = null
      let matched: TreeNode | null = null
      for (let node = first; node !== null; node = node.next) {
        last = node
        const at = this.#initial(node.act)
        if (at === CLASH) continue
        // Below what is planned everything is free, unless some alternatives sleep there: then the way is shown.
        if ((at >= 0 && this.#left === 1) || (node.child === null && !tree.anyForked)) return
        if (at >= 0) this.#remove(at)
        matched = node
        break
      }
      if (matched === null) {
        const rest = this.#chain()
        if (last !== null) last.next = rest
        else if (parent !== null) parent.child = rest
        else tree.first[e] = rest
        return
      }
      const { process } = matched.act
      if ((process & 1) === 1) this.#drained[process >> 1]++
      parent = matched
      first = matched.child
    }
  }

  /** What is left, as nodes of a tree. */
  #chain(): TreeNode | null {
    let below: TreeNode | null = null
    for (let k = this.length - 1; k >= this.#begin; k--) {
      const x = this.events[k]
      if (x === null) continue
      const node = this.#tree.make(x.act)
      node.child = below
      below = node
    }
    return below
  }

  #resetDrained(e: number): void {
    const { trail } = this.#path
    if (!trail.anyOwn) return
    this.#drained.set(trail.drained)
    for (let x = e; x < trail.depth; x++) {
      const { process } = trail.events[x].act
      if ((process & 1) === 1) this.#drained[process >> 1]--
    }
  }

  /** Removes the first event of a process. */
  #remove(at: number): void {
    const { events } = this
    const { process } = events[at]!.act
    const next = this.#next[at]
    if (next === 0 || next >= this.length) this.#stampOf[process] = 0
    else this.#placeOf[process] = next
    events[at] = null
    this.#left--
    while (this.#begin < this.length && events[this.#begin] === null) this.#begin++
  }

  /** Place in the sequence of an event that may come first there; INDEPENDENT: it is not in it, and could go before it; CLASH. */
  #initial(act: Act): number {
    const { process, choice, touched } = act
    const occurs = this.#stampOf[process] === this.#stamp
    const place = occurs ? this.#placeOf[process] : this.length
    // Of alternatives, one alone stands for nothing that goes another way.
    if (occurs ? ((this.events[place]!.act.choice ^ choice) & ~FORKED) !== 0 : (choice & FORKED) !== 0) return CLASH
    if (touched !== NOTHING && place > this.#begin && (touched === UNKNOWN || this.#clashes(act, place))) return CLASH
    return occurs ? place : INDEPENDENT
  }

  /** Whether the event is dependent on one that stands before `place`. */
  #clashes(act: Act, place: number): boolean {
    const { trail, dependence } = this.#path
    if (trail.anyOwn) return this.#clashesWithOwn(act, place)
    // What the sequence is there for stands at its end.
    for (let k = place - 1; k >= this.#begin; k--) {
      const x = this.events[k]
      if (x !== null && dependence.clash(act, x.act, this.#drained)) return true
    }
    return false
  }

  /** As that, where loads see own stores. */
  #clashesWithOwn(act: Act, place: number): boolean {
    const drained = this.#drained
    let result = false
    let passed = this.#begin
    for (; passed < place && !result; passed++) {
      const x = this.events[passed]
      if (x === null) continue
      result = this.#path.dependence.clash(act, x.act, drained)
      if ((x.act.process & 1) === 1) drained[x.act.process >> 1]++
    }
    for (let k = this.#begin; k < passed; k++) {
      const x = this.events[k]
      if (x !== null && (x.act.process & 1) === 1) drained[x.act.process >> 1]--
    }
    return result
  }
}

const INDEPENDENT = -1
const CLASH = -2
