/** One pass of a search (search.ts): the walk through the executions, one event further or back at a time. */
import { choiceKind, choiceVcpu, DRAIN, RUN } from '../../smp/choice.ts'
import { resourceCount } from '../../smp/footprint.ts'
import { EIP } from '../../cpu/registers.ts'
import { workOf } from '../explorable.ts'
import { Pace } from '../pace.ts'
import { isLive } from '../liveness/stateGraph.ts'
import { Orders } from '../orders.ts'
import type { Verdict } from '../verdict.ts'
import { FORKED } from './act.ts'
import { Budgets, isInterrupt } from './budgets.ts'
import { grown, grownFlags, GRANULES_MAX, UNKNOWN } from './cells.ts'
import { Chooser, NOBODY, PLANNED } from './chooser.ts'
import { LastLoads } from './lastLoads.ts'
import { Loops } from './loops.ts'
import { OpenWays } from './openWays.ts'
import type { Counts, DporOptions, Task } from './options.ts'
import { Path } from './path.ts'
import type { Reducible } from './reducible.ts'
import { describeEndless, Returns } from './returns.ts'
import { Reversals } from './reversals.ts'
import { SleepSets } from './sleepSets.ts'
import { Waits } from './waits.ts'
import { WakeupSequence } from './wakeupSequence.ts'
import { WakeupTree, type TreeNode } from './wakeupTree.ts'

const LEARN_EVENTS = 256
/** Events of one execution at the most. */
const DEPTH_MAX = 100_000

export class Pass {
  readonly counts: Counts = { complete: 0, cut: 0, discarded: 0, redundant: 0, endless: 0 }
  readonly orders = new Orders()
  events = 0
  readonly #machine: Reducible
  readonly #options: DporOptions
  readonly #started: number
  readonly #pace: Pace
  readonly #path: Path
  readonly #tree = new WakeupTree()
  readonly #sleep: SleepSets
  readonly #waits: Waits
  readonly #loops: Loops
  readonly #budgets: Budgets
  readonly #chooser: Chooser
  readonly #reversals: Reversals
  readonly #openWays: OpenWays
  readonly #returns: Returns
  readonly #lastLoads: LastLoads
  /** Per node: some event has been explored from there, and choices whose executions are all explored. */
  #expanded = new Uint8Array(256)
  #finished = new Int32Array(256)
  /** Events from here on are new since the last execution ended. */
  #newFrom = 0
  /** In some execution a vCPU works in a loop for ever. */
  #endless = false
  #entering = true
  #over = false
  #problem: string | null = null
  #unreducible: string | null

  constructor(machine: Reducible, options: DporOptions, started: number, waitPlaces: Set<number>) {
    this.#machine = machine
    this.#options = options
    this.#started = started
    this.#pace = new Pace(options, started)
    const path = new Path(machine, options)
    this.#path = path
    this.#sleep = new SleepSets(path)
    this.#waits = new Waits(path, waitPlaces)
    this.#loops = new Loops(path)
    this.#budgets = new Budgets(path, options)
    this.#chooser = new Chooser(path, this.#tree, this.#sleep, this.#waits, this.#budgets)
    const sequence = new WakeupSequence(path, this.#tree, this.#sleep)
    this.#reversals = new Reversals(path, sequence, this.#loops)
    this.#lastLoads = new LastLoads(path, this.#sleep, this.#waits)
    this.#openWays = new OpenWays(path, sequence, this.#chooser)
    this.#returns = new Returns((isLive(machine) && options.makeAside) || null)
    const granules = machine.granules.memory + resourceCount(machine.vcpuCount)
    this.#unreducible = machine.unreducible ?? (granules > GRANULES_MAX ? 'dpor does not handle so much memory; use --engine graph' : null)
    if (machine.violation !== null) this.#violated([])
    else if (options.task !== undefined && this.#unreducible === null) this.#start(options.task)
  }

  #start({ prefix, sleep }: Task): void {
    for (const choice of prefix) {
      if (this.#over || !this.#enter(choice)) throw new Error('the prefix of a task cannot be carried out')
    }
    const floor = this.#path.trail.depth
    this.#noteOrders(0)
    this.#path.floor = floor
    this.#newFrom = floor
    for (const choice of sleep) {
      if (!this.#enter(choice)) throw new Error('what sleeps in a task is not enabled there')
      if (this.#over) return
      if (this.#path.trail.depth > floor) this.#back()
    }
    this.#sleep.begin(floor)
    this.#expanded[floor] = 0
    this.#finished[floor] = 0
    this.#chooser.more[floor] = 0
    this.#entering = true
    this.events = 0
  }

  /** Takes a choice of the machine's that nothing is planned below. False: it is not enabled. */
  #enter(actual: number): boolean {
    const d = this.#path.trail.depth
    this.#makeRoom(d)
    const { choices } = this.#chooser
    const count = this.#machine.enabled(choices)
    if (!choices.subarray(0, count).includes(actual)) return false
    const name = this.#machine.identify(actual)
    if (this.#path.locate(name) !== actual) return false
    const forked = choiceKind(name) !== DRAIN && this.#machine.alternatives(choiceVcpu(name)) > 1
    this.#take(forked ? name | FORKED : name, actual, d, null)
    return true
  }

  split(): Task[] {
    const tasks: Task[] = []
    const { floor: d, trail } = this.#path
    if (this.#over || this.#unreducible !== null) return tasks
    const names = this.#chooser.choices.slice(0, this.#chooser.list(d))
    for (const name of names) {
      const choice = this.#path.locate(name)
      if (choice < 0 || !this.#chooser.goesOn(d, name) || this.#sleep.sleeps(d, name)) continue
      this.#enter(choice)
      if (this.#over || this.grown) return []
      if (trail.depth === d) continue
      // Names are this machine's own; choices mean the same to all that stand at the same place.
      const prefix = trail.events.slice(0, d + 1).map(({ actual }) => actual)
      const sleep = this.#sleep.list(d + 1).map(({ choice: asleep }) => this.#path.locate(asleep & ~FORKED))
      tasks.push({ prefix, sleep: sleep.filter((one) => one >= 0) })
      this.#back()
    }
    return tasks
  }

  /** By Knuth's estimate: at every node of the present execution the known choices weigh the same. */
  get done(): number {
    if (this.#over) return 1
    const { floor, trail } = this.#path
    let done = 0
    let weight = 1
    for (let d = floor; d <= trail.depth; d++) {
      let known = this.#finished[d] + (d < trail.depth ? 1 : 0)
      for (let node = this.#tree.first[d]; node !== null; node = node.next) known++
      if (known === 0) break
      done += (weight * this.#finished[d]) / known
      weight /= known
    }
    return done
  }

  stop(problem: string): void {
    this.#problem ??= problem
    this.#over = true
  }

  advance(): 'paused' | 'over' | 'grown' {
    this.#pace.resume(this.work)
    if (!this.#over) this.#checkLimits()
    while (!this.#over) {
      if (this.#unreducible !== null) break
      if (!this.#step()) break
      if (this.grown && this.#learntEnough()) return 'grown'
      if (this.#pace.looks(this.work) || this.events > (this.#options.events ?? Infinity)) this.#checkLimits()
      if (this.#pace.pauses(this.work) && !this.#over) return 'paused'
    }
    if (this.grown && this.#problem === null) return 'grown'
    this.#over = true
    return 'over'
  }

  get work(): number {
    return workOf(this.events, this.#machine)
  }
  /** Of whole slices. */
  get workDone(): number {
    return this.#pace.done
  }

  /**
   * Goes on for a while with what it has just learnt before it starts again: shared memory rarely comes alone. What it finds
   * from then on is not evidence: stores that took the memory for private have overtaken those in the buffer.
   */
  #learntEnough(): boolean {
    if (this.#learnUntil < 0) this.#learnUntil = this.events + Math.max(LEARN_EVENTS, this.events >> 1)
    return this.events >= this.#learnUntil || this.#machine.unreducible !== null
  }
  #learnUntil = -1

  /** What was explored so far took accesses or waits for something else than they are. */
  get grown(): boolean {
    return this.#machine.sharing.grown || this.#waits.grown
  }

  verdict(problem: string | null): Verdict {
    const { weaknesses } = this.#machine
    const { violation, schedule, cycleFrom } = this.#path
    const { pruned, bounds } = this.#budgets
    const { discarded, redundant, cut, endless } = this.counts
    const problems = [problem, this.#problem, this.#unreducible, endless === 0 ? null : describeEndless(endless)].filter((one) => one !== null)
    const common = {
      bounds: {}, states: this.events + 1, executions: this.counts.complete, events: this.events,
      seconds: (performance.now() - this.#started) / 1000, engine: 'dpor', cost: null,
      orders: { pairs: this.orders.pairs, both: this.orders.both },
      others: { discarded, redundant, cut, endless },
    }
    if (violation !== null && !this.grown) return { ...common, verdict: 'violated', strength: 'complete', reasons: [], violation, schedule, ...(cycleFrom < 0 ? {} : { cycleFrom }) }
    const unfinished = problems.length > 0 || !this.#over
    return {
      ...common,
      bounds: pruned ? bounds : {},
      ...(this.#endless || pruned ? { liveness: { covered: 'none', text: pruned ? 'not judged: executions beyond the bounds were left out' : 'not judged: a vCPU goes on in a loop for ever' } } : {}),
      verdict: unfinished ? 'unknown' : 'holds',
      strength: unfinished || weaknesses.size > 0 || pruned ? 'bounded' : 'complete',
      reasons: [...problems, ...weaknesses],
      violation: null,
      schedule: null,
    }
  }

  /** One event further, or back. False: everything is explored. */
  #step(): boolean {
    const tree = this.#tree
    const d = this.#path.trail.depth
    let only = PLANNED
    if (this.#entering) {
      this.#makeRoom(d)
      this.#entering = false
      if (tree.first[d] === null && this.#expanded[d] === 0) {
        only = this.#returns.node === d ? NOBODY : this.#chooser.choose(d)
        if (only === NOBODY) {
          this.#end()
          return !this.#over && this.#back()
        }
        if (only >= 0 && this.#endsInLoads(d, only)) return !this.#over && this.#back()
      }
    }
    if (only < 0 && tree.first[d] === null && this.#chooser.more[d] === 1) only = this.#chooser.choose(d)
    if (only >= 0) {
      this.#take(only, only, d, null)
      return true
    }
    const node = tree.first[d]
    if (node === null) return this.#back()
    tree.first[d] = node.next
    let choice = node.act.choice & ~FORKED
    const planned = node.act.touched !== UNKNOWN
    const below = node.child
    tree.free(node)
    if (this.#sleep.sleepsSinceBegin(d, choice)) {
      // That way lies another task; what was planned may also be reached by another.
      tree.freeAll(below)
      this.#entering = true
      return true
    }
    if (this.#budgets.forbids(d, choice)) {
      this.#budgets.pruned = true
      tree.freeAll(below)
      return true
    }
    const actual = this.#path.locate(choice)
    if (actual < 0) {
      // A fence that had nothing to wait for in this order is no event of its own. Where it is all that is left of a plan, others may rely on what
      // was free below it.
      if (below === null) this.#chooser.more[d] = 1
      tree.first[d] = tree.splice(below, tree.first[d])
      return true
    }
    if (choiceKind(choice) !== DRAIN && this.#machine.alternatives(choiceVcpu(choice)) > 1) {
      if (planned) this.#chooser.addAlternatives(choice, d)
      choice |= FORKED
      tree.anyForked = true
    }
    this.#take(choice, actual, d, below)
    return true
  }

  #take(choice: number, actual: number, d: number, below: TreeNode | null): void {
    const machine = this.#machine
    const path = this.#path
    const { trail, cells } = path
    const event = trail.events[d]
    const vcpu = choiceVcpu(choice)
    const drain = choiceKind(choice) === DRAIN
    const running = machine.running()
    const before = machine.bufferedStoresOf(vcpu)
    const eip = machine.registersOf(vcpu)[EIP] >>> 0
    const { h0, h1 } = machine.store
    const fenced = !drain && machine.needsDrains(actual)
    event.blockable = !drain && machine.canBeBlocked(actual)
    event.actual = actual
    event.stepAt = machine.step
    this.#openWays.note(d, choice, before)
    if (isLive(machine) && isInterrupt(choice) && running) this.#returns.judgeStop(machine, () => path.choices())
    const outcome = machine.take(actual)
    this.events++
    cells.read(machine.footprint)
    event.varies = cells.varies || machine.footprintsVary
    if (outcome === 1 && !this.#budgets.forbidsFetch(d)) return this.#violated([...path.choices(), actual])
    const cut = outcome >= 1
    const quiet = !drain && outcome === 0 && machine.quiet && running && machine.running() && machine.canContinue(vcpu)
    if (!drain) this.#loops.note(d, quiet)
    if (!drain && this.#waits.isPlace()) event.blockable = true
    if (quiet && this.#loops.closesTurn(d, trail.lastOf(vcpu), vcpu)) {
      // It waits: without this turn of a loop it stands where it stood, and others may change what it reads.
      this.#waits.add(d, vcpu)
      machine.undo()
      this.#tree.freeAll(below)
      // Others may rely on what was planned, or free, below it.
      this.#chooser.more[d] = 1
      this.#entering = true
      return
    }
    const stores = drain || cut ? 0 : machine.bufferedStoresOf(vcpu) - before
    if (cut) {
      // The others go on without it: what they do may show another order in which it is not cut.
      machine.undo()
      path.halt(vcpu, d)
    }
    event.real = !cut
    trail.push(choice, stores, fenced, !running)
    this.#entering = true
    if (!this.#budgets.count(d, choice)) {
      // As if it could not be chosen.
      this.#takeBack(d, vcpu)
      this.#budgets.pruned = true
      this.#tree.freeAll(below)
      this.#sleep.addBack(d)
      return
    }
    this.#expanded[d] = 1
    this.#expanded[d + 1] = 0
    this.#finished[d + 1] = 0
    this.#chooser.more[d + 1] = 0
    this.#sleep.passOn(d)
    this.#waits.passOn(d)
    this.#tree.first[d + 1] = below
    // It began an instruction, which waits for its own stores, and has come nowhere.
    const waits = machine.store.h0 === h0 && machine.store.h1 === h1 && !machine.canContinue(vcpu)
    // Planned ways come to their end.
    if (!drain && !cut && !waits && below === null && machine.registersOf(vcpu)[EIP] >>> 0 <= eip) this.#returns.note(d + 1, machine.store)
    if (d + 2 > DEPTH_MAX) this.stop(`an execution of more than ${DEPTH_MAX} events`)
  }

  /** Goes back over the last event, which sleeps from now on; and on to where something is left to explore. False: nowhere. */
  #back(): boolean {
    const { trail, floor } = this.#path
    const { first } = this.#tree
    const { more } = this.#chooser
    for (;;) {
      if (trail.depth === floor) return false
      const d = trail.depth - 1
      this.#finished[d]++
      this.#takeBack(d, trail.events[d].act.process >> 1)
      if (d < this.#newFrom) this.#newFrom = d
      if (first[d] === null && more[d] === 0 && d > floor) continue
      this.#sleep.addBack(d)
      return true
    }
  }

  #takeBack(d: number, vcpu: number): void {
    const path = this.#path
    if (path.trail.events[d].real) this.#machine.undo()
    path.unhalt(vcpu, d)
    path.trail.pop()
    this.#returns.backTo(d)
  }

  /** The execution ends here: plans the reversals of its races. */
  #end(): void {
    const { trail } = this.#path
    const node = trail.depth
    const ending = this.#returns.node === node ? 'endless' : this.#ending(node)
    if (ending === 'deadlock') return
    this.counts[ending]++
    this.#options.onEnd?.(ending, this.#path.choices())
    if (isLive(this.#machine)) this.#returns.noteEnd(this.#machine)
    if (ending === 'endless') this.#returns.judge(this.#path.choices(), this.#path.choices(this.#returns.from).length)
    this.#plan()
    if (this.#over) return
    for (let v = 0; v < this.#path.vcpus; v++) if (this.#waits.at(node, v) || this.#pollsInVain(v)) this.#reversals.reverseWait(v)
  }

  /** Nothing but last loads follows from node d, where `only` was chosen: the execution has ended there, if nobody looks at its end. */
  #endsInLoads(d: number, only: number): boolean {
    const { trail, vcpus } = this.#path
    const { onEnd, fault } = this.#options
    if (choiceKind(only) !== RUN || onEnd !== undefined || fault !== undefined || this.#openWays.any) return false
    this.#makeRoom(d + vcpus)
    if (!this.#lastLoads.append(d, choiceVcpu(only))) return false
    this.events += trail.depth - d
    this.counts.complete++
    this.#returns.noteAllEnd(vcpus)
    this.#plan()
    this.#lastLoads.remove(d)
    this.#newFrom = Math.min(this.#newFrom, d)
    return true
  }

  /** The execution has ended: plans what has to be explored besides. */
  #plan(): void {
    const { trail } = this.#path
    const { livelock } = this.#returns
    if (livelock !== null) this.#path.fail(livelock.violation, livelock.lasso.schedule, livelock.lasso.from)
    this.#reversals.reverseRaces(this.#newFrom)
    this.#openWays.reverse(this.#newFrom)
    this.#noteOrders(this.#newFrom)
    if (this.#path.violation !== null) {
      this.#over = true
      return
    }
    this.#newFrom = trail.depth
  }

  /** It is blocked: it goes on where what it polls is set. */
  #pollsInVain(vcpu: number): boolean {
    return this.#path.stopped[vcpu] < 0 && this.#machine.polledAddress(vcpu) >= 0 && !this.#machine.canContinue(vcpu)
  }

  #ending(node: number): keyof Counts | 'deadlock' {
    if (this.#chooser.someAsleep) return 'redundant'
    if (this.#path.stoppedCount > 0 || this.#chooser.someOverBudget) return 'cut'
    const waiting = this.#waits.list(node)
    if (waiting.length === 0) return 'complete'
    let waits = false
    for (const vcpu of waiting) {
      const fate = this.#loops.fateOf(vcpu)
      if (fate === 'leaves') return 'discarded'
      waits ||= fate === 'waits'
    }
    if (!waits) {
      this.#endless = true
      return 'complete'
    }
    const machine = this.#machine
    const who = waiting.map((v) => `vCPU ${v} at ${machine.symbolize(machine.registersOf(v)[EIP])}`)
    const eip = machine.registersOf(waiting[0])[EIP] >>> 0
    const message = `nobody can go on: ${who.join('; ')} in a loop that waits for others`
    this.#path.fail({ kind: 'deadlock', message, vcpu: waiting[0], eip }, this.#path.choices())
    this.#over = true
    return 'deadlock'
  }

  /** Of the events from `from` on. */
  #noteOrders(from: number): void {
    const { trail, cells } = this.#path
    const { events, races, depth } = trail
    for (let d = from; d < depth; d++) {
      const { act, raceAt, raceEnd } = events[d]
      for (let k = raceAt; k < raceEnd; k++) {
        const other = events[races[k]].act
        this.orders.noteAccesses(other.process, cells.first(other.touched), act.process, cells.first(act.touched))
      }
    }
  }

  #violated(schedule: number[]): void {
    this.#path.fail(this.#machine.violation!, schedule)
    this.#over = true
  }

  #checkLimits(): void {
    const { events, memory } = this.#options
    if (memory?.isOver() === true) this.stop(memory.reason)
    if (this.#pace.timeIsOver) this.stop('the time was over')
    if (events !== undefined && this.events > events) this.stop('the limit of events was reached')
  }

  /** Room for node d and what follows from an event there. */
  #makeRoom(d: number): void {
    if (d + 2 <= this.#finished.length) return
    this.#grow()
    this.#makeRoom(d)
  }

  #grow(): void {
    this.#finished = grown(this.#finished)
    this.#expanded = grownFlags(this.#expanded)
    for (const one of [this.#path.trail, this.#tree, this.#sleep, this.#budgets, this.#chooser, this.#openWays]) one.grow()
    this.#waits.grow(this.#finished.length)
  }
}
