// A protected-mode world on flat memory for tests of privilege, gates, tasks and faults.
//
//   1000 GDT   2000 IDT   3000 TSS of the task that runs   3800 LDT   4000.. for the test   6000-7000 ring-0 stack
//   8000 one HLT per vector: where every gate leads   c000-d000 ring-3 stack   10000 code
import { assemble } from '../../src/guest/asm/index.ts'
import * as reg from '../../src/cpu/registers.ts'
import { FlatMachine } from './flatMachine.ts'

export const GDT = 0x1000
export const IDT = 0x2000
export const TSS = 0x3000
export const LDT = 0x3800
export const STUBS = 0x8000
export const CODE = 0x10000

/** Selectors of the world. */
export const CODE0 = 0x08
export const DATA0 = 0x10
export const CODE3 = 0x1b
export const DATA3 = 0x23
export const TASK = 0x28
export const CODE16 = 0x30
export const STACK16 = 0x38
export const LDT_SELECTOR = 0x40
/** Conforming code, DPL 0. */
export const CONFORMING = 0x48
export const READ_ONLY = 0x50
/** Data, offsets above 0xfff only. */
export const EXPAND_DOWN = 0x58
export const ABSENT = 0x60
/** Code that may not be read. */
export const EXECUTE_ONLY = 0x68
export const CODE1 = 0x71
export const DATA1 = 0x79
/** Free from here on, up to 0x1f8. */
export const FREE = 0x80

export interface Segment {
  readonly base?: number
  readonly limit?: number
  /** Access-rights byte and, from bit 12, flags (G 8, B/D 4), as SEG_ATTR. */
  readonly attr: number
}

/** Where a run ended. */
export interface End {
  /** Vector whose stub halted; -1: an HLT of the program, -2: shutdown, -3: still running. */
  readonly vector: number
  readonly error: number
  readonly eip: number
  readonly cs: number
  readonly eflags: number
  readonly esp: number
  readonly ss: number
}

const WITH_ERROR = [8, 10, 11, 12, 13, 14, 17]

export class World {
  readonly machine: FlatMachine
  readonly r: Int32Array
  labels = new Map<string, number>()

  constructor(className = 'p4') {
    this.machine = new FlatMachine(className)
    this.r = this.machine.r
    this.descriptor(CODE0, { attr: 0xc09a })
    this.descriptor(DATA0, { attr: 0xc092 })
    this.descriptor(CODE3, { attr: 0xc0fa })
    this.descriptor(DATA3, { attr: 0xc0f2 })
    this.descriptor(TASK, { base: TSS, limit: 0x67, attr: 0x0089 })
    this.descriptor(CODE16, { base: CODE, limit: 0xffff, attr: 0x009a })
    this.descriptor(STACK16, { base: 0, limit: 0xffff, attr: 0x0092 })
    this.descriptor(LDT_SELECTOR, { base: LDT, limit: 0x3f, attr: 0x0082 })
    this.descriptor(CONFORMING, { attr: 0xc09e })
    this.descriptor(READ_ONLY, { attr: 0xc090 })
    this.descriptor(EXPAND_DOWN, { limit: 0xfff, attr: 0x4096 })
    this.descriptor(ABSENT, { attr: 0xc012 })
    this.descriptor(EXECUTE_ONLY, { attr: 0xc098 })
    this.descriptor(CODE1, { attr: 0xc0ba })
    this.descriptor(DATA1, { attr: 0xc0b2 })
    for (let vector = 0; vector < 256; vector++) {
      this.gate(vector, { selector: CODE0, offset: STUBS + vector, type: vector >= 0x80 ? 0xee : 0x8e })
      this.machine.bus.bytes[STUBS + vector] = 0xf4
    }
    this.write32(TSS + 4, 0x7000)
    this.write32(TSS + 8, DATA0)
    this.write32(TSS + 12, 0x5000)
    this.write32(TSS + 16, DATA1)
    this.write16(TSS + 102, 0x68)
    const r = this.r
    r[reg.CR0] = 0x11
    r[reg.GDT_BASE] = GDT
    r[reg.GDT_LIMIT] = 0x1ff
    r[reg.IDT_BASE] = IDT
    r[reg.IDT_LIMIT] = 0x7ff
    this.load(reg.CS, CODE0)
    for (const seg of [reg.DS, reg.ES, reg.FS, reg.GS, reg.SS]) this.load(seg, DATA0)
    this.load(reg.TR, TASK)
    r[reg.SEG_ATTR + reg.TR] = 0x8b
    this.machine.bus.bytes[GDT + TASK + 5] = 0x8b
    this.load(reg.LDTR, LDT_SELECTOR)
    r[reg.ESP] = 0x7000
  }

  write16(at: number, value: number): void {
    this.machine.bus.write16(at, value)
  }
  write32(at: number, value: number): void {
    this.machine.bus.write32(at, value)
  }
  read16(at: number): number {
    return this.machine.bus.read16(at)
  }
  read32(at: number): number {
    return this.machine.bus.read32(at)
  }

  /** Writes a segment descriptor; limit in units of the G bit. */
  descriptor(selector: number, { base = 0, limit = 0xfffff, attr }: Segment): void {
    const at = ((selector & 4) !== 0 ? LDT : GDT) + (selector & ~7)
    this.write32(at, (base << 16) | (limit & 0xffff))
    this.write32(at + 4, (base & 0xff000000) | ((attr & 0xf0ff) << 8) | (limit & 0xf0000) | ((base >>> 16) & 0xff))
  }

  /** Writes an interrupt, trap, call or task gate into the IDT (`vector`) or, with `at`, elsewhere. `type` is the whole access byte. */
  gate(vector: number, { selector, offset = 0, type, count = 0, at = IDT + vector * 8 }:
    { selector: number; offset?: number; type: number; count?: number; at?: number }): void {
    this.write32(at, (selector << 16) | (offset & 0xffff))
    this.write32(at + 4, (offset & 0xffff0000) | (type << 8) | count)
  }

  /** Loads a segment register as if the tables had been read. */
  load(seg: number, selector: number): void {
    const r = this.r
    const at = GDT + (selector & ~7)
    const low = this.read32(at)
    const high = this.read32(at + 4)
    const attr = (high >>> 8) & 0xf0ff
    const limit = (low & 0xffff) | (high & 0xf0000)
    r[reg.SELECTOR + seg] = selector
    r[reg.SEG_BASE + seg] = (low >>> 16) | ((high & 0xff) << 16) | (high & 0xff000000)
    r[reg.SEG_LIMIT + seg] = (attr & 0x8000) !== 0 ? (limit << 12) | 0xfff : limit
    r[reg.SEG_ATTR + seg] = attr
  }

  /** Starts in ring 3. */
  user(): this {
    this.load(reg.CS, CODE3)
    for (const seg of [reg.DS, reg.ES, reg.FS, reg.GS, reg.SS]) this.load(seg, DATA3)
    this.r[reg.ESP] = 0xd000
    return this
  }

  /** Starts in virtual-8086 mode: CS:IP 1000:0, stack 0c00:1000. */
  virtual8086(iopl = 0): this {
    const r = this.r
    r[reg.EFLAGS] = 0x20002 | (iopl << 12)
    for (const [seg, selector] of [[reg.CS, CODE >> 4], [reg.SS, 0xc00], [reg.DS, 0], [reg.ES, 0], [reg.FS, 0], [reg.GS, 0]]) {
      r[reg.SELECTOR + seg] = selector
      r[reg.SEG_BASE + seg] = selector << 4
      r[reg.SEG_LIMIT + seg] = 0xffff
      r[reg.SEG_ATTR + seg] = 0xf3
    }
    r[reg.ESP] = 0x1000
    r[reg.EIP] = 0
    return this
  }

  /** Identity-maps the first 4 MB: directory at e000, table at f000; user, writable. */
  paging(): this {
    this.write32(0xe000, 0xf007)
    for (let page = 0; page < 1024; page++) this.write32(0xf000 + page * 4, (page << 12) | 7)
    this.r[reg.CR3] = 0xe000
    this.r[reg.CR0] |= 0x80000000
    return this
  }
  /** Sets the low bits of the entry of a page. */
  page(linear: number, bits: number): this {
    const at = 0xf000 + (linear >>> 12) * 4
    this.write32(at, (this.read32(at) & ~0xfff) | bits)
    return this
  }
  pte(linear: number): number {
    return this.read32(0xf000 + (linear >>> 12) * 4)
  }

  /** Assembles at CODE; `code` is 32-bit unless it says otherwise. */
  code(text: string): this {
    const names = { CODE0, DATA0, CODE3, DATA3, TASK, CODE16, STACK16, LDT_SELECTOR, CONFORMING, READ_ONLY, EXPAND_DOWN, ABSENT, EXECUTE_ONLY, CODE1,
      DATA1, FREE, TSS, GDT, IDT, STUBS }
    const { segments, labels } = assemble(text, { origin: CODE, symbols: names })
    for (const { address, bytes } of segments) this.machine.bus.bytes.set(bytes, address)
    this.labels = new Map([...labels.values()].map((label) => [label.name, label.address]))
    if ((this.r[reg.EFLAGS] & reg.VM) === 0) this.r[reg.EIP] = CODE - this.r[reg.SEG_BASE + reg.CS]
    return this
  }

  /** Runs until something halts, and reads the frame of the handler. */
  run(stepsMax = 2000): End {
    const r = this.r
    const outcome = this.machine.run(stepsMax)
    if (outcome === 'shutdown') return this.end(-2, 0)
    if (outcome !== 'halted') return this.end(-3, 0)
    const at = r[reg.EIP] - 1
    if (r[reg.SELECTOR + reg.CS] >> 3 !== CODE0 >> 3 || at < STUBS || at >= STUBS + 256) return this.end(-1, 0)
    const vector = at - STUBS
    let esp = r[reg.ESP]
    let error = 0
    if (WITH_ERROR.includes(vector)) {
      error = this.read32(esp)
      esp += 4
    }
    const eflags = this.read32(esp + 8)
    const cs = this.read32(esp + 4) & 0xffff
    const outer = (eflags & reg.VM) !== 0 || (cs & 3) !== (r[reg.SELECTOR + reg.CS] & 3)
    return {
      vector, error, eip: this.read32(esp), cs, eflags, esp: outer ? this.read32(esp + 12) : esp + 12, ss: outer ? this.read32(esp + 16) & 0xffff : r[reg.SELECTOR + reg.SS],
    }
  }

  private end(vector: number, error: number): End {
    const r = this.r
    return { vector, error, eip: r[reg.EIP], cs: r[reg.SELECTOR + reg.CS], eflags: r[reg.EFLAGS], esp: r[reg.ESP], ss: r[reg.SELECTOR + reg.SS] }
  }

  at(label: string): number {
    const address = this.labels.get(label)
    if (address === undefined) throw new Error(`no label ${label}`)
    return address
  }
}

/** `#GP(10)`, `HLT`, `shutdown`. */
export function name({ vector, error }: End): string {
  const names: Record<number, string> = {
    [-3]: 'running', [-2]: 'shutdown', [-1]: 'HLT', 0: '#DE', 1: '#DB', 2: 'NMI', 3: '#BP', 4: '#OF', 5: '#BR', 6: '#UD', 7: '#NM', 8: '#DF', 10: '#TS', 11: '#NP',
    12: '#SS', 13: '#GP', 14: '#PF', 16: '#MF', 17: '#AC',
  }
  const text = names[vector] ?? `INT ${vector.toString(16)}`
  return WITH_ERROR.includes(vector) ? `${text}(${error.toString(16)})` : text
}
