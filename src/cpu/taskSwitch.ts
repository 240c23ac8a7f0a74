/**
 * Hardware task switching (SDM vol. 3A chapter 9).
 *
 * ```
 *       32-bit TSS                        16-bit TSS
 *  00   backlink                          backlink
 *  04   ESP0 SS0 ESP1 SS1 ESP2 SS2        02  SP0 SS0 SP1 SS1 SP2 SS2
 *  1c   CR3
 *  20   EIP EFLAGS EAX ECX EDX EBX        0e  IP FLAGS AX CX DX BX
 *  38   ESP EBP ESI EDI                   1a  SP BP SI DI
 *  48   ES CS SS DS FS GS                 22  ES CS SS DS
 *  60   LDT                               2a  LDT
 *  64   T (bit 0), I/O map base (66)
 * ```
 *
 * The switch is one attempt like any instruction, but it reads descriptors after the new task's registers are loaded: those
 * faults belong to the new task. So the registers are written early, and put back when the bus parks.
 */
import { STOP_FAULT } from './bus.ts'
import type { Cpu } from './cpu.ts'
import { debugTrap, DR6_BT, DR7_LOCAL } from './debug.ts'
import { GP, NP, TS_ } from './exceptions.ts'
import { cplOf } from './modes.ts'
import { readPdptes } from './paging.ts'
import {
  ATTR_PRESENT, CR0, CR0_PG, CR0_TS, CR3, CR4, CR4_PAE, CS, DR7, DS, EAX, EFLAGS, EIP, ES, ESP, EVENT, EVENT_LENGTH_SHIFT, FS,
  GS, LDTR, NT, PDPTE, REGISTER_WORDS, SEG_ATTR, SEG_BASE, SEG_LIMIT, SELECTOR, SS, TR, VM,
} from './registers.ts'
import {
  attrOf, clearTypeBits, dataSegmentFault, dplOf, findDescriptor, isCode, isConforming, isNull, limitOf, markAccessed, readDescriptor,
  selectorError, setNullSegment, setSegment, setTypeBits, setVirtual8086Segment, type Descriptor,
} from './segmentation.ts'
import { currentStack, pushOn } from './stack.ts'

export const TSS_16 = 1
export const TSS_32 = 9
/** Busy: bit 1 of the type. */
export const BUSY = 2
const LIMIT_16 = 0x2b
const LIMIT_32 = 0x67

export type SwitchKind = 'jump' | 'call' | 'return' | 'interrupt'

export interface Switch {
  readonly kind: SwitchKind
  readonly selector: number
  readonly descriptor: Descriptor
  /** Bit 0 of error codes. */
  readonly ext: number
  /** What the old TSS keeps. */
  readonly eip: number
  readonly eflags: number
  /** Error code to push in the new task; null: none. */
  readonly error: number | null
}

/** The available TSS behind a task gate's selector; raises `vector` or #NP. */
export function gateTask(cpu: Cpu, selector: number, vector: number, ext: number): Descriptor | null {
  const error = selectorError(selector) | ext
  const descriptor = (selector & 4) === 0 ? readDescriptor(cpu, selector, vector, ext) : null
  if (descriptor === null) cpu.fault(vector, error)
  if (cpu.stop !== 0 || descriptor === null) return null
  const attr = attrOf(descriptor.high)
  const type = attr & 0x1f
  if (type !== TSS_16 && type !== TSS_32) cpu.fault(vector, error)
  else if ((attr & ATTR_PRESENT) === 0) cpu.fault(NP, error)
  return cpu.stop !== 0 ? null : descriptor
}

/** IRET with NT: back to the task that the backlink of this one names. `flags`: EFLAGS with NT clear. */
export function returnToTask(cpu: Cpu, eip: number, flags: number): void {
  const r = cpu.r
  const selector = cpu.readSystem(r[SEG_BASE + TR], 2)
  if (cpu.stop !== 0) return
  const error = selectorError(selector)
  const descriptor = (selector & 4) === 0 ? findDescriptor(cpu, selector) : null
  if (cpu.stop !== 0) return
  const attr = descriptor === null ? 0 : attrOf(descriptor.high)
  const type = attr & 0x1f
  if (descriptor === null || (type !== (TSS_16 | BUSY) && type !== (TSS_32 | BUSY))) return cpu.fault(TS_, error)
  if ((attr & ATTR_PRESENT) === 0) return cpu.fault(NP, error)
  switchTask(cpu, { kind: 'return', selector, descriptor, ext: 0, eip, eflags: flags, error: null })
}

/** What the new TSS holds, 16-bit ones widened as the CPU does it. */
interface TaskState {
  readonly cr3: number
  readonly eip: number
  readonly eflags: number
  readonly general: readonly number[]
  /** ES CS SS DS FS GS. */
  readonly segments: readonly number[]
  readonly ldt: number
  readonly trap: boolean
}

const saved = new Int32Array(REGISTER_WORDS)

/** Switches to a task whose TSS was found available (or busy, for a return). Afterwards r[EIP] is in the new task. */
export function switchTask(cpu: Cpu, to: Switch): void {
  const r = cpu.r
  const wide = (attrOf(to.descriptor.high) & 8) !== 0
  const oldWide = (r[SEG_ATTR + TR] & 8) !== 0
  const limit = limitOf(to.descriptor) >>> 0
  const error = selectorError(to.selector) | to.ext
  if (limit < (wide ? LIMIT_32 : LIMIT_16)) return cpu.fault(TS_, error)
  if (r[SEG_LIMIT + TR] >>> 0 < (oldWide ? LIMIT_32 : LIMIT_16)) return cpu.fault(TS_, selectorError(r[SELECTOR + TR]) | to.ext)
  const base = r[SEG_BASE + TR]
  saved.set(r)
  // Every page that is needed must be there before a byte changes: only then is a page fault restartable.
  cpu.translateSystem((base + (oldWide ? LIMIT_32 : LIMIT_16)) | 0, true)
  if (cpu.stop !== 0) return
  writeOldState(cpu, base, oldWide, to)
  setSegment(cpu, TR, to.selector, to.descriptor)
  const start = r[SEG_BASE + TR]
  const state = wide ? readState32(cpu, start) : readState16(cpu, start)
  if ((to.kind === 'call' || to.kind === 'interrupt') && cpu.stop === 0) cpu.writeSystem(start, 2, saved[SELECTOR + TR])
  if (to.kind !== 'return' && cpu.stop === 0) {
    // With LOCK semantics (SDM vol. 3A 9.1.2.1): older stores are in memory before.
    cpu.bus.fence()
    setTypeBits(cpu, to.selector, BUSY)
  }
  if ((to.kind === 'jump' || to.kind === 'return') && cpu.stop === 0) clearTypeBits(cpu, saved[SELECTOR + TR], BUSY)
  // Only a CR3 that changes drops translations and loads PDPTEs (SDM vol. 3A 5.10.4.1, 5.4.1).
  const reloads = wide && (r[CR0] & CR0_PG) !== 0 && state.cr3 !== r[CR3]
  const pdptes = reloads && (r[CR4] & CR4_PAE) !== 0 && cpu.stop === 0 ? readPdptes(cpu, state.cr3) : null
  if (cpu.stop !== 0) {
    r.set(saved)
    return
  }
  r[SEG_ATTR + TR] |= BUSY
  loadState(cpu, state, wide, to.kind)
  if (pdptes !== null) r.set(pdptes, PDPTE)
  // From here on faults are the new task's, at its first instruction.
  r[EVENT] &= ~(15 << EVENT_LENGTH_SHIFT)
  cpu.keepsRf = true
  cpu.switchedTask = true
  loadSegments(cpu, state, to.ext)
  if (cpu.stop === 0 && to.error !== null) pushError(cpu, to.error, wide ? 4 : 2, to.ext)
  if (cpu.stop === 0 && state.eip >>> 0 > r[SEG_LIMIT + CS] >>> 0) cpu.fault(GP, to.ext)
  if (reloads) {
    cpu.bus.fence()
    cpu.bus.gateInvalidation()
  }
  if (cpu.stop !== 0 && cpu.stop !== STOP_FAULT) {
    r.set(saved)
    return
  }
  if (reloads) cpu.bus.invalidateTlb(false)
  if (cpu.stop !== 0) return
  // What was being delivered has been.
  r[EVENT] = 0
  if (state.trap) debugTrap(cpu, DR6_BT)
}

const SEGMENTS = [ES, CS, SS, DS, FS, GS]

function writeOldState(cpu: Cpu, base: number, wide: boolean, to: Switch): void {
  const r = cpu.r
  const write = (offset: number, size: number, value: number) => cpu.writeSystem((base + offset) | 0, size, value)
  if (wide) {
    write(0x20, 4, to.eip)
    write(0x24, 4, to.eflags)
    for (let n = 0; n < 8; n++) write(0x28 + n * 4, 4, r[EAX + n])
    for (let n = 0; n < 6; n++) write(0x48 + n * 4, 2, r[SELECTOR + SEGMENTS[n]])
  } else {
    write(0x0e, 2, to.eip & 0xffff)
    write(0x10, 2, to.eflags & 0xffff)
    for (let n = 0; n < 8; n++) write(0x12 + n * 2, 2, r[EAX + n] & 0xffff)
    for (let n = 0; n < 4; n++) write(0x22 + n * 2, 2, r[SELECTOR + SEGMENTS[n]])
  }
}

function readState32(cpu: Cpu, base: number): TaskState {
  const read = (offset: number, size: number) => cpu.readSystem((base + offset) | 0, size)
  return {
    cr3: read(0x1c, 4),
    eip: read(0x20, 4),
    eflags: read(0x24, 4),
    general: [0, 1, 2, 3, 4, 5, 6, 7].map((n) => read(0x28 + n * 4, 4)),
    segments: [0, 1, 2, 3, 4, 5].map((n) => read(0x48 + n * 4, 2)),
    ldt: read(0x60, 2),
    trap: (read(0x64, 2) & 1) !== 0,
  }
}

function readState16(cpu: Cpu, base: number): TaskState {
  const read = (offset: number) => cpu.readSystem((base + offset) | 0, 2)
  return {
    cr3: 0,
    eip: read(0x0e),
    eflags: read(0x10),
    // The upper halves are undefined; the 386 and its successors fill them with ones.
    general: [0, 1, 2, 3, 4, 5, 6, 7].map((n) => read(0x12 + n * 2) | 0xffff0000),
    segments: [...[0, 1, 2, 3].map((n) => read(0x22 + n * 2)), 0, 0],
    ldt: read(0x2a),
    trap: false,
  }
}

/** Everything but the hidden parts of the segment registers, which are not valid until `loadSegments`. */
function loadState(cpu: Cpu, state: TaskState, wide: boolean, kind: SwitchKind): void {
  const r = cpu.r
  const nested = kind === 'call' || kind === 'interrupt'
  r[EIP] = state.eip
  r[EFLAGS] = (state.eflags & cpu.flagsMask) | 2 | (nested ? NT : 0)
  for (let n = 0; n < 8; n++) r[EAX + n] = state.general[n]
  if (wide && (r[CR0] & CR0_PG) !== 0) r[CR3] = state.cr3
  r[CR0] |= CR0_TS
  r[DR7] &= ~DR7_LOCAL
  const virtual = (r[EFLAGS] & VM) !== 0
  for (let n = 0; n < 6; n++) {
    r[SELECTOR + SEGMENTS[n]] = state.segments[n]
    r[SEG_ATTR + SEGMENTS[n]] = 0
  }
  // The CPL is the new CS's from now on; SS carries it (modes.ts), not present until it is loaded.
  r[SEG_ATTR + SS] = (virtual ? 3 : state.segments[1] & 3) << 5
  r[SELECTOR + LDTR] = state.ldt
  r[SEG_ATTR + LDTR] = 0
}

/** Loads LDTR and the segment registers of the new task, with #TS, #NP and #SS as SDM vol. 3A table 9-1 has them. */
function loadSegments(cpu: Cpu, state: TaskState, ext: number): void {
  const r = cpu.r
  if (!isNull(state.ldt)) {
    const error = selectorError(state.ldt) | ext
    const descriptor = (state.ldt & 4) === 0 ? findDescriptor(cpu, state.ldt) : null
    if (cpu.stop !== 0) return
    if (descriptor === null || (attrOf(descriptor.high) & 0x1f) !== 2 || (attrOf(descriptor.high) & ATTR_PRESENT) === 0) return cpu.fault(TS_, error)
    setSegment(cpu, LDTR, state.ldt, descriptor)
  }
  if ((r[EFLAGS] & VM) !== 0) {
    for (let n = 0; n < 6; n++) setVirtual8086Segment(cpu, SEGMENTS[n], state.segments[n])
    return
  }
  const [es, cs, ss, ds, fs, gs] = state.segments
  const cpl = cplOf(r)
  // The order in which faults are reported: CS, SS, then the others.
  loadCode(cpu, cs, cpl, ext)
  if (cpu.stop === 0) loadData(cpu, SS, ss, cpl, ext)
  for (const [seg, selector] of [[DS, ds], [ES, es], [FS, fs], [GS, gs]]) if (cpu.stop === 0) loadData(cpu, seg, selector, cpl, ext)
}

function loadCode(cpu: Cpu, selector: number, cpl: number, ext: number): void {
  const error = selectorError(selector) | ext
  if (isNull(selector)) return cpu.fault(TS_, error)
  const descriptor = readDescriptor(cpu, selector, TS_, ext)
  if (cpu.stop !== 0) return
  const attr = attrOf(descriptor.high)
  if (!isCode(attr) || (isConforming(attr) ? dplOf(attr) > cpl : dplOf(attr) !== cpl)) return cpu.fault(TS_, error)
  if ((attr & ATTR_PRESENT) === 0) return cpu.fault(NP, error)
  markAccessed(cpu, selector, descriptor)
  if (cpu.stop === 0) setSegment(cpu, CS, selector, descriptor)
}

function loadData(cpu: Cpu, seg: number, selector: number, cpl: number, ext: number): void {
  if (isNull(selector)) {
    if (seg === SS) cpu.fault(TS_, selectorError(selector) | ext)
    else setNullSegment(cpu, seg, selector)
    return
  }
  const descriptor = readDescriptor(cpu, selector, TS_, ext)
  if (cpu.stop !== 0) return
  const wrong = dataSegmentFault(seg, selector, attrOf(descriptor.high), cpl)
  if (wrong !== 0) return cpu.fault(wrong === GP ? TS_ : wrong, selectorError(selector) | ext)
  markAccessed(cpu, selector, descriptor)
  if (cpu.stop === 0) setSegment(cpu, seg, selector, descriptor)
}

function pushError(cpu: Cpu, error: number, size: number, ext: number): void {
  const stack = currentStack(cpu, ext)
  pushOn(cpu, stack, size, error)
  if (cpu.stop === 0) cpu.r[ESP] = stack.esp
}
