/** Port I/O and who may use it (SDM vol. 1 chapter 19). */
import type { Cpu } from '../cpu.ts'
import type { Op } from '../decode.ts'
import { noteIoBreakpoints } from '../debug.ts'
import { GP } from '../exceptions.ts'
import { cplOf, inRealMode, inVirtual8086, ioplOf } from '../modes.ts'
import { DF, ECX, EDI, EDX, EFLAGS, ES, ESI, SEG_ATTR, SEG_BASE, SEG_LIMIT, TR } from '../registers.ts'
import { mask } from '../flags.ts'
import type { Handler, HandlerRow } from './handler.ts'

/** Offset of the I/O map base in a 32-bit TSS. */
const MAP_BASE = 102

/** #GP(0) where IOPL and the I/O permission bitmap of the TSS forbid the port. */
function checkPort(cpu: Cpu, port: number, size: number): void {
  const r = cpu.r
  if (inRealMode(r) || (!inVirtual8086(r) && cplOf(r) <= ioplOf(r))) return
  const limit = r[SEG_LIMIT + TR] >>> 0
  const wide = (r[SEG_ATTR + TR] & 0x8d) === 0x89
  if (!wide || limit < MAP_BASE + 1) return cpu.fault(GP, 0)
  const map = cpu.readSystem((r[SEG_BASE + TR] + MAP_BASE) | 0, 2)
  if (cpu.stop !== 0) return
  const at = map + (port >> 3)
  // Two bytes are always read: the map ends with a byte of ones.
  if (at + 1 > limit) return cpu.fault(GP, 0)
  const bits = cpu.readSystem((r[SEG_BASE + TR] + at) | 0, 2)
  if (cpu.stop === 0 && ((bits >> (port & 7)) & ((1 << size) - 1)) !== 0) cpu.fault(GP, 0)
}

function readPort(cpu: Cpu, port: number, size: number): number {
  cpu.bus.fence()
  const value = cpu.stop === 0 ? cpu.bus.in(port, size) : 0
  if (cpu.stop === 0) noteIoBreakpoints(cpu, port, size)
  return value
}

function writePort(cpu: Cpu, port: number, size: number, value: number): void {
  cpu.bus.fence()
  if (cpu.stop === 0) cpu.bus.out(port, size, value)
  if (cpu.stop === 0) noteIoBreakpoints(cpu, port, size)
}

/** The port operand: an immediate byte or DX. */
const portOf = (cpu: Cpu, op: Op, operand: Op['a']) => cpu.get(op, operand) & (operand.size === 1 ? 0xff : 0xffff)

const input: Handler = (cpu, op) => {
  const port = portOf(cpu, op, op.b)
  checkPort(cpu, port, op.a.size)
  if (cpu.stop !== 0) return
  const value = readPort(cpu, port, op.a.size)
  if (cpu.stop === 0) cpu.set(op, op.a, value)
}

const output: Handler = (cpu, op) => {
  const port = portOf(cpu, op, op.a)
  checkPort(cpu, port, op.b.size)
  if (cpu.stop === 0) writePort(cpu, port, op.b.size, cpu.get(op, op.b))
}

/** INS and OUTS: one iteration an execution, `index` the register that moves. */
const stringIo = (index: number, transfer: (cpu: Cpu, op: Op, port: number, offset: number, size: number) => void): Handler => (cpu, op) => {
  const r = cpu.r
  const width = op.addrSize
  const size = (op.row!.opcode[0] & 1) === 0 ? 1 : op.opSize
  const port = r[EDX] & 0xffff
  // The permission is checked also where nothing is repeated: parts do.
  checkPort(cpu, port, size)
  if (cpu.stop !== 0 || (op.rep !== 0 && cpu.register(ECX, width) === 0)) return
  transfer(cpu, op, port, cpu.register(index, width), size)
  if (cpu.stop !== 0) return
  cpu.setRegister(index, width, cpu.register(index, width) + ((r[EFLAGS] & DF) !== 0 ? -size : size))
  if (op.rep === 0) return
  const count = mask(cpu.register(ECX, width) - 1, width)
  cpu.setRegister(ECX, width, count)
  if (count !== 0) cpu.repeat()
}

const ins = stringIo(EDI, (cpu, _op, port, offset, size) => {
  // The destination is checked before the port is read: a read may have effects.
  const linear = cpu.linear(ES, offset, size, true)
  if (cpu.stop === 0) cpu.translate(linear, true)
  if (cpu.stop === 0 && (linear & 0xfff) + size > 0x1000) cpu.translate((linear + size - 1) | 0, true)
  if (cpu.stop !== 0) return
  const value = readPort(cpu, port, size)
  cpu.writeLinear(linear, size, value)
})

const outs = stringIo(ESI, (cpu, op, port, offset, size) => {
  const value = cpu.readMemory(op.seg, offset, size)
  if (cpu.stop === 0) writePort(cpu, port, size, value)
})

export const IO: readonly HandlerRow[] = [
  ['in', input],
  ['out', output],
  ['ins', ins],
  ['outs', outs],
]

