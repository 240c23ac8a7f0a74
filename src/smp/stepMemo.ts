/**
 * Remembered steps. What one vCPU does from one event to the next depends on little: its local state (registers, the
 * instruction in progress, what it is parked at), its store buffer and the memory words that it touches. The same step
 * is taken millions of times in an exploration, so what it did is kept and done again without executing anything:
 *
 * ```
 *  local state ─► steps: argument of the choice
 *                        inputs   words that were read or overwritten, with the values that they had
 *                        outputs  words that changed: index, old value, new value; and the change of the hash
 *                        footprint, check points passed, instructions retired, registers before the event
 * ```
 *
 * Whatever a step leaves in the machine besides words of the store (`quiet`, `eventRegisters`, ...) has to be kept here too.
 * Every input is compared, by value, before a step is done again; nothing rests on a hash of it. What depends on more
 * than this (monitors that judge, other vCPUs that are reached, stale fetches, interrupts) is never remembered, and all
 * is forgotten when the exploration learns that more memory is shared. Local states have numbers, kept in a quiet word
 * of their vCPU (LOCAL, 0: not numbered); numbers are never used twice.
 */
import type { Store } from '../state/store.ts'
import { MAIN_REGISTERS, REGISTER_WORDS } from '../cpu/registers.ts'
import type { Footprint } from './footprint.ts'
import {
  ANSWER_COUNT, BUFFER, BUFFER_COUNT, BUFFER_ENTRY_WORDS, FETCHED_LENGTH, GLOBAL_WORDS, ICOUNT, LOCAL, PENDING, PENDING_WAYS, QUIET_WORDS, STATUS,
  VCPU_WORDS, type Layout,
} from './layout.ts'
import type { Sharing } from './sharing.ts'

/** Words of all steps, and local states, that are kept; more: all are forgotten. */
const ARENA_WORDS_MAX = 1 << 22
const LOCALS_MAX = 1 << 14
/** Steps of one local state and argument that are looked through. */
const CHAIN_MAX = 64

/** Fields of a step in the arena; the rows follow: inputs (index, value), captured registers (index, value), outputs (index, old, new), footprint words, points. */
const NEXT = 0
const ARGUMENT = 1
const INPUTS = 2
const OUTPUTS = 3
const FOOTPRINT = 4
const POINTS = 5
/** Bits FLAG_... */
const FLAGS = 6
const RETIRED = 7
const HASH0 = 8
const HASH1 = 9
/** What Machine.captureEvent saw: 0 nothing, 1 an event inside an instruction, 2 the first of one; and in how many registers. */
const CAPTURE = 10
const CAPTURED = 11
const HEADER = 12
/** What Machine says of a step: `quiet`, `effect`, and that its vCPU is in `progressed`. */
export const FLAG_QUIET = 1
export const FLAG_EFFECT = 2
export const FLAG_PROGRESSED = 4
/** All that others can see of it are loads from memory, and its vCPU has ended. */
export const FLAG_LAST_LOADS = 8
/** Above the flags: events that a step stands for which took turns of a loop at once (spins.ts). */
export const FLAG_BITS = 4

export class StepMemo {
  /** A step is being watched: what it reads has to be noted. */
  recording = false
  /** Of the step that was done again: FLAG_... */
  flags = FLAG_QUIET
  eventBegins = false
  readonly #eventRegisters: Int32Array
  readonly #store: Store
  readonly #layout: Layout
  readonly #sharing: Sharing
  readonly #footprint: Footprint
  readonly #countPoint: (id: number) => void
  #version: number
  #arena = new Int32Array(1 << 12)
  #used = 1
  /** Local state number `first + k`: where its words stand in `#words`, and its newest step in the arena (0: none). */
  #first = 1
  #wordsAt = new Int32Array(64)
  #steps = new Int32Array(64)
  #count = 0
  #words = new Int32Array(1 << 12)
  #wordsUsed = 0
  /** Open-addressed, from the words of a local state to k + 1. */
  #slots = new Int32Array(256)
  /** Steps done again, and executed. */
  hits = 0
  #misses = 0
  #off = false


  // The step that is watched.
  #local = 0
  #argument = 0
  #mark = 0
  #h0 = 0
  #h1 = 0
  #icount = 0
  readonly #inputs = new Map<number, number>()
  readonly #points: number[] = []
  readonly #registers = new Int32Array(MAIN_REGISTERS)
  #capture = 0
  readonly #captured: number[] = []

  /** @param eventRegisters of the machine */
  constructor(store: Store, layout: Layout, sharing: Sharing, footprint: Footprint, eventRegisters: Int32Array, countPoint: (id: number) => void) {
    this.#eventRegisters = eventRegisters
    this.#store = store
    this.#layout = layout
    this.#sharing = sharing
    this.#footprint = footprint
    this.#countPoint = countPoint
    this.#version = sharing.version
  }

  /** Does the step of `vcpu`, whose registers are `registers`, again, if it is known. */
  apply(vcpu: number, argument: number, registers: Int32Array): boolean {
    const at = this.#find(vcpu, argument)
    if (at === 0) return false
    const arena = this.#arena
    const quiet = this.#layout.quiet + vcpu * QUIET_WORDS
    let row = at + HEADER + arena[at + INPUTS] * 2
    const capture = arena[at + CAPTURE]
    this.eventBegins = capture === 2
    if (capture === 2) {
      for (let r = 0; r < MAIN_REGISTERS; r++) this.#eventRegisters[r] = registers[r]
      for (let left = arena[at + CAPTURED]; left > 0; left--, row += 2) this.#eventRegisters[arena[row]] = arena[row + 1]
    } else row += arena[at + CAPTURED] * 2
    const outputs = arena[at + OUTPUTS]
    this.#store.redo(arena, row, outputs, arena[at + HASH0], arena[at + HASH1])
    if (arena[at + RETIRED] !== 0) this.#store.set(quiet + ICOUNT, this.#store.w[quiet + ICOUNT] + arena[at + RETIRED])
    row += outputs * 3
    this.#footprint.load(arena, row, arena[at + FOOTPRINT])
    row += arena[at + FOOTPRINT]
    for (let p = 0; p < arena[at + POINTS]; p++) this.#countPoint(arena[row + p])
    this.flags = arena[at + FLAGS]
    this.hits++
    return true
  }

  /** Whether the step of `vcpu` is known to be FLAG_LAST_LOADS; nothing is done, but the footprint is that of the step. */
  foresee(vcpu: number): boolean {
    const at = this.#find(vcpu, 0)
    const arena = this.#arena
    if (at === 0 || (arena[at + FLAGS] & FLAG_LAST_LOADS) === 0) return false
    this.#footprint.load(arena, at + HEADER + (arena[at + INPUTS] + arena[at + CAPTURED]) * 2 + arena[at + OUTPUTS] * 3, arena[at + FOOTPRINT])
    return true
  }

  /** Where the step of `vcpu` stands in the arena; 0: it is not known. */
  #find(vcpu: number, argument: number): number {
    if (this.#version !== this.#sharing.version) this.#forget()
    const w = this.#store.w
    const quiet = this.#layout.quiet + vcpu * QUIET_WORDS
    let k = w[quiet + LOCAL] - this.#first
    if (k < 0) {
      if (this.#off || this.#count >= LOCALS_MAX) return 0
      this.number(vcpu)
      k = w[quiet + LOCAL] - this.#first
    }
    const arena = this.#arena
    let previous = 0
    for (let at = this.#steps[k]; at !== 0; previous = at, at = arena[at + NEXT]) {
      if (arena[at + ARGUMENT] !== argument) continue
      let row = at + HEADER
      const inputsEnd = row + arena[at + INPUTS] * 2
      while (row < inputsEnd && w[arena[row]] === arena[row + 1]) row += 2
      if (row < inputsEnd) continue
      if (previous !== 0) {
        // What was needed last is needed next.
        arena[previous + NEXT] = arena[at + NEXT]
        arena[at + NEXT] = this.#steps[k]
        this.#steps[k] = at
      }
      return at
    }
    return 0
  }

  /** `vcpu` is about to execute its step: watch it. */
  begin(vcpu: number, argument: number): void {
    if (this.#off) return
    this.#misses++
    if (this.#used > ARENA_WORDS_MAX || this.#count >= LOCALS_MAX) {
      // Where little comes again, remembering costs more than it saves.
      if (this.hits < this.#misses * 4) {
        this.#off = true
        return
      }
      this.#forget()
    }
    const quiet = this.#layout.quiet + vcpu * QUIET_WORDS
    if (this.#store.w[quiet + LOCAL] < this.#first) this.number(vcpu)
    this.#local = this.#store.w[quiet + LOCAL]
    this.#argument = argument
    this.#mark = this.#store.top
    this.#h0 = this.#store.h0
    this.#h1 = this.#store.h1
    this.#icount = this.#store.w[quiet + ICOUNT]
    this.#inputs.clear()
    this.#points.length = 0
    this.#capture = 0
    this.#captured.length = 0
    const base = this.#base(vcpu)
    for (let r = 0; r < MAIN_REGISTERS; r++) this.#registers[r] = this.#store.w[base + r]
    const count = this.#base(vcpu) + BUFFER_COUNT
    this.noteWords(count, count)
    const entries = this.#base(vcpu) + BUFFER
    for (let k = 0; k < this.#store.w[count] * BUFFER_ENTRY_WORDS; k++) this.noteWords(entries + k, entries + k)
    this.recording = true
  }

  /** The step depends on, or does, what is not noted here. */
  abandon(): void {
    this.recording = false
  }

  /** Numbers the present local state of `vcpu`. */
  number(vcpu: number): void {
    const { quiet } = this.#layout
    this.#store.set(quiet + vcpu * QUIET_WORDS + LOCAL, this.#off || this.#count >= LOCALS_MAX ? 0 : this.#numberOf(vcpu))
  }

  /** Words `first`..`last` are about to be read or overwritten. */
  noteWords(first: number, last: number): void {
    for (let word = first; word <= last; word++) if (!this.#inputs.has(word)) this.#inputs.set(word, this.#store.w[word])
  }

  /** The event has come, the first of its instruction or not; the machine's `eventRegisters` are those before it. */
  noteEvent(first: boolean): void {
    if (!this.recording) return
    this.#capture = first ? 2 : 1
    this.#captured.length = 0
    if (!first) return
    for (let r = 0; r < MAIN_REGISTERS; r++)
      if (this.#eventRegisters[r] !== this.#registers[r]) this.#captured.push(r, this.#eventRegisters[r])
  }

  notePoint(id: number): void {
    if (this.recording) this.#points.push(id)
  }

  /** The step has been executed. @param flags FLAG_... */
  end(vcpu: number, flags: number): void {
    const store = this.#store
    const quietWords = this.#layout.quiet + vcpu * QUIET_WORDS
    this.number(vcpu)
    if (!this.recording) return
    this.recording = false
    const outputs = this.#listOutputs(quietWords + ICOUNT)
    // Code that nobody writes is what it is; should it be written after all, everything is forgotten.
    const { memory, quiet } = this.#layout
    for (const index of this.#inputs.keys())
      if (index >= memory && index < quiet && this.#sharing.fetchers[index - memory] !== 0 && this.#sharing.relyOnCode(index - memory)) this.#inputs.delete(index)
    const footprint = this.#footprint
    const length = HEADER + this.#inputs.size * 2 + this.#captured.length + outputs.length + footprint.length + this.#points.length
    const k = this.#local - this.#first
    if (this.#chainLength(k) >= CHAIN_MAX) return
    this.#arena = withRoom(this.#arena, this.#used, length)
    const arena = this.#arena
    const at = this.#used
    this.#used += length
    arena[at + NEXT] = this.#steps[k]
    arena[at + ARGUMENT] = this.#argument
    arena[at + INPUTS] = this.#inputs.size
    arena[at + OUTPUTS] = outputs.length / 3
    arena[at + FOOTPRINT] = footprint.length
    arena[at + POINTS] = this.#points.length
    arena[at + CAPTURE] = this.#capture
    arena[at + CAPTURED] = this.#captured.length / 2
    arena[at + FLAGS] = this.#points.length === 0 ? flags : flags & ~FLAG_LAST_LOADS
    arena[at + RETIRED] = store.w[quietWords + ICOUNT] - this.#icount
    arena[at + HASH0] = store.h0 ^ this.#h0
    arena[at + HASH1] = store.h1 ^ this.#h1
    let row = at + HEADER
    // Data come after code: what differs first is looked at first.
    let input = row + this.#inputs.size * 2
    row = input
    for (const [index, value] of this.#inputs) {
      arena[--input] = value
      arena[--input] = index
    }
    arena.set(this.#captured, row)
    row += this.#captured.length
    for (let k = 0; k < outputs.length; k++) arena[row++] = outputs[k]
    for (let k = 0; k < footprint.length; k++) arena[row++] = footprint.words[k]
    arena.set(this.#points, row)
    this.#steps[k] = at
  }

  /** Words that the step has changed, besides `but`: index, old and new value of each. */
  #listOutputs(but: number): readonly number[] {
    const outputs = this.#outputs
    const seen = this.#seen
    const { w } = this.#store
    outputs.length = 0
    seen.clear()
    this.#store.forEachSince(this.#mark, (index, old) => {
      if (index === but || seen.has(index)) return
      seen.add(index)
      if (w[index] !== old) outputs.push(index, old, w[index])
    })
    return outputs
  }
  readonly #outputs: number[] = []
  readonly #seen = new Set<number>()

  #chainLength(k: number): number {
    let length = 0
    for (let at = this.#steps[k]; at !== 0; at = this.#arena[at + NEXT]) length++
    return length
  }

  #forget(): void {
    this.#version = this.#sharing.version
    this.#first += this.#count
    this.#count = 0
    this.#used = 1
    this.#wordsUsed = 0
    this.#slots.fill(0)
  }

  /** The number of the present local state of `vcpu`: [vCPU, registers, status, instruction in progress, pending event]. */
  #numberOf(vcpu: number): number {
    const w = this.#store.w
    const base = this.#base(vcpu)
    const answers = w[base + ANSWER_COUNT]
    const length = 1 + REGISTER_WORDS + 1 + (ANSWER_COUNT + 1 + answers - FETCHED_LENGTH) + (PENDING_WAYS + 1)
    this.#words = withRoom(this.#words, this.#wordsUsed, length)
    const words = this.#words
    const from = this.#wordsUsed
    let at = from
    words[at++] = vcpu
    for (let k = 0; k < REGISTER_WORDS; k++) words[at++] = w[base + k]
    words[at++] = w[base + STATUS]
    for (let k = FETCHED_LENGTH; k <= ANSWER_COUNT + answers; k++) words[at++] = w[base + k]
    const pending = this.#layout.quiet + vcpu * QUIET_WORDS + PENDING
    for (let k = 0; k <= PENDING_WAYS; k++) words[at++] = w[pending + k]
    let hash = 0
    for (let k = from; k < at; k++) hash = Math.imul(hash ^ words[k], 0x9e3779b1) ^ (hash >>> 15)
    const mask = this.#slots.length - 1
    let slot = hash & mask
    for (; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const known = this.#wordsAt[this.#slots[slot] - 1]
      let k = 0
      while (k < length && words[known + k] === words[from + k]) k++
      if (k === length) return this.#first + this.#slots[slot] - 1
    }
    // The number of answers stands before them, so no state is a prefix of another.
    const state = this.#count++
    if (state === this.#wordsAt.length) {
      this.#wordsAt = withRoom(this.#wordsAt, state, 1)
      this.#steps = withRoom(this.#steps, state, 1)
    }
    this.#wordsAt[state] = from
    this.#steps[state] = 0
    this.#wordsUsed = at
    this.#slots[slot] = state + 1
    if (this.#count * 2 > this.#slots.length) this.#growSlots()
    return this.#first + state
  }

  #growSlots(): void {
    const old = this.#slots
    this.#slots = new Int32Array(old.length * 4)
    const mask = this.#slots.length - 1
    for (let state = 0; state < this.#count; state++) {
      const from = this.#wordsAt[state]
      const to = state + 1 < this.#count ? this.#wordsAt[state + 1] : this.#wordsUsed
      let hash = 0
      for (let k = from; k < to; k++) hash = Math.imul(hash ^ this.#words[k], 0x9e3779b1) ^ (hash >>> 15)
      let slot = hash & mask
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask
      this.#slots[slot] = state + 1
    }
  }

  #base(vcpu: number): number {
    return GLOBAL_WORDS + vcpu * VCPU_WORDS
  }
}

/** The array, grown to at least double where `count` more words do not fit behind `used`. */
function withRoom(array: Int32Array<ArrayBuffer>, used: number, count: number): Int32Array<ArrayBuffer> {
  if (used + count <= array.length) return array
  const grown = new Int32Array(Math.max(array.length * 2, used + count))
  grown.set(array)
  return grown
}
