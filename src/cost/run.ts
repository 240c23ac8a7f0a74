/**
 * A guest program in virtual time: vCPUs on fewer or as many pCPUs, with timeslices, every executed instruction and every
 * event counted and charged by a table (table.ts). One deterministic run, through the same machine as the engines use;
 * same program, same table, same numbers. Stores reach memory at once.
 *
 * The hypervisor of the run is a round-robin scheduler: a vCPU that blocks or halts gives its pCPU up, one that was
 * woken queues at the end, a timeslice ends by preemption where others wait. A vCPU with an XM_NMI takes it then, and leaves
 * its pCPU where the handler says XM_OFF_CPU, or at its end: guest code that plays the hypervisor tells others who runs.
 */
import { opcodeGroup } from './opcodeGroup.ts'
import type { CostTable } from './table.ts'
import { choiceKind, choiceVcpu, DESCHEDULE, DRAIN, INTERRUPT, isDeclared, NMI, packChoice, RUN, SCHEDULE } from '../smp/choice.ts'
import type { MachineEvent } from '../smp/events.ts'
import type { MachineImage } from '../smp/image.ts'
import { Machine } from '../smp/machine.ts'
import { PageMap } from '../smp/memory.ts'
import { makeModel, type Model } from '../smp/model.ts'
import type { Violation } from '../smp/monitor.ts'
import { Sharing } from '../smp/sharing.ts'

export interface CostOptions {
  readonly table: CostTable
  /** Physical CPUs; 0: as many as there are vCPUs. */
  readonly pcpus: number
  /** Timeslice, in cycles. */
  readonly quantum: number
  /** Virtual time at which the run is given up, in cycles. */
  readonly cyclesMax: number
  /** Events (choices taken) at which it is. */
  readonly eventsMax: number
}

/** Raw counts, of one vCPU or of all. */
export interface Counters {
  instructions: number
  /** PAUSE: turns of spin loops. */
  pauses: number
  accesses: number
  lineTransfers: number
  locked: number
  serializations: number
  codeWrites: number
  ipis: number
  interrupts: number
  kicks: number
  blocks: number
  hypercalls: number
  /** What hypercalls that are guest code asked for: entries of multicalls. */
  operations: number
  contextSwitches: number
  preemptions: number
  /** Cycles on a pCPU, and waiting for one. */
  busy: number
  waiting: number
}

/** An interval that the guest marked: XM_BEGIN(name) .. XM_END(name). */
export interface Interval {
  readonly name: string
  readonly vcpu: number
  readonly from: number
  readonly to: number
}

export interface CostResult {
  /** Virtual time at the end, in cycles. */
  readonly cycles: number
  readonly ended: boolean
  readonly violation: Violation | null
  readonly total: Counters
  readonly vcpus: readonly Counters[]
  readonly intervals: readonly Interval[]
  /** XM_PROGRESS marks that were passed. */
  readonly progress: number
  /** Choices of the machine. */
  readonly events: number
}

const zero = (): Counters => ({
  instructions: 0, pauses: 0, accesses: 0, lineTransfers: 0, locked: 0, serializations: 0, codeWrites: 0, ipis: 0, interrupts: 0, kicks: 0, blocks: 0,
  hypercalls: 0, operations: 0, contextSwitches: 0, preemptions: 0, busy: 0, waiting: 0,
})

/** Runs `image` to its end, or to a limit. */
export function runCost(image: MachineImage, options: CostOptions): CostResult {
  // Short stretches of local work: timeslices end in between.
  const model = makeModel({ fetch: 'coherent', localSteps: 16 })
  const pages = new PageMap(image.regions)
  const sharing = new Sharing(pages.sizeBytes / 4, image.vcpus.length)
  // What is shared is learnt while running: start again until nothing new shows.
  for (;;) {
    sharing.grown = false
    const run = new CostRun(image, model, options, pages, sharing)
    while (!sharing.grown && run.step()) {}
    if (!sharing.grown) return run.result()
  }
}

/** A declared NMI: an exit to the guest's hypervisor, at the end of a timeslice. */
function isExit(choice: number): boolean {
  return choiceKind(choice) === NMI && isDeclared(choice)
}

interface PhysicalCpu {
  /** Its clock, in cycles. */
  time: number
  vcpu: number
  /** When the timeslice of `vcpu` ends. */
  sliceEnds: number
  /** Events in a row that cost nothing. */
  free: number
}

/** So many events that cost nothing, and it is the turn of another whose clock says the same: a table may have free instructions. */
const FREE_EVENTS = 64

class CostRun {
  readonly #machine: Machine
  readonly #options: CostOptions
  readonly #counters: Counters[]
  readonly #pcpus: PhysicalCpu[]
  /** vCPUs that could run and have no pCPU, and since when. */
  readonly #queue: { vcpu: number; since: number }[] = []
  readonly #choices = new Int32Array(8192)
  /** Per line: who holds a copy, as bits. */
  readonly #holders = new Map<number, number>()
  /** Per line: who has executed from it, as bits (flat, paging off: linear is physical). */
  readonly #executors = new Map<number, number>()
  readonly #open = new Map<string, number>()
  readonly #intervals: Interval[] = []
  readonly #lineShift: number
  readonly #debts: number[]
  /** vCPUs whose timeslice is over and whose hypervisor runs (`exit`), or has said that they are off their pCPU. */
  readonly #leaving = new Map<number, 'exit' | 'off'>()
  #events = 0
  /** Cycles of the step at work. */
  #charge = 0
  #now = 0

  constructor(image: MachineImage, model: Model, options: CostOptions, pages: PageMap, sharing: Sharing) {
    this.#options = options
    this.#lineShift = 31 - Math.clz32(model.cpu.lineBytes)
    const vcpus = image.vcpus.length
    this.#counters = Array.from({ length: vcpus }, zero)
    const pcpus = options.pcpus === 0 ? vcpus : Math.min(options.pcpus, vcpus)
    this.#pcpus = Array.from({ length: pcpus }, (_, k) => ({ time: 0, vcpu: k, sliceEnds: options.quantum, free: 0 }))
    for (let v = pcpus; v < vcpus; v++) this.#queue.push({ vcpu: v, since: 0 })
    // The machine runs up to its first events as it is made: they are charged when their vCPU first gets a pCPU.
    const early: MachineEvent[] = []
    this.#machine = new Machine(image, model, {
      pages,
      sharing,
      observe: () => (event) => early.push(event),
      // Accesses that no scheduling point is needed for move lines too.
      monitors: [{ name: 'cost', ghostWords: () => 0, attach: () => {}, onAccess: (vcpu, physical, _, write) => this.#line(vcpu, physical, write) }],
    })
    this.#machine.observer = (event) => this.#observe(event)
    this.#debts = this.#counters.map((_, vcpu) => {
      this.#charge = 0
      for (const event of early) if (event.vcpu === vcpu) this.#observe(event)
      return this.#charge
    })
    for (const { vcpu } of this.#queue) this.#tell(DESCHEDULE, vcpu)
    for (const cpu of this.#pcpus) this.#payDebt(cpu)
  }

  /** One choice of the machine, or one decision of the scheduler. False: the end. */
  step(): boolean {
    const machine = this.#machine
    if (machine.violation !== null || this.#events >= this.#options.eventsMax) return false
    let count = machine.enabled(this.#choices)
    if (count === 0) return false
    const busy = this.#pcpus.filter((one) => one.vcpu >= 0)
    this.#wake(count)
    this.#fill()
    const next = this.#earliest()
    if (next === null) return busy.length > 0 && this.#giveUp()
    if (next.time >= this.#options.cyclesMax) return false
    // Who got a pCPU meanwhile can run now.
    if (machine.image.stealTime !== undefined) count = machine.enabled(this.#choices)
    const choice = this.#choose(next.vcpu, count)
    if (choice < 0) {
      this.#release(next)
      return true
    }
    const leaving = this.#leaving.get(next.vcpu)
    if (leaving === 'off' || (leaving === 'exit' && this.#machine.cpus[next.vcpu].canTakeNmi())) this.#preempt(next)
    else if (leaving === undefined && next.time >= next.sliceEnds && this.#queue.some((one) => one.since <= next.time)) this.#endSlice(next, choice, count)
    else this.#take(next, choice)
    return true
  }

  /** The timeslice is over: the vCPU's hypervisor runs first where it has one, as soon as it can. */
  #endSlice(cpu: PhysicalCpu, choice: number, count: number): void {
    const { vcpu } = cpu
    const hasHypervisor = this.#machine.image.interrupts.some((source) => source.nmi && source.vcpu === vcpu)
    if (!hasHypervisor || cpu.time >= cpu.sliceEnds + this.#options.quantum) return this.#canTell(DESCHEDULE, vcpu) ? this.#preempt(cpu) : this.#take(cpu, choice)
    const exit = this.#choices.subarray(0, count).find((one) => choiceVcpu(one) === vcpu && isExit(one))
    if (exit === undefined) return this.#take(cpu, choice)
    this.#leaving.set(vcpu, 'exit')
    this.#take(cpu, exit)
  }

  /** Nobody sees who has a pCPU, or the machine's hypervisor (XM_STEAL_TIME) can do what this one has decided: between two instructions. */
  #canTell(kind: number, vcpu: number): boolean {
    return this.#machine.image.stealTime === undefined || this.#choices.subarray(0, this.#machine.enabled(this.#choices)).includes(packChoice(kind, vcpu))
  }
  #tell(kind: number, vcpu: number): void {
    if (this.#machine.image.stealTime !== undefined && this.#canTell(kind, vcpu)) this.#machine.take(packChoice(kind, vcpu))
  }

  #take(cpu: PhysicalCpu, choice: number): void {
    const counters = this.#counters[cpu.vcpu]
    this.#charge = 0
    this.#now = cpu.time
    const kind = choiceKind(choice)
    if ((kind === INTERRUPT || kind === NMI) && !isExit(choice)) {
      counters.interrupts++
      this.#charge += this.#options.table.interrupt
    }
    this.#machine.take(choice)
    this.#events++
    while (this.#machine.violation === null && this.#machine.bufferedStoresOf(cpu.vcpu) > 0) {
      this.#machine.take(packChoice(DRAIN, cpu.vcpu))
      this.#events++
    }
    this.#machine.forget()
    cpu.time += this.#charge
    cpu.free = this.#charge > 0 ? 0 : cpu.free + 1
    counters.busy += this.#charge
  }

  /** What `vcpu` does next: an interrupt that can be taken, or its own next event. -1: nothing. */
  #choose(vcpu: number, count: number): number {
    let run = -1
    for (let k = 0; k < count; k++) {
      const choice = this.#choices[k]
      if (choiceVcpu(choice) !== vcpu || isExit(choice)) continue
      const kind = choiceKind(choice)
      if (kind === INTERRUPT || kind === NMI || kind === DRAIN) return choice
      if (kind === RUN && run < 0 && this.#machine.canContinue(vcpu)) run = choice
    }
    return run
  }

  /** vCPUs without a pCPU that could go on queue for one. */
  #wake(count: number): void {
    for (let k = 0; k < count; k++) {
      const vcpu = choiceVcpu(this.#choices[k])
      if (this.#pcpus.some((one) => one.vcpu === vcpu) || this.#queue.some((one) => one.vcpu === vcpu)) continue
      if (choiceKind(this.#choices[k]) === SCHEDULE || this.#choose(vcpu, count) >= 0) this.#queue.push({ vcpu, since: this.#now })
    }
  }

  /** Idle pCPUs take from the queue. */
  #fill(): void {
    for (const cpu of this.#pcpus) {
      if (cpu.vcpu >= 0 || this.#queue.length === 0) continue
      const { vcpu, since } = this.#queue.shift()!
      cpu.time = Math.max(cpu.time, since)
      this.#counters[vcpu].waiting += cpu.time - since
      this.#counters[vcpu].contextSwitches++
      cpu.time += this.#options.table.contextSwitch
      cpu.vcpu = vcpu
      cpu.sliceEnds = cpu.time + this.#options.quantum
      this.#tell(SCHEDULE, vcpu)
      this.#payDebt(cpu)
    }
  }

  #payDebt(cpu: PhysicalCpu): void {
    cpu.time += this.#debts[cpu.vcpu]
    this.#counters[cpu.vcpu].busy += this.#debts[cpu.vcpu]
    this.#debts[cpu.vcpu] = 0
  }

  #earliest(): PhysicalCpu | null {
    let best: PhysicalCpu | null = null
    const turns = ({ free }: PhysicalCpu) => Math.floor(free / FREE_EVENTS)
    for (const cpu of this.#pcpus)
      if (cpu.vcpu >= 0 && (best === null || cpu.time < best.time || (cpu.time === best.time && turns(cpu) < turns(best)))) best = cpu
    return best
  }

  #release(cpu: PhysicalCpu): void {
    this.#now = cpu.time
    this.#tell(DESCHEDULE, cpu.vcpu)
    cpu.vcpu = -1
  }

  #preempt(cpu: PhysicalCpu): void {
    this.#counters[cpu.vcpu].preemptions++
    this.#leaving.delete(cpu.vcpu)
    this.#queue.push({ vcpu: cpu.vcpu, since: cpu.time })
    this.#tell(DESCHEDULE, cpu.vcpu)
    cpu.vcpu = -1
  }

  #giveUp(): boolean {
    return this.#queue.length > 0
  }

  #observe(event: MachineEvent): void {
    const { table } = this.#options
    const counters = this.#counters[event.vcpu]
    switch (event.kind) {
      case 'instruction': {
        counters.instructions++
        const { name, indirect, pause, locked, serializing } = opcodeGroup(event.op!)
        if (pause) counters.pauses++
        if (locked) {
          counters.locked++
          this.#charge += table.locked
        }
        if (serializing) {
          counters.serializations++
          this.#charge += table.serialize
        }
        const line = event.address >>> this.#lineShift
        this.#executors.set(line, (this.#executors.get(line) ?? 0) | (1 << event.vcpu))
        this.#charge += (table.mnemonics[name] ?? table.instruction) + (indirect ? table.indirect : 0)
        break
      }
      case 'exception':
        counters.interrupts++
        this.#charge += table.interrupt
        break
      case 'send':
        if (event.value === -1) {
          counters.kicks++
          counters.hypercalls++
          this.#charge += table.hypercall
        } else {
          counters.ipis++
          this.#charge += table.ipi
        }
        break
      case 'block':
        counters.blocks++
        counters.hypercalls++
        this.#charge += table.hypercall
        break
      case 'mark':
        this.#mark(event)
        break
    }
  }

  #mark({ vcpu, address, sizeBytes, value }: MachineEvent): void {
    if (sizeBytes === 0) return
    const text = this.#machine.textAt(address)
    // One that is guest code (XM_HYPERCALL_ of include/xmcheck.h, with XM_COUNT_HYPERCALLS).
    if (text.startsWith('hypercall ')) {
      const counters = this.#counters[vcpu]
      if (text === 'hypercall kick') counters.kicks++
      counters.hypercalls++
      counters.operations += value
      this.#charge += this.#options.table.hypercall
    }
    if (text === 'off cpu' && this.#leaving.has(vcpu)) {
      this.#leaving.set(vcpu, 'off')
      this.#machine.pause()
    }
    const match = /^(begin|end) (.+)$/.exec(text)
    if (match === null) return
    const key = `${vcpu} ${match[2]}`
    const at = this.#now + this.#charge
    if (match[1] === 'begin') this.#open.set(key, at)
    else if (this.#open.has(key)) {
      this.#intervals.push({ name: match[2], vcpu, from: this.#open.get(key)!, to: at })
      this.#open.delete(key)
    }
  }

  /** MESI, by line: a write needs it alone, a read a copy of what was written last. */
  #line(vcpu: number, physical: number, write: boolean): void {
    const { table } = this.#options
    const line = physical >>> this.#lineShift
    const bit = 1 << vcpu
    const holders = this.#holders.get(line) ?? 0
    const hit = write ? holders === bit : (holders & bit) !== 0
    this.#counters[vcpu].accesses++
    this.#charge += table.access
    if (!hit && holders !== 0) {
      this.#counters[vcpu].lineTransfers++
      this.#charge += table.lineTransfer
    }
    this.#holders.set(line, write ? bit : holders | bit)
    if (write && ((this.#executors.get(line) ?? 0) & ~bit) !== 0) {
      this.#counters[vcpu].codeWrites++
      this.#charge += table.codeWrite
    }
  }

  #progress(): number {
    const { image, coverage } = this.#machine
    return image.points.reduce((sum, point) => (point.kind === 'progress' ? sum + (coverage.points.get(point.id >>> 0) ?? 0) : sum), 0)
  }

  result(): CostResult {
    const total = zero()
    for (const one of this.#counters) for (const name of Object.keys(total) as (keyof Counters)[]) total[name] += one[name]
    const ended = this.#machine.violation === null && this.#machine.enabled(this.#choices) === 0
    return {
      cycles: Math.max(...this.#pcpus.map((one) => one.time)),
      ended,
      violation: this.#machine.violation,
      total,
      vcpus: this.#counters,
      intervals: this.#intervals,
      progress: this.#progress(),
      events: this.#events,
    }
  }
}
