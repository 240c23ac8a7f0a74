/**
 * The machine that a guest finds: descriptor tables, gates with their stubs, a stack and a data area per vCPU,
 * and register blocks. Documented for users in include/xmcheck.h; this is where it is made.
 *
 * ```
 * xm:tables   GDT: null, 08 code, 10 data, then for vCPU n 18+16n its area (GS), 20+16n its TSS
 *             IDT: 256 interrupt gates; TSS per vCPU (128 bytes each); area per vCPU (256 bytes each)
 * xm:stubs    exit, unhandled, one per wrapped handler
 * (guard page) xm:stack of vCPU 0 (guard page) xm:stack of vCPU 1 ... init, final (guard page)
 * ```
 */
import * as reg from '../cpu/registers.ts'
import { GUEST_CALL_TAG, GUEST_CALLS } from '../smp/guestCalls.ts'
import type { Symbol32 } from '../smp/image.ts'
import { PAGE_BYTES, type AddressSpace } from './addressSpace.ts'
import { InputError } from './inputError.ts'
import { EXECUTE, READ, WRITE, type Piece } from './regions.ts'

export const STACK_BYTES = 16384
export const CODE_SELECTOR = 0x08
export const DATA_SELECTOR = 0x10
/** Bytes at GS:0 of each vCPU: its number, the linear address of these bytes, and the rest free for the guest. */
export const AREA_BYTES = 256

/** Where the environment goes when nothing is in the way. */
const ENVIRONMENT_START = 0x10000
const TSS_BYTES = 128
const TSS_LIMIT = 103
const GATES = 256

/** Vectors for which the CPU pushes an error code (SDM vol. 3A, table 6-1). */
const WITH_ERROR_CODE = new Set([8, 10, 11, 12, 13, 14, 17, 21, 29, 30])

export interface Handler {
  readonly vector: number
  readonly address: number
  /** Name of the function, for symbols. */
  readonly name: string
  /** The gate leads straight to `address`; otherwise to a stub that calls it as a C function. */
  readonly raw: boolean
}

/** An actor to be: one entry function with its own stack. */
export interface Actor {
  readonly name: string
  readonly entry: number
  readonly vcpu: number
}

export interface Environment {
  readonly pieces: readonly Piece[]
  readonly symbols: readonly Symbol32[]
  /** Register blocks, in the order of the actors. */
  readonly registers: readonly Int32Array[]
}

/** Builds the environment for `actors` on `vcpuCount` vCPUs, in addresses still free in `space`. @throws InputError */
export function makeEnvironment(
  actors: readonly Actor[],
  vcpuCount: number,
  handlers: readonly Handler[],
  space: AddressSpace,
  stackBytes: number = STACK_BYTES,
): Environment {
  const allocate = (sizeBytes: number, from: number, name: string): number => {
    const start = space.allocate(sizeBytes, PAGE_BYTES, from, name)
    if (start === null)
      throw new InputError(name, 'no free address range is left for it', 'place fewer sections')
    return start
  }
  const stubs = makeStubs(handlers)
  const gdtBytes = 0x18 + vcpuCount * 16
  const idtOffset = align16(gdtBytes)
  const tssOffset = idtOffset + GATES * 8
  const areaOffset = tssOffset + vcpuCount * TSS_BYTES
  const tablesBytes = areaOffset + vcpuCount * AREA_BYTES
  const tables = allocate(tablesBytes, ENVIRONMENT_START, 'xm:tables')
  const code = allocate(stubs.bytes.length, tables + tablesBytes, 'xm:stubs')

  const bytes = new Uint8Array(tablesBytes)
  const view = new DataView(bytes.buffer)
  writeDescriptor(view, CODE_SELECTOR, 0, 0xfffff, 0xc09b)
  writeDescriptor(view, DATA_SELECTOR, 0, 0xfffff, 0xc093)
  const gates = new Map(handlers.map((handler, n) => [handler.vector, code + stubs.entries[n]]))
  for (const handler of handlers) if (handler.raw) gates.set(handler.vector, handler.address)
  for (let vector = 0; vector < GATES; vector++)
    writeGate(view, idtOffset + vector * 8, gates.get(vector) ?? code + stubs.unhandled)

  const stackTops = actors.map((actor) => {
    // The page below is allocated too and never mapped: a stack that overflows is a wild access.
    const start = allocate(stackBytes + PAGE_BYTES, code, `xm:stack of ${actor.name}`)
    return start + PAGE_BYTES + stackBytes
  })
  const areas: Symbol32[] = []
  for (let vcpu = 0; vcpu < vcpuCount; vcpu++) {
    const area = tables + areaOffset + vcpu * AREA_BYTES
    const tss = tables + tssOffset + vcpu * TSS_BYTES
    writeDescriptor(view, areaSelector(vcpu), area, AREA_BYTES - 1, 0x4093)
    writeDescriptor(view, areaSelector(vcpu) + 8, tss, TSS_LIMIT, 0x008b)
    view.setUint32(area - tables, vcpu, true)
    view.setUint32(area - tables + 4, area, true)
    areas.push({ name: `xm:area${vcpu}`, address: area, sizeBytes: AREA_BYTES, kind: 'object' })
  }
  // ESP0 and SS0 of each TSS: where an interrupt from a less privileged level would land.
  actors.forEach((actor, n) => {
    if (actors.findIndex((other) => other.vcpu === actor.vcpu) !== n) return
    view.setUint32(tssOffset + actor.vcpu * TSS_BYTES + 4, stackTops[n], true)
    view.setUint32(tssOffset + actor.vcpu * TSS_BYTES + 8, DATA_SELECTOR, true)
    view.setUint16(tssOffset + actor.vcpu * TSS_BYTES + 102, TSS_LIMIT + 1, true) // no I/O bitmap
  })

  stubs.resolve(code)
  const pieces: Piece[] = [
    { name: 'xm:tables', address: tables, sizeBytes: tablesBytes, bytes, access: READ | WRITE },
    {
      name: 'xm:stubs',
      address: code,
      sizeBytes: stubs.bytes.length,
      bytes: stubs.bytes,
      access: READ | EXECUTE,
    },
  ]
  const registers = actors.map((actor, n) => {
    const top = stackTops[n]
    pieces.push(stackPiece(actor, top, code, stackBytes))
    return makeRegisters(actor, top, {
      gdt: tables,
      gdtBytes,
      idt: tables + idtOffset,
      tss: tables + tssOffset + actor.vcpu * TSS_BYTES,
      area: tables + areaOffset + actor.vcpu * AREA_BYTES,
    })
  })
  const symbols: Symbol32[] = [
    { name: 'xm:gdt', address: tables, sizeBytes: gdtBytes, kind: 'object' },
    { name: 'xm:idt', address: tables + idtOffset, sizeBytes: GATES * 8, kind: 'object' },
    ...areas,
    ...stubs.symbols.map((symbol) => ({ ...symbol, address: code + symbol.address })),
  ]
  return { pieces, symbols, registers }
}

function areaSelector(vcpu: number): number {
  return 0x18 + vcpu * 16
}

/** Segment descriptor at `offset`; `attributes` as in the register block (descriptor bits 40-47, 52-55). */
function writeDescriptor(
  view: DataView,
  offset: number,
  base: number,
  limit: number,
  attributes: number,
): void {
  view.setUint32(offset, (base << 16) | (limit & 0xffff), true)
  const high = (base & 0xff000000) | ((attributes & 0xf0ff) << 8) | (limit & 0xf0000) | ((base >>> 16) & 0xff)
  view.setUint32(offset + 4, high, true)
}

/** A 32-bit interrupt gate, DPL 0: interrupts are off in the handler. */
function writeGate(view: DataView, offset: number, address: number): void {
  view.setUint32(offset, (CODE_SELECTOR << 16) | (address & 0xffff), true)
  view.setUint32(offset + 4, (address & 0xffff0000) | 0x8e00, true)
}

/**
 * Stack at the entry, as cdecl wants it: ESP + 4 is a multiple of 16.
 *
 * ```
 * top-16  vCPU number (first argument)
 * top-20  return address: the exit stub      <- ESP
 * ```
 */
function stackPiece(actor: Actor, top: number, exit: number, stackBytes: number): Piece {
  const bytes = new Uint8Array(stackBytes)
  const view = new DataView(bytes.buffer)
  view.setUint32(stackBytes - 16, actor.vcpu, true)
  view.setUint32(stackBytes - 20, exit, true)
  const name = `xm:stack of ${actor.name}`
  return { name, address: top - stackBytes, sizeBytes: stackBytes, bytes, access: READ | WRITE }
}

interface Tables {
  readonly gdt: number
  readonly gdtBytes: number
  readonly idt: number
  readonly tss: number
  readonly area: number
}

function makeRegisters(actor: Actor, top: number, tables: Tables): Int32Array {
  const words = new Int32Array(reg.REGISTER_WORDS)
  const segment = (which: number, selector: number, base: number, limit: number, attributes: number) => {
    words[reg.SELECTOR + which] = selector
    words[reg.SEG_BASE + which] = base
    words[reg.SEG_LIMIT + which] = limit
    words[reg.SEG_ATTR + which] = attributes
  }
  words[reg.EIP] = actor.entry
  words[reg.ESP] = top - 20
  words[reg.EFLAGS] = 2
  segment(reg.CS, CODE_SELECTOR, 0, -1, 0xc09b)
  for (const which of [reg.ES, reg.SS, reg.DS, reg.FS]) segment(which, DATA_SELECTOR, 0, -1, 0xc093)
  segment(reg.GS, areaSelector(actor.vcpu), tables.area, AREA_BYTES - 1, 0x4093)
  segment(reg.TR, areaSelector(actor.vcpu) + 8, tables.tss, TSS_LIMIT, 0x008b)
  words[reg.GDT_BASE] = tables.gdt
  words[reg.GDT_LIMIT] = tables.gdtBytes - 1
  words[reg.IDT_BASE] = tables.idt
  words[reg.IDT_LIMIT] = GATES * 8 - 1
  words[reg.CR0] = 0x31 // PE, ET, NE: no paging, no emulation, caches on
  // The values that reset leaves (SDM vol. 3A, table 9-1), x87 as after FNINIT.
  words[reg.DR6] = 0xffff0ff0 | 0
  words[reg.DR7] = 0x400
  words[reg.MSR_PAT_LO] = 0x00070406
  words[reg.MSR_PAT_HI] = 0x00070406
  words[reg.MSR_APIC_BASE] = 0xfee00800 | (actor.vcpu === 0 ? 0x100 : 0)
  words[reg.FPU_CW] = 0x37f
  words[reg.FPU_TW] = 0xffff
  words[reg.MXCSR] = 0x1f80
  return words
}

/** Code of the environment. Addresses are offsets until `resolve` gives the start. */
function makeStubs(handlers: readonly Handler[]) {
  const code: number[] = []
  const symbols: Symbol32[] = []
  const calls: { at: number; target: number }[] = []
  const begin = (name: string) => {
    while (code.length % 16 !== 0) code.push(0xcc)
    symbols.push({ name, address: code.length, sizeBytes: 0, kind: 'label' })
    return code.length
  }
  const halt = [0xfa, 0xf4, 0xeb, 0xfd] // cli; hlt; jmp to the hlt

  begin('xm:exit')
  code.push(0x0f, 0x1f, 0x80, ...dword(((GUEST_CALL_TAG << 16) | GUEST_CALLS.exit) >>> 0)) // nopl number(%eax)
  code.push(...halt)
  const unhandled = begin('xm:unhandled')
  code.push(...halt)
  const entries = handlers.map((handler) => {
    if (handler.raw) return -1
    const start = begin(`xm:vector${handler.vector}:${handler.name}`)
    // The frame that the handler sees is `struct xm_frame` of include/xmcheck.h.
    if (!WITH_ERROR_CODE.has(handler.vector)) code.push(0x6a, 0x00) // push $0
    code.push(0x68, ...dword(handler.vector)) // push $vector
    code.push(0x60, 0xfc, 0x54) // pusha; cld (the ABI wants DF clear); push %esp: the argument
    code.push(0xe8) // call
    calls.push({ at: code.length, target: handler.address })
    code.push(...dword(0))
    code.push(0x83, 0xc4, 0x04, 0x61, 0x83, 0xc4, 0x08, 0xcf) // add $4,%esp; popa; add $8,%esp; iret
    return start
  })
  const bytes = Uint8Array.from(code)
  const resolve = (start: number) => {
    const view = new DataView(bytes.buffer)
    for (const { at, target } of calls) view.setUint32(at, target - (start + at + 4), true)
  }
  return { bytes, symbols, entries, unhandled, resolve }
}

function dword(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24]
}

function align16(value: number): number {
  return (value + 15) & ~15
}
