/** The bytes at a vCPU's EIP: physical addresses, decoding with a cache that is checked by content. */
import type { Cpu } from '../cpu/cpu.ts'
import { decode, type Op } from '../cpu/decode.ts'
import { DecodeMemo } from '../cpu/decodeMemo.ts'
import { CR0, CR0_PG, CS, EIP, SEG_ATTR, SEG_BASE } from '../cpu/registers.ts'
import { WINDOW, type FetchView } from './fetchView.ts'
import { EXECUTE } from './image.ts'
import type { Memory } from './memory.ts'
import type { Sharing } from './sharing.ts'
import type { StoreBuffer } from './storeBuffer.ts'

const SLOTS = 512
/** D bit of a code segment's attributes: 32-bit operands and addresses. */
const ATTR_D = 1 << 14

interface Cached {
  readonly eip: number
  readonly code32: boolean
  readonly bytes: Uint8Array
  readonly op: Op
}

export class CodeWindow {
  /** Physical addresses of the bytes from EIP on, `available` of them. */
  readonly physical = new Int32Array(16)
  available = 0
  readonly #cpu: Cpu
  readonly #memory: Memory
  readonly #bus: { peeking: boolean }
  readonly #cache: (Cached | undefined)[] = new Array<Cached | undefined>(SLOTS)
  readonly #bytes = new Uint8Array(16)
  readonly #decoded = new DecodeMemo()

  /** @param bus the CPU's port; while `peeking`, it only looks */
  constructor(cpu: Cpu, memory: Memory, bus: { peeking: boolean }) {
    this.#cpu = cpu
    this.#memory = memory
    this.#bus = bus
  }

  /** Decodes what memory holds at EIP. Null: not executable (or `cpu.stop` says that the fetch faulted). */
  load(): Op | null {
    const cpu = this.#cpu
    const memory = this.#memory
    const eip = cpu.r[EIP]
    this.available = 0
    const code32 = this.#code32
    const start = cpu.fetchPhysical(eip)
    if (cpu.stop !== 0) return null
    let index = memory.index(start)
    if (index < 0 || !memory.allows(start, EXECUTE)) return null
    const cached = this.#cache[eip & (SLOTS - 1)]
    if (cached !== undefined && cached.eip === eip && cached.code32 === code32 && (start & 0xfff) + cached.op.length <= 0x1000) {
      const bytes = cached.bytes
      let same = true
      for (let b = 0; b < bytes.length && same; b++) same = memory.u8[index + b] === bytes[b]
      if (same) {
        memory.note(index, bytes.length)
        for (let b = 0; b < WINDOW; b++) this.physical[b] = start + b
        this.available = cached.op.length
        return cached.op
      }
    }
    // Only an instruction that really reaches into the next page needs that page.
    const room = Math.min(WINDOW, 0x1000 - (start & 0xfff))
    this.#take(0, room, start, index)
    let op = decode(this.#bytes, 0, room, code32)
    if (op.length === 0 && room < WINDOW) {
      const next = cpu.fetchPhysical((eip + room) | 0)
      if (cpu.stop !== 0) return null
      index = memory.index(next)
      if (index < 0 || !memory.allows(next, EXECUTE)) return null
      this.#take(room, WINDOW, next, index)
      op = decode(this.#bytes, 0, WINDOW, code32)
    }
    if (op.length === 0) return null
    this.#cache[eip & (SLOTS - 1)] = { eip, code32, bytes: this.#bytes.slice(0, op.length), op }
    return op
  }

  /** Decodes bytes that were fetched before and are kept in the state. */
  decodeKept(u8: Uint8Array, at: number, length: number): Op {
    this.#bytes.set(u8.subarray(at, at + 16))
    return this.#decoded.decode(this.#bytes, length, this.#code32)
  }

  /** Notes that `vcpu` fetches the instruction of `length` bytes; true where others may see or change it. `aliases`: also from which linear address. */
  noteFetch(length: number, sharing: Sharing, vcpu: number, aliases: boolean): boolean {
    const memory = this.#memory
    const paged = aliases && (this.#cpu.r[CR0] & CR0_PG) !== 0
    let visible = false
    let previous = -1
    for (let b = 0; b < length; b++) {
      const g = memory.granule(memory.index(this.physical[b]))
      if (g === previous) continue
      previous = g
      if (paged) sharing.noteFetchedThrough(g, vcpu, this.#alias(b))
      if (sharing.noteFetch(g, g, 1 << vcpu)) visible = true
    }
    return visible
  }

  /** The byte strings that may be fetched here, into `view`; call after `load`. */
  enumerate(view: FetchView, vcpu: number): number {
    const linear = (this.#cpu.r[SEG_BASE + CS] + this.#cpu.r[EIP]) | 0
    this.#fill()
    return view.enumerate(vcpu, linear, this.physical, this.available, (bytes, available) => {
      return this.#decoded.decode(bytes, available, this.#code32).length
    })
  }

  /** Whether a buffered store touches the instruction; `aliases`: only one through the linear address that it is fetched from. */
  overlapsBuffer(buffer: StoreBuffer, length: number, aliases: boolean): boolean {
    if (buffer.count === 0) return false
    for (let b = 0; b < length; b++) if (aliases ? buffer.holdsThrough(this.physical[b], this.#alias(b)) : buffer.overlaps(this.physical[b], 1)) return true
    return false
  }

  /** Page address of the linear address of byte `b`, XOR that of its physical one. */
  #alias(b: number): number {
    return ((this.#cpu.r[SEG_BASE + CS] + this.#cpu.r[EIP] + b) ^ this.physical[b]) & ~0xfff
  }

  /** Window bytes `from`..`to` stand at physical address `start`, index `index` of memory. */
  #take(from: number, to: number, start: number, index: number): void {
    this.#memory.note(index, to - from)
    for (let b = from; b < to; b++) {
      this.physical[b] = start + b - from
      this.#bytes[b] = this.#memory.u8[index + b - from]
    }
    this.available = to
  }

  /**
   * The window beyond the present instruction, as a stale one may be longer: of the next page, where `load` has not
   * found it, what the tables hold.
   */
  #fill(): void {
    const cpu = this.#cpu
    const start = this.physical[0]
    const room = Math.min(WINDOW, 0x1000 - (start & 0xfff))
    if (room < WINDOW && this.available > room) return
    for (let b = 0; b < room; b++) this.physical[b] = start + b
    this.available = room
    if (room === WINDOW) return
    const next = this.#peek((cpu.r[EIP] + room) | 0)
    if (next < 0) return
    for (let b = room; b < WINDOW; b++) this.physical[b] = next + b - room
    this.available = WINDOW
  }

  /** Physical address of code at offset `eip`; -1: there is none. */
  #peek(eip: number): number {
    const cpu = this.#cpu
    const bus = this.#bus
    const peeked = bus.peeking
    bus.peeking = true
    const physical = cpu.fetchPhysical(eip)
    bus.peeking = peeked
    const found = cpu.stop === 0 && this.#memory.index(physical) >= 0 && this.#memory.allows(physical, EXECUTE)
    cpu.stop = 0
    return found ? physical >>> 0 : -1
  }

  get #code32(): boolean {
    return (this.#cpu.r[SEG_ATTR + CS] & ATTR_D) !== 0
  }
}
