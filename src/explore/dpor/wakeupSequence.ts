/** A sequence of events of the present execution, as it is to be explored from an earlier node; and its place in the wakeup tree there. */
import { choiceKind, choiceVcpu, DRAIN } from '../../smp/choice.ts'
import { NOTHING, UNKNOWN } from './cells.ts'
import { FORKED, processOf, type OwnReads } from './dependence.ts'
import type { Path } from './path.ts'
import type { SleepSets } from './sleepSets.ts'
import type { WakeupTree } from './wakeupTree.ts'

export class WakeupSequence {
  /** Slots of the trail. */
  events = new Int32Array(256)
  length = 0
  /** By process: the place of its first event, where the stamp is that of this sequence. */
  readonly #placeOf: Int32Array
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
    this.#stampOf = new Int32Array(path.vcpus * 2)
  }

  /** Becomes empty, with room for all events of the execution and two more. */
  clear(): void {
    const { trail } = this.#path
    if (this.events.length < trail.depth + 2) this.events = new Int32Array(trail.choice.length)
    this.length = 0
    this.#stamp++
  }

  add(event: number): void {
    const process = this.#path.trail.process[event]
    if (this.#stampOf[process] !== this.#stamp) {
      this.#stampOf[process] = this.#stamp
      this.#placeOf[process] = this.length
    }
    this.events[this.length++] = event
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
    const { depth, clocks, width, process, slot, index } = this.#path.trail
    const { events } = this
    const stamp = this.#stamp
    const since = index[e]
    let length = 0
    for (let x = e + 1, at = x * width + slot[e]; x < depth; x++, at += width) {
      if (clocks[at] >= since || x === d) continue
      const p = process[x]
      if (this.#stampOf[p] !== stamp) {
        this.#stampOf[p] = stamp
        this.#placeOf[p] = length
      }
      events[length++] = x
    }
    this.length = length
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

  /** Adds it to the wakeup tree of node `e`. */
  insert(e: number): void {
    const tree = this.#tree
    const { trail } = this.#path
    this.#resetDrained(e)
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
        if ((at >= 0 && this.length === 1) || (tree.child[node] === 0 && !tree.anyForked)) return
        if (at >= 0) this.#remove(at)
        matched = node
        break
      }
      if (matched === 0) {
        let at = last
        for (let k = 0; k < this.length; k++) {
          const x = this.events[k]
          const node = tree.make(trail.choice[x], trail.touched[x], trail.own[x])
          if (k === 0) {
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
    const { process } = this.#path.trail
    const { events } = this
    const own = process[events[at]]
    this.#stampOf[own] = 0
    const length = --this.length
    for (let k = at; k < length; k++) {
      const x = events[k + 1]
      const p = process[x]
      events[k] = x
      if (p !== own) {
        if (this.#placeOf[p] === k + 1) this.#placeOf[p] = k
      } else if (this.#stampOf[p] === 0) {
        this.#stampOf[p] = this.#stamp
        this.#placeOf[p] = k
      }
    }
  }

  /** Place in the sequence of an event that may come first there; INDEPENDENT: it is not in it, and could go before it; CLASH. */
  #initial(choice: number, touched: number, own: OwnReads | null): number {
    const { trail, dependence } = this.#path
    const process = processOf(choice)
    const occurs = this.#stampOf[process] === this.#stamp
    const place = occurs ? this.#placeOf[process] : this.length
    // Of alternatives, one alone stands for nothing that goes another way.
    if (occurs ? ((trail.choice[this.events[place]] ^ choice) & ~FORKED) !== 0 : (choice & FORKED) !== 0) return CLASH
    if (touched === UNKNOWN && place > 0) return CLASH
    if (touched !== NOTHING && place > 0) {
      if (trail.anyOwn) {
        if (this.#clashes(choice, touched, own, place)) return CLASH
      } else {
        // What the sequence is there for stands at its end.
        for (let k = place - 1; k >= 0; k--) {
          const x = this.events[k]
          if (dependence.clash(choice, touched, null, trail.choice[x], trail.touched[x], null, this.#drained)) return CLASH
        }
      }
    }
    return occurs ? place : INDEPENDENT
  }

  /** Whether the event is dependent on one of the first `count` of the sequence, where loads see own stores. */
  #clashes(choice: number, touched: number, own: OwnReads | null, count: number): boolean {
    const { trail, dependence } = this.#path
    const drained = this.#drained
    let result = false
    let passed = 0
    for (; passed < count && !result; passed++) {
      const x = this.events[passed]
      result = dependence.clash(choice, touched, own, trail.choice[x], trail.touched[x], trail.own[x], drained)
      if ((trail.process[x] & 1) === 1) drained[trail.process[x] >> 1]++
    }
    for (let k = 0; k < passed; k++) {
      const x = this.events[k]
      if ((trail.process[x] & 1) === 1) drained[trail.process[x] >> 1]--
    }
    return result
  }
}

const INDEPENDENT = -1
const CLASH = -2
