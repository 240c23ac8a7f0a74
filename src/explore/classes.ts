/**
 * Executions by class: which store each load read, and in which order the stores of each byte reached memory
 * (program order, reads-from, coherence: Shasha and Snir, TOPLAS 10(2), 1988). A search over pairs of a machine
 * state and the class of what led there, so every class is met once, whatever the interleavings. It gives exact
 * counts and all final states; its table grows with prefixes of classes, so it is for small programs.
 */
import { choiceArgument, choiceKind, DRAIN } from '../smp/choice.ts'
import { CHOICES_MAX, remake } from './explorable.ts'
import type { MachineEvent } from '../smp/events.ts'
import type { Machine } from '../smp/machine.ts'

export interface ClassCount {
  /** Complete executions, one a class; those that a violation or an assumption ended are not among them. */
  readonly classes: number
  readonly states: number
  readonly events: number
  /** A loop came back to a state: of the executions that differ in how often it did, some are counted and some not. */
  readonly spins: boolean
  /** Every class was met; false: a limit ended the search. */
  readonly exhausted: boolean
  /** Kind of a violation that was met; null: none. */
  readonly violation: { readonly kind: string; readonly message: string } | null
  readonly weaknesses: readonly string[]
}

export interface ClassLimits {
  /** Pairs of state and class at the most. */
  readonly states?: number
  readonly seconds?: number
}

const PASSES_MAX = 64
const EVENTS_BETWEEN_CHECKS = 1024

/**
 * @param onEnd called once for each class that ended, with the machine standing there
 * @param onRestart what `onEnd` was told is void: more shared memory was learnt
 */
export function countClasses(makeMachine: () => Machine, limits: ClassLimits, onEnd: (machine: Machine) => void, onRestart: () => void): ClassCount {
  const started = performance.now()
  let machine = makeMachine()
  for (let pass = 1; ; pass++) {
    onRestart()
    if (pass > 1) machine = remake(machine, makeMachine)
    const result = new ClassSearch(machine, limits, started, onEnd).run()
    if (!machine.sharing.grown || !result.exhausted) return machine.sharing.grown ? { ...result, exhausted: false } : result
    if (pass === PASSES_MAX) return { ...result, exhausted: false }
  }
}

class ClassSearch {
  readonly #machine: Machine
  readonly #limits: ClassLimits
  readonly #started: number
  readonly #onEnd: (machine: Machine) => void
  /** Byte address to the number of its last writer; absent: the initial value. */
  readonly #writer = new Map<number, number>()
  /** Per vCPU: stores made, the numbers of those in its buffer, loads made. */
  readonly #stores: number[]
  readonly #buffered: number[][]
  readonly #loads: number[]
  /** Entry of the buffer that the step drains. */
  #entry = 0
  readonly #seen = new Set<string>()
  readonly #ended = new Set<string>()
  readonly #undo: (() => void)[] = []
  #a = 0
  #b = 0
  #events = 0
  #exhausted = true
  #spins = false
  #violation: ClassCount['violation'] = null

  constructor(machine: Machine, limits: ClassLimits, started: number, onEnd: (machine: Machine) => void) {
    this.#machine = machine
    this.#limits = limits
    this.#started = started
    this.#onEnd = onEnd
    this.#stores = machine.cpus.map(() => 0)
    this.#buffered = machine.cpus.map(() => [])
    this.#loads = machine.cpus.map(() => 0)
    machine.cpus.forEach((_, v) => this.#enqueue(v))
    machine.observer = (event) => this.#observe(event)
  }

  run(): ClassCount {
    const machine = this.#machine
    if (machine.violation !== null) this.#violation = machine.violation
    else this.#search()
    machine.observer = null
    return {
      classes: this.#ended.size, states: this.#seen.size, events: this.#events, exhausted: this.#exhausted,
      violation: this.#violation, spins: this.#spins, weaknesses: [...machine.weaknesses],
    }
  }

  #search(): void {
    const machine = this.#machine
    const list = new Int32Array(CHOICES_MAX)
    const frames: { choices: Int32Array; next: number; undo: number; a: number; b: number; state: string }[] = []
    const path = new Set<string>()
    const stateOf = () => `${machine.store.h0},${machine.store.h1}`
    const enter = () => {
      this.#seen.add(this.#key())
      const count = machine.enabled(list)
      if (count === 0) this.#end()
      const state = stateOf()
      path.add(state)
      frames.push({ choices: list.slice(0, count), next: 0, undo: this.#undo.length, a: this.#a, b: this.#b, state })
    }
    enter()
    while (frames.length > 0) {
      const frame = frames[frames.length - 1]
      if (frame.next === frame.choices.length || !this.#exhausted) {
        path.delete(frames.pop()!.state)
        if (frames.length > 0) this.#leave(frames[frames.length - 1])
        continue
      }
      this.#tick()
      const choice = frame.choices[frame.next++]
      this.#entry = choiceKind(choice) === DRAIN ? choiceArgument(choice) : 0
      const outcome = machine.take(choice)
      if (outcome === 1) this.#violation ??= machine.violation
      if (outcome !== 0 || this.#seen.has(this.#key())) this.#leave(frame)
      else if (path.has(stateOf())) {
        // Round a loop, back to a state on the way here: whatever follows follows there too. A failed spin.
        this.#spins = true
        this.#leave(frame)
      } else enter()
    }
  }

  /** Back to where `frame` stands, one step before. */
  #leave(frame: { undo: number; a: number; b: number }): void {
    this.#machine.undo()
    while (this.#undo.length > frame.undo) this.#undo.pop()!()
    this.#a = frame.a
    this.#b = frame.b
  }

  #end(): void {
    // With the state: what a class leaves open (a page walk that read an entry old or new) ends differently.
    const key = this.#key()
    if (this.#ended.has(key)) return
    this.#ended.add(key)
    this.#onEnd(this.#machine)
  }

  #key(): string {
    const { h0, h1 } = this.#machine.store
    return `${h0},${h1},${this.#a},${this.#b}`
  }

  #tick(): void {
    this.#events++
    if (this.#seen.size > (this.#limits.states ?? Infinity)) this.#exhausted = false
    if (this.#events % EVENTS_BETWEEN_CHECKS === 0 && (performance.now() - this.#started) / 1000 > (this.#limits.seconds ?? Infinity)) this.#exhausted = false
  }

  #observe(event: MachineEvent): void {
    const { vcpu, address, sizeBytes } = event
    switch (event.kind) {
      case 'load':
      case 'locked-load':
        return this.#load(vcpu, address >>> 0, sizeBytes)
      case 'locked-store':
        // A failed compare is a read.
        if (this.#machine.cpus[vcpu].compareFailed) return
        return this.#store(this.#nextNumber(vcpu), address >>> 0, sizeBytes)
      case 'store':
        return this.#enqueue(vcpu)
      case 'drain':
        return this.#store(this.#dequeue(vcpu, this.#entry), address >>> 0, sizeBytes)
      case 'fetch':
        return this.#fetch(vcpu, address >>> 0, event.bytes!)
      case 'walk':
        return this.#read(vcpu, address >>> 0, sizeBytes, (b) => this.#writer.get(b) ?? -1)
      case 'block':
        // A poll reads a byte of memory; else it takes what was sent.
        if (sizeBytes > 0) return this.#load(vcpu, address >>> 0, sizeBytes)
        return this.#order(vcpu, SENT + vcpu, 0)
      case 'send':
        return this.#order(vcpu, SENT + address, event.value)
      case 'mark':
        if (sizeBytes === 0) this.#order(vcpu, MARKS, address)
        return
      case 'walk-ahead':
        return this.#store(this.#nextNumber(vcpu), address >>> 0, sizeBytes)
      case 'choose':
      case 'translation':
      case 'interrupt':
      case 'nmi':
        // What the environment chose is part of the class.
        this.#count(this.#loads, vcpu)
        this.#mix(vcpu, this.#loads[vcpu], event.address, event.kind === 'choose' ? event.value : this.#machine.icount(vcpu))
    }
  }

  #load(vcpu: number, address: number, sizeBytes: number): void {
    const buffer = this.#machine.buffer(vcpu)
    this.#read(vcpu, address, sizeBytes, (b) => {
      let source = this.#writer.get(b) ?? -1
      for (let k = 0; k < buffer.count; k++)
        if (b >= buffer.address(k) >>> 0 && b < (buffer.address(k) >>> 0) + buffer.size(k)) source = this.#buffered[vcpu][k]
      return source
    })
  }

  #read(vcpu: number, address: number, sizeBytes: number, sourceOf: (byte: number) => number): void {
    this.#count(this.#loads, vcpu)
    for (let b = address; b < address + sizeBytes; b++) this.#mix(vcpu, -this.#loads[vcpu], b, sourceOf(b))
  }

  /** The order of those that concern what is no memory. */
  #order(vcpu: number, resource: number, what: number): void {
    this.#count(this.#loads, vcpu)
    const number = -2 - vcpu * 0x100000 - this.#loads[vcpu]
    this.#mix(number, what, resource, 0)
    this.#store(number, resource, 1)
  }

  /** A fetch sees memory, never the buffer; where it may lag, what it saw is what counts. */
  #fetch(vcpu: number, address: number, bytes: Uint8Array): void {
    const coherent = this.#machine.model.fetch.kind === 'coherent'
    this.#read(vcpu, address, bytes.length, (b) => (coherent ? (this.#writer.get(b) ?? -1) : bytes[b - address]))
  }

  /** Numbers what has entered the buffer of `vcpu`. */
  #enqueue(vcpu: number): void {
    const numbers = this.#buffered[vcpu]
    while (numbers.length < this.#machine.buffer(vcpu).count) {
      numbers.push(this.#nextNumber(vcpu))
      this.#undo.push(() => numbers.pop())
    }
  }

  #dequeue(vcpu: number, entry: number): number {
    const numbers = this.#buffered[vcpu]
    const [number] = numbers.splice(entry, 1)
    this.#undo.push(() => numbers.splice(entry, 0, number))
    return number
  }

  /** The number of the next store of `vcpu`, in program order. */
  #nextNumber(vcpu: number): number {
    this.#count(this.#stores, vcpu)
    return vcpu * 0x100000 + this.#stores[vcpu]
  }

  #store(number: number, address: number, sizeBytes: number): void {
    for (let b = address; b < address + sizeBytes; b++) {
      const before = this.#writer.get(b)
      this.#mix(number, 0, b, before ?? -1)
      this.#writer.set(b, number)
      this.#undo.push(() => (before === undefined ? this.#writer.delete(b) : this.#writer.set(b, before)))
    }
  }

  #count(counts: number[], vcpu: number): void {
    counts[vcpu]++
    this.#undo.push(() => counts[vcpu]--)
  }

  /** Adds one edge: a sum, so that the order in which edges come does not matter. */
  #mix(a: number, b: number, c: number, d: number): void {
    this.#a = (this.#a + scramble(a, b, c, d, 0x9e3779b1)) | 0
    this.#b = (this.#b + scramble(d, c, b, a, 0x85ebca6b)) | 0
  }
}

/** What orders are kept of beside bytes: interrupts and kicks sent to a vCPU; marks. */
const SENT = 2 ** 33
const MARKS = 2 ** 34

function scramble(a: number, b: number, c: number, d: number, seed: number): number {
  let h = seed
  for (const word of [a, b, c, d]) {
    h = Math.imul(h ^ word, 0x9e3779b1)
    h = Math.imul(h ^ (h >>> 15), 0x85ebca6b)
    h ^= h >>> 13
  }
  return h
}
