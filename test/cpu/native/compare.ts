/** One captured vector on the model: user mode, the segments of segments.ts, paging with the pages of layout.ts. */
import type { Bus } from '../../../src/cpu/bus.ts'
import { STOP_FAULT } from '../../../src/cpu/bus.ts'
import { classOf } from '../../../src/cpu/classes.ts'
import { Cpu } from '../../../src/cpu/cpu.ts'
import { CodeCache, type Block } from '../../../src/cpu/codeCache.ts'
import { DIRECT_READ, DIRECT_WRITE, type DirectMemory } from '../../../src/cpu/directMemory.ts'
import { canRunBlocks, flatSegments, runBlocks, type Code } from '../../../src/cpu/runBlocks.ts'
import { decode, MEM, REG, type Op } from '../../../src/cpu/decode.ts'
import {
  ATTR_BIG, CR0, CR3, CS, EFLAGS, EIP, EVENT, EVENT_INT_N, EVENT_TYPE, EVENT_VALID, FPU_CW, FPU_ST, FPU_SW, FPU_TW, GDT_BASE, GDT_LIMIT as GDT_LIMIT_, IDT_BASE, IDT_LIMIT, LDTR,
  REGISTER_WORDS, SEG_ATTR, SEG_BASE, SEG_LIMIT, SELECTOR, TR,
} from '../../../src/cpu/registers.ts'
import { ARITHMETIC_FLAGS, NOTHING, type Undefined } from '../../../src/cpu/undefined.ts'
import { FIXED_FLAGS, undefinedAfter } from '../../../src/cpu/undefinedFlags.ts'
import { ImmediateBus } from '../../../src/platform/immediateBus.ts'
import { CODE, CODE_BYTES, DATA, DATA_BYTES, emptyTags, FLAGS, hashStack, patternWord, READ_ONLY, stackRegister, type Instance, type Result } from './layout.ts'
import { descriptorOf, GDT_LIMIT, GLOBAL, limitBytes, LOCAL, segmentOf } from './segments.ts'

/** Physical pages: directory, two tables, TSS with the descriptor tables, code, data, read-only. */
const DIRECTORY = 0x0000
const TABLE_CODE = 0x1000
const TABLE_DATA = 0x2000
const TSS = 0x3000
const CODE_AT = 0x4000
const DATA_AT = 0x6000
const READ_ONLY_AT = 0x8000
const MEMORY_BYTES = 0x9000
const TSS_LINEAR = 0x2002_0000
/** Descriptor tables, by their distance from the TSS. */
const GDT_AT = 0x200
const LDT_AT = 0x400
const IDT_AT = 0x600
/** Instructions and iterations until the INT3 behind must have come. */
const STEPS_MAX = 64

class FlatBus extends ImmediateBus implements Bus {
  /** Inverts these bits of every value that is stored: for tests that spoil it. */
  spoiledStore = 0
  readonly u8 = new Uint8Array(MEMORY_BYTES)
  readonly code = new CodeCache(this.u8, 0, MEMORY_BYTES / 0x1000, classOf('p4'))
  readonly #view = new DataView(this.u8.buffer)
  read8(at: number): number {
    return this.u8[at]
  }
  read16(at: number): number {
    return this.#view.getUint16(at, true)
  }
  read32(at: number): number {
    return this.#view.getInt32(at, true)
  }
  read64(at: number): number {
    this.high = this.read32(at + 4)
    return this.read32(at)
  }
  write8(at: number, value: number): void {
    this.code.written(at >>> 12)
    this.u8[at] = value ^ this.spoiledStore
  }
  write16(at: number, value: number): void {
    this.code.written(at >>> 12)
    this.#view.setUint16(at, (value ^ this.spoiledStore) & 0xffff, true)
  }
  write32(at: number, value: number): void {
    this.code.written(at >>> 12)
    this.#view.setInt32(at, value ^ this.spoiledStore, true)
  }
  write64(at: number, low: number, high: number): void {
    this.write32(at, low)
    this.write32(at + 4, high)
  }
  walkOr(at: number, bits: number): void {
    this.#view.setInt32(at, this.read32(at) | bits, true)
  }
  in(): number {
    return -1
  }
  out(): void {}
  tsc(): number {
    return 0
  }
  readMsr(): boolean {
    return false
  }
  writeMsr(): boolean {
    return false
  }
  guestCall(_number: number, eax: number): number {
    return eax
  }
}

/** Stands around what the first instruction does, for tests that spoil it. */
export type Spoil = (op: Op, cpu: Cpu, run: () => void) => void

/** One instruction at a time by its handler, or in blocks (runBlocks.ts). */
export type Way = 'handlers' | 'blocks'

export class Model implements Code {
  spoil: Spoil | null = null
  /** With `spoil`: bits to invert of what the first instruction stores. */
  spoiledStore = 0
  readonly #bus = new FlatBus()
  readonly #cpu: Cpu
  readonly #pristine: Uint8Array
  readonly #direct: DirectMemory

  constructor(undefinedFlags = FIXED_FLAGS) {
    const bus = this.#bus
    this.#cpu = new Cpu(new Int32Array(REGISTER_WORDS), 0, bus, classOf('p4'), undefinedFlags)
    const map = (table: number, linear: number, physical: number, pages: number, flags: number) => {
      bus.write32(DIRECTORY + (linear >>> 22) * 4, table | 0x27)
      for (let k = 0; k < pages; k++) bus.write32(table + ((linear >>> 12) & 0x3ff) * 4 + k * 4, (physical + k * 0x1000) | flags | 0x60)
    }
    map(TABLE_CODE, CODE, CODE_AT, CODE_BYTES / 0x1000, 7)
    map(TABLE_DATA, DATA, DATA_AT, DATA_BYTES / 0x1000, 7)
    map(TABLE_DATA, READ_ONLY, READ_ONLY_AT, 1, 5)
    map(TABLE_DATA, TSS_LINEAR, TSS, 1, 3)
    bus.write16(TSS + 0x66, 0xffff)
    const put = (at: number, list: readonly (readonly [number, number])[]) => list.forEach((words, k) => words.forEach((word, n) => bus.write32(TSS + at + k * 8 + n * 4, word)))
    put(GDT_AT, [[0, 0], ...GLOBAL.map(descriptorOf)])
    put(LDT_AT, [[0, 0], ...LOCAL.map(descriptorOf)])
    // Interrupt gates; INT3 and INTO are for ring 3.
    put(IDT_AT, Array.from({ length: 256 }, (_, vector) => [0x0008_0000, vector === 3 || vector === 4 ? 0xee00 : 0x8e00]))
    bus.u8.fill(0xcc, CODE_AT, CODE_AT + CODE_BYTES)
    for (let k = 0; k < DATA_BYTES / 4; k++) bus.write32(DATA_AT + k * 4, patternWord(k))
    for (let k = 0; k < 1024; k++) bus.write32(READ_ONLY_AT + k * 4, patternWord(k))
    this.#pristine = bus.u8.slice(DATA_AT, DATA_AT + DATA_BYTES)
    // By linear address, as the page tables have it. What is not here goes to a handler, and through the tables.
    const pages = new Int32Array(1 << 20)
    for (let at = 0; at < DATA_BYTES; at += 0x1000) pages[(DATA + at) >>> 12] = (DATA_AT + at) | DIRECT_READ | DIRECT_WRITE
    pages[READ_ONLY >>> 12] = READ_ONLY_AT | DIRECT_READ
    const { buffer } = bus.u8
    this.#direct = { pages, bytes: bus.u8, halves: new Uint16Array(buffer), words: new Int32Array(buffer) }
  }

  /** Executes until a trap or fault. */
  run(before: Instance, way: Way = 'handlers'): { after: Result; op: Op | null } {
    const bus = this.#bus
    const cpu = this.#cpu
    const { r } = cpu
    r.fill(0)
    before.registers.forEach((value, k) => (r[k] = value))
    r[EIP] = before.eip
    r[EFLAGS] = before.eflags | 0x202
    r[CR0] = 0x8005_0033 | 0
    r[CR3] = DIRECTORY
    before.selectors.forEach((selector, seg) => {
      const segment = segmentOf(selector)
      r[SELECTOR + seg] = selector
      if (segment === null) return
      r[SEG_BASE + seg] = segment.base
      r[SEG_LIMIT + seg] = limitBytes(segment)
      r[SEG_ATTR + seg] = (descriptorOf(segment)[1] >>> 8) & 0xf0ff
    })
    r[GDT_BASE] = TSS_LINEAR + GDT_AT
    r[GDT_LIMIT_] = GDT_LIMIT
    r[IDT_BASE] = TSS_LINEAR + IDT_AT
    r[IDT_LIMIT] = 0x7ff
    r[SELECTOR + LDTR] = 0x50
    r[SEG_BASE + LDTR] = TSS_LINEAR + LDT_AT
    r[SEG_LIMIT + LDTR] = LOCAL.length * 8 + 7
    r[SEG_ATTR + LDTR] = 0x82
    r[FPU_CW] = before.fpu.cw
    r[FPU_SW] = before.fpu.sw
    r[FPU_TW] = before.fpu.tw
    const stack = (k: number) => FPU_ST + (((before.fpu.sw >> 11) + k) & 7) * 3
    for (let k = 0; k < 8; k++) {
      const [a, b, c, d, exponent] = stackRegister(k)
      r.set([a | (b << 16), c | (d << 16), exponent], stack(k))
    }
    r[SELECTOR + TR] = 0x40
    r[SEG_BASE + TR] = TSS_LINEAR
    r[SEG_LIMIT + TR] = 0x67
    r[SEG_ATTR + TR] = 0x8b
    const at = CODE_AT + before.place - CODE
    const room = Math.min(before.code.length, CODE_AT + CODE_BYTES - at)
    bus.u8.set(before.code.subarray(0, room), at)
    const { planted } = before
    bus.u8.set(planted, DATA_AT + before.plantedAt)
    this.#pristine.set(planted, before.plantedAt)
    for (let page = CODE_AT; page < CODE_AT + CODE_BYTES; page += 0x1000) bus.code.written(page >>> 12)
    const { trap, error, cr2, op } = this.#go(way)
    // The instruction may have written to the code pages.
    bus.u8.fill(0xcc, CODE_AT, CODE_AT + CODE_BYTES)
    const memory: [number, number][] = []
    const now = new Int32Array(bus.u8.buffer, DATA_AT, DATA_BYTES / 4)
    const was = new Int32Array(this.#pristine.buffer)
    for (let word = 0; word < now.length; word++) {
      if (now[word] === was[word]) continue
      for (let k = word * 4; k < word * 4 + 4; k++) if (bus.u8[DATA_AT + k] !== this.#pristine[k]) memory.push([k, bus.u8[DATA_AT + k]])
      now[word] = was[word]
    }
    for (let k = before.plantedAt; k < before.plantedAt + planted.length; k++)
      this.#pristine[k] = bus.u8[DATA_AT + k] = (patternWord(k >> 2) >>> ((k & 3) * 8)) & 0xff
    const after: Result = {
      trap, error, cr2, eip: r[EIP] >>> 0, eflags: r[EFLAGS] & FLAGS, registers: Array.from(r.subarray(0, 8), (value) => value >>> 0),
      selectors: Array.from(r.subarray(SELECTOR, SELECTOR + 6)), fpu: { cw: r[FPU_CW], sw: r[FPU_SW], tw: emptyTags(r[FPU_TW]) }, stack: stackHash(r), memory,
    }
    return { after, op }
  }

  /** The block at a linear address, where it is one of the code pages. */
  find(eip: number): Block | null {
    const offset = (eip - CODE) >>> 0
    return offset < CODE_BYTES ? this.#bus.code.at(CODE_AT + offset, eip, true) : null
  }
  attempt(): void {}
  get cache(): CodeCache {
    return this.#bus.code
  }

  #go(way: Way): { trap: number; error: number; cr2: number; op: Op | null } {
    const cpu = this.#cpu
    const { r } = cpu
    let first: Op | null = null
    for (let step = 0; step < STEPS_MAX; step++) {
      cpu.stop = 0
      const block = way === 'blocks' && canRunBlocks(cpu) ? this.find(r[EIP]) : null
      if (block !== null && block.ops.length > 0) {
        first ??= block.first
        step += runBlocks(cpu, block, STEPS_MAX - step, this, this.#direct, flatSegments(r))
      }
      const op = cpu.stop === 0 ? this.#fetch() : null
      if (op !== null) {
        this.#bus.locked = false
        if (first === null && this.spoil !== null) this.#spoiled(op, this.spoil)
        else cpu.execute(op)
        first ??= op
      }
      if (cpu.stop === STOP_FAULT) {
        const vector = cpu.faultVector
        return { trap: vector, error: cpu.faultError, cr2: vector === 14 ? cpu.faultAddress >>> 0 : 0, op: first }
      }
      if ((r[EVENT] & EVENT_VALID) !== 0) return { ...this.#deliver(), op: first }
    }
    return { trap: -1, error: 0, cr2: 0, op: first }
  }

  /** INT n may not use every gate: the fault is the result then. */
  #deliver(): { trap: number; error: number; cr2: number } {
    const cpu = this.#cpu
    const { r } = cpu
    const vector = r[EVENT] & 0xff
    if ((r[EVENT] & EVENT_TYPE) !== EVENT_INT_N || vector === 3 || vector === 4) return { trap: vector, error: 0, cr2: 0 }
    cpu.deliver()
    const { faultVector: trap, faultError: error } = cpu
    cpu.raise()
    return { trap, error, cr2: 0 }
  }

  #spoiled(op: Op, spoil: Spoil): void {
    const handler = op.handler
    op.handler = (cpu, same) => spoil(op, cpu, () => handler(cpu, same))
    this.#bus.spoiledStore = this.spoiledStore
    this.#cpu.execute(op)
    this.#bus.spoiledStore = 0
  }

  #fetch(): Op | null {
    const cpu = this.#cpu
    const code32 = (cpu.r[SEG_ATTR + CS] & ATTR_BIG) !== 0
    const start = cpu.fetchPhysical(cpu.r[EIP])
    if (cpu.stop !== 0) return null
    const whole = decode(this.#bus.u8, start, 0x1000 - (start & 0xfff), code32)
    if (whole.length !== 0) return whole
    // It goes on in the next page, and may have to be looked for there.
    const bytes = new Uint8Array(16)
    for (let length = 1; ; length++) {
      const physical = cpu.fetchPhysical((cpu.r[EIP] + length - 1) | 0)
      if (cpu.stop !== 0) return null
      bytes[length - 1] = this.#bus.u8[physical]
      const op = decode(bytes, 0, length, code32)
      if (op.length !== 0) return op
    }
  }
}

function stackHash(r: Int32Array): number {
  return hashStack(
    [0, 1, 2, 3, 4, 5, 6, 7].map((k) => {
      const [low, high, exponent] = r.subarray(FPU_ST + (((r[FPU_SW] >> 11) + k) & 7) * 3)
      return [low & 0xffff, low >>> 16, high & 0xffff, high >>> 16, exponent]
    }),
  )
}

/** What the manual leaves undefined after this instance. */
export function looseAfter(before: Instance, real: Result, op: Op | null): Undefined {
  return op === null || real.eip === before.eip ? NOTHING : undefinedAfter(op, before.registers)
}

/** What differs between the captured and the modelled result; empty: nothing that the manual defines. */
export function differences(before: Instance, real: Result, got: Result, op: Op | null): string[] {
  const out: string[] = []
  const hex = (value: number) => (value >>> 0).toString(16)
  const compare = (what: string, a: number, b: number) => {
    if (a !== b) out.push(`${what} ${hex(b)}, real ${hex(a)}`)
  }
  compare('trap', real.trap, got.trap)
  // Whether a page fault was a fetch is told only where pages can forbid it (NX): the host's can, these cannot.
  const mask = real.trap === 14 ? ~0x10 : -1
  if (real.trap !== 3) compare('error code', real.error & mask, got.error & mask)
  if (real.trap === 14) compare('CR2', real.cr2, got.cr2)
  compare('EIP', real.eip, got.eip)
  const loose = looseAfter(before, real, op)
  const flags = FLAGS & ~(loose.flags & ARITHMETIC_FLAGS)
  compare('flags', real.eflags & flags, got.eflags & flags)
  const undefinedRegister = loose.result && op!.a.kind === REG ? op!.a.value : -1
  real.registers.forEach((value, r) => {
    if (r !== undefinedRegister) compare(['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'][r], value, got.registers[r])
  })
  for (const word of ['cw', 'sw', 'tw'] as const) compare(word, real.fpu[word], got.fpu[word])
  compare('x87 registers', real.stack, got.stack)
  real.selectors.forEach((value, k) => compare(['es', 'cs', 'ss', 'ds', 'fs', 'gs'][k], value, got.selectors[k]))
  if (!(loose.result && op!.a.kind === MEM)) {
    const text = (list: Result['memory']) => list.map(([offset, value]) => `${hex(offset)}:${hex(value)}`).join(' ')
    if (text(real.memory) !== text(got.memory)) out.push(`memory ${text(got.memory) || 'unchanged'}, real ${text(real.memory) || 'unchanged'}`)
  }
  return out
}
