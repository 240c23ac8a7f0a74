/** A sequence of events of the present execution, as it is to be explored from an earlier node; and its place in the wakeup tree there. */
import { choiceKind, choiceVcpu, DRAIN } from '../../smp/choice.ts'
import { NOTHING, UNKNOWN } from './cells.ts'
import { FORKED, processOf, type OwnReads } from './dependence.ts'
import type { Path } from './path.ts'
import type { SleepSets } from './sleepSets.ts'
import type { WakeupTree } from './wakeupTree.ts'

export class WakeupSequence {
  /** Slots of the trail. Where an event has been found in the tree: GONE. */
  events = new Int32Array(256)
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
    const { trail } = this.#path
    if (this.events.length < trail.depth + 2) {
      this.events = new Int32Array(trail.choice.length)
      this.#next = new Int32Array(trail.choice.length)
    }
    this.length = 0
    this.#begin = 0
    this.#stamp++
  }

  add(event: number): void {
    const process = this.#path.trail.process[event]
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
    const { process } = this.#path.trail
    for (let k = length; k < this.length; k++) {
      const p = process[this.events[k]]
      if (this.#placeOf[p] === k) this.#stampOf[p] = 0
    }
    this.length = length
  }

  /** Becomes what does not come after event e, of those behind it, with event d as the last. */
  reverse(e: number, d: number): void {
    this.clear()
    const { depth, clocks, width, slot, index } = this.#path.trail
    const since = index[e]
    for (let x = e + 1, at = x * width + slot[e]; x < depth; x++, at += width) if (clocks[at] < since && x !== d) this.add(x)
    this.add(d)
  }

  /** As `isExplored` would find of the reversal of race (e, d), where that is seen at once. */
  isKnown(e: number, d: number): boolean {
    const { trail } = this.#path
    return trail.couldBeFirst[d] === 1 && !trail.anyOwn && this.#sleep.sleepsAlike(e, d)
  }

  /** It begins, at node e, with what sleeps there: it has been explored. @param whole what could wake who sleeps there is in it */
  isExplored(e: number, whole: boolean): boolean {
    const { from, to, free, choice, touched, own } = this.#sleep
    if (from[e] === to[e]) return false
    for (let k = from[e]; k < to[e]; k++) {
      this.#resetDrained(e)
      const first = this.#initial(choice[k], touched[k], own[k])
      if (first >= 0 || (first === INDEPENDENT && whole && k >= free[e])) return true
    }
    return false
  }

  /** Adds it to the wakeup tree of node `e`, which uses it up. */
  insert(e: number): void {
    const tree = this.#tree
    const { trail } = this.#path
    this.#resetDrained(e)
    this.#left = this.length
    let parent = 0
    let first = tree.first[e]
    for (;;) {
      let last = 0
      let matched = 0
      for (let node = first; node !== 0; node = tree.next[node]) {
        last = node
        const at = this.#initial(tree.choice[node], tree.touched[node], tree.own[node])
        if (at === CLASH) continue
        // Below what is planned everything is free, unless some alternatives sleep there: then the way is shown.
        if ((at >= 0 && this.#left === 1) || (tree.child[node] === 0 && !tree.anyForked)) return
        if (at >= 0) this.#remove(at)
        matched = node
        break
      }
      if (matched === 0) {
        let at = last
        for (let k = this.#begin; k < this.length; k++) {
          const x = this.events[k]
          if (x === GONE) continue
          const node = tree.make(trail.choice[x], trail.touched[x], trail.own[x])
          if (k === this.#begin) {
            if (last !== 0) tree.next[last] = node
            else if (parent !== 0) tree.child[parent] = node
            else tree.first[e] = node
          } else tree.child[at] = node
          at = node
        }
        return
      }
      if (choiceKind(tree.choice[matched]) === DRAIN) this.#drained[choiceVcpu(tree.choice[matched])]++
      parent = matched
      first = tree.child[matched]
    }
  }

  #resetDrained(e: number): void {
    const { trail } = this.#path
    if (!trail.anyOwn) return
    this.#drained.set(trail.drained)
    for (let x = e; x < trail.depth; x++) if ((trail.process[x] & 1) === 1) this.#drained[trail.process[x] >> 1]--
  }

  /** Removes the first event of a process. */
  #remove(at: number): void {
    const { events } = this
    const process = this.#path.trail.process[events[at]]
    const next = this.#next[at]
    if (next === 0 || next >= this.length) this.#stampOf[process] = 0
    else this.#placeOf[process] = next
    events[at] = GONE
    this.#left--
    while (events[this.#begin] === GONE) this.#begin++
  }

  /** Place in the sequence of an event that may come first there; INDEPENDENT: it is not in it, and could go before it; CLASH. */
  #initial(choice: number, touched: number, own: OwnReads | null): number {
    const { trail, dependence } = this.#path
    const process = processOf(choice)
    const occurs = this.#stampOf[process] === this.#stamp
    const place = occurs ? this.#placeOf[process] : this.length
    // Of alternatives, one alone stands for nothing that goes another way.
    if (occurs ? ((trail.choice[this.events[place]] ^ choice) & ~FORKED) !== 0 : (choice & FORKED) !== 0) return CLASH
    if (touched !== NOTHING && place > this.#begin) {
      if (touched === UNKNOWN) return CLASH
      if (trail.anyOwn) {
        if (this.#clashes(choice, touched, own, place)) return CLASH
      } else {
        // What the sequence is there for stands at its end.
        for (let k = place - 1; k >= this.#begin; k--) {
          const x = this.events[k]
          if (x !== GONE && dependence.clash(choice, touched, null, trail.choice[x], trail.touched[x], null, this.#drained)) return CLASH
        }
      }
    }
    return occurs ? place : INDEPENDENT
  }

  /** Whether the event is dependent on one that stands before `place`, where loads see own stores. */
  #clashes(choice: number, touched: number, own: OwnReads | null, place: number): boolean {
    const { trail, dependence } = this.#path
    const drained = this.#drained
    let result = false
    let passed = this.#begin
    for (; passed < place && !result; passed++) {
      const x = this.events[passed]
      if (x === GONE) continue
      result = dependence.clash(choice, touched, own, trail.choice[x], trail.touched[x], trail.own[x], drained)
      if ((trail.process[x] & 1) === 1) drained[trail.process[x] >> 1]++
    }
    for (let k = this.#begin; k < passed; k++) {
      const x = this.events[k]
      if (x !== GONE && (trail.process[x] & 1) === 1) drained[trail.process[x] >> 1]--
    }
    return result
  }
}

const GONE = -1
const INDEPENDENT = -1
const CLASH = -2
