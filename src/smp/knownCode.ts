/**
 * What is known of the code of a vCPU from reading it: what can still matter where it stands, so that the rest can be forgotten
 * (cpu/liveness.ts), loops that count (spins.ts), ways out of a loop (cpu/wayOut.ts).
 */
import { decode, type Op } from '../cpu/decode.ts'
import { ALL_LIVE, CARRY_LIVE, liveAt, OTHER_FLAGS_LIVE, partsOf, type LiveRegisters, type Surroundings } from '../cpu/liveness.ts'
import { walkTables, Walk } from '../cpu/paging.ts'
import { CF, CR0, CR0_PG, DR7, EBP, EFLAGS, EIP, ESP, EVENT, EVENT_VALID, TF, VM } from '../cpu/registers.ts'
import { wayOutOf, type WayOut } from '../cpu/wayOut.ts'
import type { Board } from './board.ts'
import { WINDOW } from './fetchView.ts'
import { EXECUTE } from './image.ts'
import { ENDED, STATUS } from './layout.ts'
import { Peek } from './obtainable.ts'
import type { CodeView } from './spins.ts'

/** Bytes of a stack that are looked through for return addresses, and lengths of the calls before them. */
const STACK_SCANNED = 1024
const CALL_LENGTHS = [5, 2, 3, 6, 7]
/** Stacks on which what is live at an address is kept. */
const STACKS_MAX = 64
/** What is left in a register that nothing reads: a value that would be noticed. */
const FORGOTTEN = 0x0dead0de
/** PF, AF, ZF, SF, OF. */
const OTHER_FLAGS = 0x8d4

export class KnownCode {
  readonly #board: Board
  /** Registers that somebody looks at when a vCPU has ended. */
  readonly #liveAtExit: number
  readonly #live = new Map<number, readonly (LiveRegisters & { readonly esp: number; readonly ebp: number })[]>()

  constructor(board: Board, liveAtExit: number) {
    this.#board = board
    this.#liveAtExit = liveAtExit
  }

  /** Registers that can matter where the vCPU stands (cpu/liveness.ts). */
  liveRegisters(v: number): number {
    return this.canReadCode(v) ? this.#liveAt(v, this.#board.cpus[v].r[EIP]) : ALL_LIVE
  }

  /** At another place, with the stack that `v` has. */
  #liveAt(v: number, eip: number): number {
    const { r } = this.#board.cpus[v]
    const known = this.#live.get(eip)
    if (known !== undefined)
      for (const one of known)
        if (one.esp === r[ESP] && (!one.frame || one.ebp === r[EBP]) && this.#stackHolds(v, one.slots)) return one.mask
    const live = { ...liveAt(eip, r, this.surroundings(v)), esp: r[ESP], ebp: r[EBP] }
    this.#live.set(eip, [live, ...(known ?? []).slice(0, STACKS_MAX)])
    return live.mask
  }

  /** Overwrites the registers and flags of `v` that nothing can read any more. */
  forgetDead(v: number): void {
    const { r } = this.#board.cpus[v]
    const ended = this.#board.wordOf(v, STATUS) === ENDED
    // Interrupts push what they find; traps and the code of a debugger look at it.
    if (!this.#board.running() || this.#board.sharing.interruptible[v] !== 0 || (r[EVENT] & EVENT_VALID) !== 0 || (r[EFLAGS] & (TF | VM)) !== 0 || (r[DR7] & 0xff) !== 0) return
    const live = ended ? this.#liveAtExit : this.liveRegisters(v)
    if (live === ALL_LIVE) return
    for (let register = 0; register < 8; register++)
      if ((live & partsOf(register, 4)) === 0 && (ended || register !== ESP)) this.#board.setWord(v, register, FORGOTTEN)
    const flags = ((live & CARRY_LIVE) === 0 ? CF : 0) | ((live & OTHER_FLAGS_LIVE) === 0 ? OTHER_FLAGS : 0)
    this.#board.setWord(v, EFLAGS, r[EFLAGS] & ~flags)
  }

  #stackHolds(v: number, slots: readonly number[]): boolean {
    for (let k = 0; k < slots.length; k += 2) if (this.#board.stackAt(v, slots[k]) !== slots[k + 1]) return false
    return true
  }

  surroundings(v: number): Surroundings {
    return (this.#surroundings[v] ??= this.#makeSurroundings(v))
  }
  readonly #surroundings: Surroundings[] = []

  #makeSurroundings(v: number): Surroundings {
    const { memory, sharing } = this.#board
    return {
      atExit: this.#liveAtExit,
      opAt: (eip) => {
        const op = this.#opAt(eip)
        for (let b = 0; op !== null && b < op.length; b++) if (!sharing.relyOnCode(memory.granule(memory.index(eip + b)))) return null
        return op
      },
      keeps: (address) => memory.index(address) >= 0 && (address & 3) === 0 && this.#board.buses[v].isStack(address) && sharing.relyOnSlot(memory.granule(memory.index(address)), 1 << v),
      stackAt: (address) => this.#board.stackAt(v, address),
    }
  }

  canReadCode(v: number): boolean {
    return !this.#board.sharing.codeShared && this.#board.isFlat(v)
  }

  /** The code as `v` sees it, for as long as its stack pointer and EBP stay what they are. */
  codeView(v: number): CodeView {
    return { opAt: this.surroundings(v).opAt, live: (eip) => this.#liveAt(v, eip) }
  }

  /** Where code that goes round through these addresses would go otherwise (cpu/wayOut.ts). */
  wayOut(v: number, executed: ReadonlySet<number>): WayOut {
    if (!this.#board.hasFlatSegments(v)) return 'ends'
    const physicalOf = this.#pagesOf(v)
    const opAt = (eip: number) => this.#opAt(eip, physicalOf)
    return wayOutOf(executed, this.#returnsOf(v, physicalOf, opAt), opAt)
  }

  /** It sleeps, and whatever wakes it, it comes back to that: it waits for nothing. */
  idles(v: number): boolean {
    return this.#board.sleeps(v) && this.wayOut(v, new Set([this.#board.instructionAt(v)])) === null
  }

  /** From linear addresses of `v` to physical ones, by the page tables as they are; below 0: none. */
  #pagesOf(v: number): (linear: number) => number {
    const { memory, cpus } = this.#board
    const { r } = cpus[v]
    if ((r[CR0] & CR0_PG) === 0) return (linear) => linear
    const peek = new Peek(memory, null)
    const walk = new Walk()
    return (linear) => {
      walkTables(r, peek, peek.reset(), linear, 0, false, walk)
      return peek.stop !== 0 || walk.entry === 0 ? -1 : ((walk.entry & ~0xfff) | (linear & 0xfff)) >>> 0
    }
  }

  /** What looks like return addresses on the stack of `v`, innermost first, below the one that it started with. */
  #returnsOf(v: number, physicalOf: (linear: number) => number, opAt: (eip: number) => Op | null): number[] {
    const start = this.#board.image.vcpus[v].registers[ESP]
    const returns: number[] = []
    const isCall = (op: Op | null, length: number) => op?.row?.mnemonic === 'call' && op.length === length
    for (let offset = 0; this.#board.cpus[v].r[ESP] + offset < start && offset < STACK_SCANNED; offset += 4) {
      const value = this.#board.stackAt(v, physicalOf((this.#board.cpus[v].r[ESP] + offset) >>> 0))
      if (value === null) break
      if (CALL_LENGTHS.some((length) => isCall(opAt((value - length) >>> 0), length))) returns.push(value >>> 0)
    }
    return returns
  }

  #opAt(eip: number, physicalOf = (linear: number) => linear): Op | null {
    const { memory } = this.#board
    const bytes = new Uint8Array(2 * WINDOW)
    let length = 0
    for (; length < WINDOW; length++) {
      const at = physicalOf(eip + length)
      if (at < 0 || !memory.allows(at, EXECUTE)) break
      bytes[length] = memory.u8[memory.index(at)]
    }
    const op = decode(bytes, 0, length, true)
    return op.length === 0 || op.length > length ? null : op
  }
}
