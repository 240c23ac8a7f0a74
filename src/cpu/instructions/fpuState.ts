/**
 * x87 control and state (SDM vol. 1 chapter 8, vol. 2A). Arithmetic is not modelled: it is refused by name.
 *
 * FPU_ST holds the physical registers R0-R7; ST(i) is R((TOP + i) mod 8). The tag word is the full 16-bit one.
 */
import type { Cpu } from '../cpu.ts'
import { MEM, type Op } from '../decode.ts'
import { GP, MF, NM, UD } from '../exceptions.ts'
import { inProtectedMode } from '../modes.ts'
import {
  CR0, CR0_EM, CR0_MP, CR0_NE, CR0_TS, EAX, FPU_CS, FPU_CW, FPU_DP, FPU_DS, FPU_IP, FPU_OP, FPU_ST, FPU_SW, FPU_TW, MXCSR, SEG_BASE,
} from '../registers.ts'
import type { Handler, HandlerRow } from './handler.ts'

const EXCEPTIONS = 0x3f
/** ES and B of the status word: an unmasked exception is pending. */
const PENDING = 0x8080
const CW_AFTER_INIT = 0x37f
const MXCSR_BITS = 0xffff

/** Sets ES and B as the exceptions and their masks demand. */
function summarize(status: number, control: number): number {
  return (status & ~control & EXCEPTIONS) !== 0 ? status | PENDING : status & ~PENDING
}

/** A control word as it is kept: bit 6 reads as 1 on every 32-bit part, bits 7 and 13-15 as 0. */
function controlOf(word: number): number {
  return (word & 0x1f3f) | 0x40
}

function initialize(cpu: Cpu): void {
  const r = cpu.r
  r[FPU_CW] = CW_AFTER_INIT
  r[FPU_SW] = 0
  r[FPU_TW] = 0xffff
  for (const word of [FPU_IP, FPU_CS, FPU_DP, FPU_DS, FPU_OP]) r[word] = 0
}

/** #MF for a pending unmasked exception; without CR0.NE the report goes to FERR#, which nothing is wired to. */
function checkPending(cpu: Cpu): void {
  if ((cpu.r[FPU_SW] & PENDING) !== 0 && (cpu.r[CR0] & CR0_NE) !== 0) cpu.fault(MF)
}

/** The words of an environment, 14 or 28 bytes (SDM vol. 1 figures 8-9 to 8-12). */
function environment(cpu: Cpu, size: number): number[] {
  const r = cpu.r
  const head = [r[FPU_CW], r[FPU_SW], r[FPU_TW]]
  const ones = size === 4 ? 0xffff0000 : 0
  if (inProtectedMode(r)) {
    const opcode = size === 4 ? (r[FPU_OP] & 0x7ff) << 16 : 0
    return [...head.map((word) => word | ones), r[FPU_IP], (r[FPU_CS] & 0xffff) | opcode, r[FPU_DP], (r[FPU_DS] & 0xffff) | ones]
  }
  // Real and virtual-8086 mode keep linear addresses.
  const ip = (r[FPU_IP] + ((r[FPU_CS] & 0xffff) << 4)) | 0
  const dp = (r[FPU_DP] + ((r[FPU_DS] & 0xffff) << 4)) | 0
  const upper = (address: number) => (size === 4 ? (address >>> 16) << 12 : ((address >>> 16) & 15) << 12)
  return [...head.map((word) => word | ones), (ip & 0xffff) | ones, upper(ip) | (r[FPU_OP] & 0x7ff), (dp & 0xffff) | ones, upper(dp)]
}

/** Bytes of an environment, and of the eight registers behind it. */
const environmentBytes = (op: Op) => 7 * op.opSize
const REGISTER_BYTES = 80

/** Whether the area can be accessed as a whole: its first word is tried, then its last byte; the alignment is that of the first word. */
function checkArea(cpu: Cpu, op: Op, bytes: number, write: boolean): void {
  const at = cpu.address(op)
  const first = cpu.linear(op.seg, at, op.opSize, write)
  const last = cpu.stop === 0 ? cpu.linear(op.seg, offsetOf(op, at, bytes - 1), 1, write) : 0
  if (cpu.stop === 0) cpu.translate(first, write)
  if (cpu.stop === 0 && (first & 0xfff) + op.opSize > 0x1000) cpu.translate((first + op.opSize - 1) & ~0xfff, write)
  if (cpu.stop === 0) cpu.translate(last, write)
}

function storeEnvironment(cpu: Cpu, op: Op): void {
  const at = cpu.address(op)
  const size = op.opSize
  environment(cpu, size).forEach((word, n) => {
    if (cpu.stop === 0) cpu.writeMemory(op.seg, offsetOf(op, at, n * size), size, word)
  })
}

function offsetOf(op: Op, at: number, more: number): number {
  return op.addrSize === 4 ? (at + more) | 0 : (at + more) & 0xffff
}

function readWords(cpu: Cpu, op: Op, from: number, count: number, size: number): number[] {
  const at = cpu.address(op)
  const words: number[] = []
  for (let n = 0; n < count && cpu.stop === 0; n++) words.push(cpu.readMemory(op.seg, offsetOf(op, at, from + n * size), size))
  return words
}

/** Takes an environment over; call when nothing can stop any more. */
function loadEnvironment(cpu: Cpu, words: readonly number[], size: number): void {
  const r = cpu.r
  r[FPU_CW] = controlOf(words[0])
  r[FPU_SW] = summarize(words[1] & 0xffff, words[0])
  r[FPU_TW] = words[2] & 0xffff
  if (inProtectedMode(r)) {
    r[FPU_IP] = words[3]
    r[FPU_CS] = words[4] & 0xffff
    r[FPU_OP] = size === 4 ? (words[4] >>> 16) & 0x7ff : 0
    r[FPU_DP] = words[5]
    r[FPU_DS] = words[6] & 0xffff
    return
  }
  const upper = (word: number) => (size === 4 ? (word >>> 12) << 16 : ((word >>> 12) & 15) << 16)
  r[FPU_IP] = (words[3] & 0xffff) | upper(words[4])
  r[FPU_OP] = words[4] & 0x7ff
  r[FPU_DP] = (words[5] & 0xffff) | upper(words[6])
  r[FPU_CS] = 0
  r[FPU_DS] = 0
}

/** First word of ST(i). */
function registerOf(r: Int32Array, i: number): number {
  return FPU_ST + ((((r[FPU_SW] >> 11) & 7) + i) & 7) * 3
}

const fnsave: Handler = (cpu, op) => {
  const r = cpu.r
  checkArea(cpu, op, environmentBytes(op) + REGISTER_BYTES, true)
  if (cpu.stop !== 0) return
  storeEnvironment(cpu, op)
  const at = cpu.address(op)
  for (let i = 0; i < 8; i++) {
    const st = registerOf(r, i)
    const halves = [r[st], r[st] >>> 16, r[st + 1], r[st + 1] >>> 16, r[st + 2]]
    for (let n = 0; n < 5 && cpu.stop === 0; n++) cpu.writeMemory(op.seg, offsetOf(op, at, environmentBytes(op) + i * 10 + n * 2), 2, halves[n])
  }
  if (cpu.stop === 0) initialize(cpu)
}

const frstor: Handler = (cpu, op) => {
  const r = cpu.r
  const size = op.opSize
  checkArea(cpu, op, environmentBytes(op) + REGISTER_BYTES, false)
  if (cpu.stop !== 0) return
  const words = readWords(cpu, op, 0, 7, size)
  const halves = readWords(cpu, op, 7 * size, 40, 2)
  if (cpu.stop !== 0) return
  loadEnvironment(cpu, words, size)
  for (let i = 0; i < 8; i++) {
    const st = registerOf(r, i)
    const h = halves.slice(i * 5, i * 5 + 5)
    r[st] = h[0] | (h[1] << 16)
    r[st + 1] = h[2] | (h[3] << 16)
    r[st + 2] = h[4]
  }
}

const fldenv: Handler = (cpu, op) => {
  checkArea(cpu, op, environmentBytes(op), false)
  if (cpu.stop !== 0) return
  const words = readWords(cpu, op, 0, 7, op.opSize)
  if (cpu.stop === 0) loadEnvironment(cpu, words, op.opSize)
}

const fnstenv: Handler = (cpu, op) => {
  checkArea(cpu, op, environmentBytes(op), true)
  if (cpu.stop !== 0) return
  storeEnvironment(cpu, op)
  if (cpu.stop !== 0) return
  // All exceptions are masked afterwards.
  cpu.r[FPU_CW] |= EXCEPTIONS
  cpu.r[FPU_SW] = summarize(cpu.r[FPU_SW], cpu.r[FPU_CW])
}

const fldcw: Handler = (cpu, op) => {
  const control = cpu.readMemory(op.seg, cpu.address(op), 2)
  if (cpu.stop !== 0) return
  cpu.r[FPU_CW] = controlOf(control)
  cpu.r[FPU_SW] = summarize(cpu.r[FPU_SW], control)
}

/** Moves TOP. */
const turn = (by: number): Handler => (cpu) => {
  const status = cpu.r[FPU_SW]
  cpu.r[FPU_SW] = (status & ~0x3a00) | ((((status >> 11) + by) & 7) << 11)
}

const ffree: Handler = (cpu, op) => {
  const physical = (((cpu.r[FPU_SW] >> 11) & 7) + op.rm) & 7
  cpu.r[FPU_TW] |= 3 << (physical * 2)
  // Condition codes are undefined; parts clear C1.
  cpu.r[FPU_SW] &= ~0x200
}

/** Escapes by `opcode << 8 | modrm` (register forms) or `opcode << 8 | reg` (memory forms). Waiting ones report pending exceptions. */
interface Escape {
  readonly waits: boolean
  readonly run: Handler
}
const nothing: Handler = () => {}

const MEMORY: ReadonlyMap<number, Escape> = new Map([
  [0xd904, { waits: true, run: fldenv }],
  [0xd905, { waits: true, run: fldcw }],
  [0xd906, { waits: false, run: fnstenv }],
  [0xd907, { waits: false, run: (cpu, op) => cpu.writeMemory(op.seg, cpu.address(op), 2, cpu.r[FPU_CW]) }],
  [0xdd04, { waits: true, run: frstor }],
  [0xdd06, { waits: false, run: fnsave }],
  [0xdd07, { waits: false, run: (cpu, op) => cpu.writeMemory(op.seg, cpu.address(op), 2, cpu.r[FPU_SW]) }],
])

const REGISTER: ReadonlyMap<number, Escape> = new Map([
  [0xd9d0, { waits: true, run: nothing }], // FNOP
  [0xd9f6, { waits: true, run: turn(-1) }], // FDECSTP
  [0xd9f7, { waits: true, run: turn(1) }], // FINCSTP
  [0xdbe0, { waits: false, run: nothing }], // FNENI, FNDISI, FNSETPM: the 8087's and 287's, without effect since the 387
  [0xdbe1, { waits: false, run: nothing }],
  [0xdbe2, { waits: false, run: (cpu) => { cpu.r[FPU_SW] &= 0x7f00 } }], // FNCLEX
  [0xdbe3, { waits: false, run: (cpu) => initialize(cpu) }], // FNINIT
  [0xdbe4, { waits: false, run: nothing }],
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((i): [number, Escape] => [0xddc0 + i, { waits: true, run: ffree }]),
  [0xdfe0, { waits: false, run: (cpu) => cpu.setRegister(EAX, 2, cpu.r[FPU_SW]) }], // FNSTSW AX
])

/** The escapes with first byte `opcode` that are there: ModRM bytes of register forms, reg fields of memory forms. */
export function escapesOf(opcode: number): { readonly registers: readonly number[]; readonly memory: readonly number[] } {
  const second = (map: ReadonlyMap<number, Escape>) => [...map.keys()].filter((key) => key >> 8 === opcode).map((key) => key & 0xff)
  return { registers: second(REGISTER), memory: second(MEMORY) }
}

const escape: Handler = (cpu, op) => {
  if ((cpu.r[CR0] & (CR0_EM | CR0_TS)) !== 0) return cpu.fault(NM)
  const opcode = op.row!.opcode[0] << 8
  const found = op.a.kind === MEM ? MEMORY.get(opcode | op.reg) : REGISTER.get(opcode | op.modrm)
  if (found === undefined) {
    cpu.fault(UD)
    cpu.remark = 'xmcheck does not implement x87 arithmetic'
    return
  }
  if (found.waits) checkPending(cpu)
  if (cpu.stop === 0) found.run(cpu, op)
}

const fwait: Handler = (cpu) => {
  const both = CR0_MP | CR0_TS
  if ((cpu.r[CR0] & both) === both) return cpu.fault(NM)
  checkPending(cpu)
}

// --- FXSAVE -----------------------------------------------------------------------------------------------

/** Offset of the 512 bytes; #NM, #UD, #GP first. */
function fxArea(cpu: Cpu, op: Op): number {
  const control = cpu.r[CR0]
  if ((control & CR0_EM) !== 0) cpu.fault(UD)
  else if ((control & CR0_TS) !== 0) cpu.fault(NM)
  else if (((cpu.r[SEG_BASE + op.seg] + cpu.address(op)) & 15) !== 0) cpu.fault(GP, 0)
  return cpu.address(op)
}

/** One bit a physical register: not empty. */
function abridged(tags: number): number {
  let bits = 0
  for (let n = 0; n < 8; n++) if (((tags >> (n * 2)) & 3) !== 3) bits |= 1 << n
  return bits
}

/** The tag of a register that is not empty: 0 valid, 1 zero, 2 special (SDM vol. 1 8.1.7). */
function tagOf(r: Int32Array, physical: number): number {
  const [low, high, top] = r.subarray(FPU_ST + physical * 3, FPU_ST + physical * 3 + 3)
  const exponent = top & 0x7fff
  if (exponent === 0) return low === 0 && high === 0 ? 1 : 2
  return exponent === 0x7fff || high >= 0 ? 2 : 0
}

/** The x87 part and MXCSR; there are no XMM registers, and their bytes stay as they are. */
const fxsave: Handler = (cpu, op) => {
  const r = cpu.r
  const at = fxArea(cpu, op)
  const write = (offset: number, value: number) => {
    if (cpu.stop === 0) cpu.writeMemory(op.seg, offsetOf(op, at, offset), 4, value)
  }
  write(0, (r[FPU_CW] & 0xffff) | (r[FPU_SW] << 16))
  write(4, abridged(r[FPU_TW]) | (r[FPU_OP] << 16))
  write(8, r[FPU_IP])
  write(12, r[FPU_CS] & 0xffff)
  write(16, r[FPU_DP])
  write(20, r[FPU_DS] & 0xffff)
  write(24, r[MXCSR])
  write(28, MXCSR_BITS)
  for (let i = 0; i < 8; i++) {
    const st = registerOf(r, i)
    write(32 + i * 16, r[st])
    write(36 + i * 16, r[st + 1])
    write(40 + i * 16, r[st + 2] & 0xffff)
    write(44 + i * 16, 0)
  }
}

const fxrstor: Handler = (cpu, op) => {
  const r = cpu.r
  fxArea(cpu, op)
  if (cpu.stop !== 0) return
  const words = readWords(cpu, op, 0, 40, 4)
  if (cpu.stop !== 0) return
  if ((words[6] & ~MXCSR_BITS) !== 0) return cpu.fault(GP, 0)
  r[FPU_CW] = controlOf(words[0])
  r[FPU_SW] = summarize(words[0] >>> 16, words[0])
  r[FPU_OP] = (words[1] >>> 16) & 0x7ff
  r[FPU_IP] = words[2]
  r[FPU_CS] = words[3] & 0xffff
  r[FPU_DP] = words[4]
  r[FPU_DS] = words[5] & 0xffff
  r[MXCSR] = words[6]
  for (let i = 0; i < 8; i++) {
    const st = registerOf(r, i)
    r[st] = words[8 + i * 4]
    r[st + 1] = words[9 + i * 4]
    r[st + 2] = words[10 + i * 4] & 0xffff
  }
  let tags = 0
  for (let n = 0; n < 8; n++) tags |= (((words[1] >> n) & 1) !== 0 ? tagOf(r, n) : 3) << (n * 2)
  r[FPU_TW] = tags
}

export const FPU: readonly HandlerRow[] = [
  ['x87', escape],
  ['fwait', fwait],
  ['fxsave', fxsave],
  ['fxrstor', fxrstor],
]
