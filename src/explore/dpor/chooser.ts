/** Whom to run where nothing is planned: all alternatives of one process that neither sleeps nor waits. */
import { choiceKind, choiceVcpu, DRAIN, packChoice, RUN } from '../../smp/choice.ts'
import { CHOICES_MAX } from '../explorable.ts'
import { FORKED, processOf } from './act.ts'
import { isInterrupt, type Budgets } from './budgets.ts'
import { grownFlags, UNKNOWN } from './cells.ts'
import type { Path } from './path.ts'
import type { SleepSets } from './sleepSets.ts'
import type { Waits } from './waits.ts'
import type { TreeNode, WakeupTree } from './wakeupTree.ts'

export const PLANNED = -1
export const NOBODY = -2

export class Chooser {
  /** Names of the last `list`. */
  readonly choices = new Int32Array(CHOICES_MAX)
  /** Where nobody could be chosen: somebody sleeps who could go on, or an interrupt is beyond the budget. */
  someAsleep = false
  someOverBudget = false
  /** By node: a vCPU waits there, and an interrupt was explored: others have to be, too. */
  more = new Uint8Array(257)
  readonly #path: Path
  readonly #tree: WakeupTree
  readonly #sleep: SleepSets
  readonly #waits: Waits
  readonly #budgets: Budgets

  constructor(path: Path, tree: WakeupTree, sleep: SleepSets, waits: Waits, budgets: Budgets) {
    this.#path = path
    this.#tree = tree
    this.#sleep = sleep
    this.#waits = waits
    this.#budgets = budgets
  }

  grow(): void {
    this.more = grownFlags(this.more)
  }

  /** The names of the choices at node d, where the machine stands, within the budgets, into `choices`; their number. */
  list(d: number): number {
    const { machine } = this.#path
    const count = machine.enabled(this.choices)
    let kept = 0
    this.someOverBudget = false
    for (let k = 0; k < count; k++) {
      const choice = this.choices[k]
      if (this.#budgets.forbids(d, choice)) this.someOverBudget = true
      else this.choices[kept++] = machine.identify(choice)
    }
    this.#budgets.pruned ||= this.someOverBudget
    return kept
  }

  /** Names of the ways that `vcpu` can go where the machine stands, with the budget of node e. */
  waysOf(vcpu: number, e: number): number[] {
    const count = this.list(e)
    return Array.from(this.choices.subarray(0, count)).filter((choice) => choiceVcpu(choice) === vcpu && choiceKind(choice) !== DRAIN)
  }

  /** The vCPU that would make this choice has not been stopped in this execution, and does not wait at node d. */
  goesOn(d: number, choice: number): boolean {
    const vcpu = choiceVcpu(choice)
    return choiceKind(choice) === DRAIN || (this.#path.stopped[vcpu] < 0 && (isInterrupt(choice) || !this.#waits.at(d, vcpu)))
  }

  /** An interrupt or NMI could be taken now. */
  canInterrupt(vcpu: number): boolean {
    const count = this.#path.machine.enabled(this.choices)
    for (let k = 0; k < count; k++) if (isInterrupt(this.choices[k]) && choiceVcpu(this.choices[k]) === vcpu) return true
    return false
  }

  /**
   * Whom to run at node d: the choice, where the process picked has one way to go and nothing else comes after it there; PLANNED: what
   * stands in the wakeup tree now; NOBODY.
   */
  choose(d: number): number {
    const tree = this.#tree
    this.#sleep.sleepFreely(d)
    this.more[d] = 0
    const only = this.#onlyWay(d)
    if (only >= 0) return only
    const count = this.list(d)
    let picked = -1
    let first = -1
    let half = -1
    const last = d > 0 ? this.#path.trail.events[d - 1].act.process & ~1 : -1
    for (let k = 0; k < count && picked < 0; k++) {
      const process = processOf(this.choices[k])
      if (!this.goesOn(d, this.choices[k]) || this.#sleep.sleeps(d, this.choices[k])) continue
      if (this.#halfAsleep(d, process, count)) half = process
      else if (process === last) picked = process
      else if (first < 0 || ((first & 1) === 1 && (process & 1) === 0)) first = process
    }
    if (picked < 0) picked = first
    if (picked < 0 && half < 0) {
      this.someAsleep = false
      for (let k = 0; k < count && !this.someAsleep; k++) this.someAsleep = this.goesOn(d, this.choices[k])
      return NOBODY
    }
    let tail: TreeNode | null = null
    for (let k = 0; k < count; k++) {
      if ((picked >= 0 && processOf(this.choices[k]) !== picked) || !this.goesOn(d, this.choices[k]) || this.#sleep.sleeps(d, this.choices[k])) continue
      const node = tree.make(this.#path.acts.make(this.choices[k], UNKNOWN, null))
      if (tail === null) tree.first[d] = node
      else tail.next = node
      tail = node
    }
    // Of a vCPU that waits only interrupts were picked: the others have their turn after them.
    this.more[d] = picked >= 0 && (picked & 1) === 0 && this.#waits.at(d, picked >> 1) ? 1 : 0
    return PLANNED
  }

  /** Where the process picked has one way to go: it; -1: it takes a closer look. */
  #onlyWay(d: number): number {
    const { machine, trail, stopped, vcpus } = this.#path
    if (!machine.running()) return -1
    const sleep = this.#sleep
    const last = d > 0 ? trail.events[d - 1].act.process >> 1 : 0
    for (let k = -1; k < vcpus; k++) {
      const v = k < 0 ? last : k
      if (stopped[v] >= 0 || this.#waits.at(d, v) || !machine.canContinue(v)) continue
      // An alternative that sleeps may leave others that do not.
      if (machine.alternatives(v) > 1) return -1
      if (!sleep.processSleeps(d, v * 2)) return packChoice(RUN, v)
    }
    for (let v = 0; v < vcpus; v++) {
      if (machine.alternatives(v) > 1) return -1
      if (machine.bufferedStoresOf(v) > 0 && !sleep.processSleeps(d, v * 2 + 1)) return packChoice(DRAIN, v)
    }
    return -1
  }

  /**
   * What else the process could do here, besides `choice`, which was planned: other orders of halves, other data. Where
   * one of these sleeps, it may wake up before the process goes this way at all: everybody else may come first.
   */
  addAlternatives(choice: number, d: number): void {
    const tree = this.#tree
    const count = this.list(d)
    const process = processOf(choice)
    const half = this.#halfAsleep(d, process, count)
    for (let k = 0; k < count; k++) {
      const other = this.choices[k]
      if (other === choice || (processOf(other) !== process && !half) || this.#sleep.sleeps(d, other) || !this.goesOn(d, other)) continue
      let known = false
      for (let node = tree.first[d]; node !== null && !known; node = node.next) known = (node.act.choice & ~FORKED) === other
      if (known) continue
      tree.first[d] = tree.splice(tree.first[d], tree.make(this.#path.acts.make(other, UNKNOWN, null)))
      this.#sleep.sleepFreely(d)
    }
  }

  /** Some alternatives of the process sleep, and some do not. */
  #halfAsleep(d: number, process: number, count: number): boolean {
    for (let k = 0; k < count; k++) if (processOf(this.choices[k]) === process && this.#sleep.sleepsLightly(d, this.choices[k])) return true
    return false
  }
}
