/**
 * Which registers can still matter at a place in the code: read on some path from there before they are overwritten. The code
 * is followed through jumps, calls and returns, as far as it is plainly understood; the rest reads everything. Return addresses and
 * saved frame pointers are followed by the addresses that they have on the stack, so the caller says which words of the stack are
 * changed by nothing but pushes and calls; and which code by nothing at all.
 */
import { IMM, REG, type Op } from './decode.ts'
import { ALL_LIVE, effectOf, EVERYTHING, writesRegister, type Effect } from './registerEffects.ts'
import { EAX, EBP, ESP } from './registers.ts'

export { ALL_LIVE, CARRY_LIVE, differingParts, FLAGS_LIVE, OTHER_FLAGS_LIVE, partsOf } from './registerEffects.ts'

const PLACES_MAX = 400
const STACKED_MAX = 32
/** Displacement of the call with which an actor ends (smp/guestCalls.ts). */
export const EXIT_CALL = 0x584d0000

/** What is known of the program; each question that is answered is one that the answer of `liveAt` rests on. */
export interface Surroundings {
  /** The instruction at an address, which nobody will change; null: unknown. */
  opAt(eip: number): Op | null
  /** Only pushes and calls write this dword, as long as it is above the stack pointer. */
  keeps(address: number): boolean
  /** What it holds now, unsigned; null: unknown. */
  stackAt(address: number): number | null
  /** What is looked at when the actor has ended. */
  readonly atExit: number
}

export interface LiveRegisters {
  readonly mask: number
  /** The answer rests on what the stack holds now: address, value, alternating. */
  readonly slots: readonly number[]
  /** It rests on what EBP holds. */
  readonly frame: boolean
}

/** A place in the code, with what the stack is known to hold there; addresses are unsigned. */
interface Place {
  readonly eip: number
  readonly esp: number
  /** NaN: unknown. */
  readonly ebp: number
  /** Highest value of ESP so far: below, what the stack held at the start is gone. */
  readonly high: number
  /** What was pushed: address and value (NaN: unknown), alternating, newest last. */
  readonly pushed: readonly number[]
}

interface Node {
  readonly effect: Effect
  readonly next: readonly string[]
}

/** @param registers the general registers */
export function liveAt(eip: number, registers: ArrayLike<number>, around: Surroundings): LiveRegisters {
  const walk = new Walk(registers[EBP] >>> 0, around)
  const esp = registers[ESP] >>> 0
  const start: Place = { eip, esp, ebp: registers[EBP] >>> 0, high: esp, pushed: [] }
  const mask = walk.from(start)
  return { mask, slots: [...walk.slots].flat(), frame: walk.frame }
}

class Walk {
  readonly slots = new Map<number, number>()
  frame = false
  readonly #around: Surroundings
  readonly #ebp: number
  readonly #nodes = new Map<string, Node>()
  readonly #open: Place[] = []

  constructor(ebp: number, around: Surroundings) {
    this.#ebp = ebp
    this.#around = around
  }

  from(start: Place): number {
    const nodes = this.#nodes
    const first = this.#go(start)
    for (let place = this.#open.pop(); place !== undefined; place = this.#open.pop()) {
      const op = this.#around.opAt(place.eip)
      if (op === null || nodes.size >= PLACES_MAX) return ALL_LIVE
      nodes.set(keyOf(place), this.#nodeOf(op, place))
    }
    const live = new Map<string, number>()
    for (let changed = true; changed; ) {
      changed = false
      for (const [key, { effect, next }] of nodes) {
        const out = next.reduce((all, one) => all | (live.get(one) ?? 0), 0)
        const now = effect.uses | (out & ~effect.defines)
        if (now === (live.get(key) ?? 0)) continue
        live.set(key, now)
        changed = true
      }
    }
    return live.get(first) ?? 0
  }

  #go(place: Place): string {
    const key = keyOf(place)
    if (!this.#nodes.has(key)) {
      this.#nodes.set(key, { effect: EVERYTHING, next: [] })
      this.#open.push(place)
    }
    return key
  }

  #nodeOf(op: Op, place: Place): Node {
    const name = op.row?.mnemonic ?? ''
    if (isExit(op)) return { effect: { uses: this.#around.atExit, defines: 0 }, next: [] }
    const effect = effectOf(op)
    const next = effect === EVERYTHING ? null : this.#after(op, name, place)
    if (next === null) return { effect: EVERYTHING, next: [] }
    return { effect, next: next.map((one) => this.#go(one)) }
  }

  /** Null: not understood. */
  #after(op: Op, name: string, place: Place): Place[] | null {
    const { a, b } = op
    const eip = (place.eip + op.length) | 0
    const target = (eip + a.value) | 0
    switch (name) {
      case 'ret': {
        if (op.opSize !== 4 || (a.kind !== 0 && a.kind !== IMM)) return null
        const to = this.#load(place, place.esp)
        return to === null ? null : [this.#raise({ ...place, eip: to | 0 }, (place.esp + 4 + (a.kind === IMM ? a.value : 0)) >>> 0)]
      }
      case 'call':
        return push({ ...place, eip: target }, eip)
      case 'push':
        return push({ ...place, eip }, a.kind === REG && a.value === EBP && a.size === 4 ? place.ebp : Number.NaN)
      case 'pop': {
        if (a.value === ESP) return null
        const ebp = a.value === EBP ? (this.#load(place, place.esp) ?? Number.NaN) : place.ebp
        return [this.#raise({ ...place, eip, ebp }, (place.esp + 4) >>> 0)]
      }
      case 'leave': {
        const at = this.#frameOf(place)
        if (Number.isNaN(at) || (at - place.esp) >>> 0 > 0x10000) return null
        return [this.#raise({ ...place, eip, ebp: this.#load(place, at) ?? Number.NaN }, (at + 4) >>> 0)]
      }
      case 'jmp':
        return [{ ...place, eip: target }]
    }
    if (writesRegister(op, ESP)) {
      const esp = this.#stackPointerAfter(op, name, place)
      return Number.isNaN(esp) ? null : [this.#raise({ ...place, eip }, esp)]
    }
    const ebp = !writesRegister(op, EBP) ? place.ebp : name === 'mov' && b.kind === REG && b.value === ESP && b.size === 4 ? place.esp : Number.NaN
    const after = { ...place, eip, ebp }
    return name.startsWith('j') ? [after, { ...after, eip: target }] : [after]
  }

  #stackPointerAfter({ a, b, base, index, disp }: Op, name: string, place: Place): number {
    if (a.kind !== REG || a.size !== 4) return Number.NaN
    if (name === 'mov' && b.kind === REG && b.value === EBP) return this.#frameOf(place)
    if (name === 'lea' && index < 0 && (base === ESP || base === EBP)) {
      const from = base === ESP ? place.esp : this.#frameOf(place)
      return Number.isNaN(from) ? from : (from + disp) >>> 0
    }
    if (b.kind !== IMM) return Number.NaN
    return name === 'add' ? (place.esp + b.value) >>> 0 : name === 'sub' ? (place.esp - b.value) >>> 0 : name === 'and' ? (place.esp & b.value) >>> 0 : Number.NaN
  }

  /** EBP, where it is needed as an address. */
  #frameOf(place: Place): number {
    if (place.ebp === this.#ebp) this.frame = true
    return place.ebp
  }

  /** What the stack holds at `address`; null: unknown. */
  #load(place: Place, address: number): number | null {
    if (!this.#around.keeps(address)) return null
    for (let k = 0; k < place.pushed.length; k += 2) if (place.pushed[k] === address) return Number.isNaN(place.pushed[k + 1]) ? null : place.pushed[k + 1]
    if (address < place.high) return null
    const value = this.#around.stackAt(address)
    if (value !== null) this.slots.set(address, value)
    return value
  }

  /** ESP changes; what was pushed below it is gone. */
  #raise(place: Place, esp: number): Place {
    const pushed: number[] = []
    for (let k = 0; k < place.pushed.length; k += 2) if (place.pushed[k] >= esp) pushed.push(place.pushed[k], place.pushed[k + 1])
    return { ...place, esp, high: Math.max(place.high, esp), pushed }
  }
}

/** Null: too much is on the stack to follow. */
function push(place: Place, value: number): Place[] | null {
  if (place.pushed.length >= 2 * STACKED_MAX) return null
  const esp = (place.esp - 4) >>> 0
  return [{ ...place, esp, pushed: [...place.pushed, esp, value] }]
}

const keyOf = ({ eip, esp, ebp, high, pushed }: Place) => `${eip} ${esp} ${ebp} ${high} ${pushed.join()}`

function isExit(op: Op): boolean {
  return op.row?.mnemonic === 'nop' && !op.row.alias && op.mod === 2 && op.rm === EAX && op.disp === EXIT_CALL
}
