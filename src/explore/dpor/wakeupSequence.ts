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
  }

  /** Becomes empty, with room for all events of the execution and one more. */
  clear(): void {
    const { trail } = this.#path
    if (this.events.length < trail.depth + 2) this.events = new Int32Array(trail.choice.length)
    this.length = 0
  }

  add(event: number): void {
    this.events[this.length++] = event
  }

  /** It begins, at node e, with what sleeps there: it has been explored. @param whole what could wake who sleeps there is in it */
  isExplored(e: number, whole: boolean): boolean {
    const { at, choice, touched, own, kind } = this.#sleep
    for (let k = at[e]; k < at[e + 1]; k++) {
      this.#resetDrained(e)
      const first = this.#initial(choice[k], touched[k], own[k])
      if (first >= 0 || (first === INDEPENDENT && whole && kind[k] === 0)) return true
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
        if (at >= 0) {
          this.length--
          for (let k = at; k < this.length; k++) this.events[k] = this.events[k + 1]
        }
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
      // Below what is planned everything is free, unless some alternatives sleep there: then the way is shown.
      if (this.length === 0 || (tree.child[matched] === 0 && !tree.anyForked)) return
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

  /** Place in the sequence of an event that may come first there; INDEPENDENT: it is not in it, and could go before it; CLASH. */
  #initial(choice: number, touched: number, own: OwnReads | null): number {
    const { trail, dependence } = this.#path
    const process = processOf(choice)
    const drained = this.#drained
    // Of alternatives, one alone stands for nothing that goes another way.
    let result = (choice & FORKED) === 0 ? INDEPENDENT : CLASH
    let restore = 0
    for (let k = 0; k < this.length; k++) {
      const x = this.events[k]
      if (trail.process[x] === process) {
        result = ((trail.choice[x] ^ choice) & ~FORKED) === 0 ? k : CLASH
        break
      }
      if (touched === UNKNOWN || (touched !== NOTHING && dependence.clash(choice, touched, own, trail.choice[x], trail.touched[x], trail.own[x], drained))) {
        result = CLASH
        break
      }
      if (trail.anyOwn && (trail.process[x] & 1) === 1) {
        drained[trail.process[x] >> 1]++
        restore = k + 1
      }
    }
    if (restore > 0)
      for (let k = 0; k < restore; k++) {
        const x = this.events[k]
        if ((trail.process[x] & 1) === 1) drained[trail.process[x] >> 1]--
      }
    return result
  }
}

const INDEPENDENT = -1
const CLASH = -2
