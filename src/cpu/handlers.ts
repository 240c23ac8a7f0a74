/**
 * What each instruction does, by mnemonic. The rule of the port (bus.ts): no register is written before the
 * last access that may stop.
 */
import type { Cpu } from './cpu.ts'
import type { Feature } from './classes.ts'
import { MEM, REG, SREG, type Op } from './decode.ts'
import { DE, GP, UD } from './exceptions.ts'
import {
  ALU, addFlags, alu, condition, dec, imul as product, inc, mask, neg, resultFlags, setFlags, shift, signBit, subFlags,
} from './flags.ts'
import { bitTest386, shift386 } from './flags386.ts'
import { BCD } from './instructions/bcd.ts'
import { BRANCH } from './instructions/branch.ts'
import { FAR } from './instructions/far.ts'
import { FPU } from './instructions/fpuState.ts'
import type { Handler } from './instructions/handler.ts'
import { IO } from './instructions/io.ts'
import { MSR } from './instructions/msr.ts'
import { moveSegment, SEGMENT } from './instructions/segments.ts'
import { STACK } from './instructions/stack.ts'
import { moveSystem, SYSTEM } from './instructions/system.ts'
import { CONDITIONS, type IsaRow } from './isa.ts'
import {
  AF, CF, DF, EAX, EBX, ECX, EDI, EDX, EFLAGS, ES, ESI, OF, PF, SF, ZF,
} from './registers.ts'

export type { Handler }

const GUEST_CALL_TAG = 0x584d

export const invalid: Handler = (cpu, op) => {
  cpu.fault(UD)
  if (op.row?.mnemonic !== 'ud2') cpu.remark = 'these bytes are no instruction that xmcheck knows'
}
export const tooLong: Handler = (cpu) => cpu.fault(GP, 0)

const unimplemented: Handler = (cpu, op) => {
  cpu.fault(UD)
  cpu.remark = `xmcheck does not implement ${op.row!.mnemonic}`
}

export function handlerOf(mnemonic: string): Handler {
  return HANDLERS.get(mnemonic) ?? unimplemented
}

/** What a class must have for an instruction to exist there; elsewhere it is an invalid opcode. */
const NEEDS: readonly (readonly [Feature, readonly string[]])[] = [
  ['486', ['bswap', 'cmpxchg', 'xadd', 'invlpg', 'invd', 'wbinvd']],
  ['cpuid', ['cpuid']],
  ['tsc', ['rdtsc']],
  ['msr', ['rdmsr', 'wrmsr']],
  ['cx8', ['cmpxchg8b']],
  ['sep', ['sysenter', 'sysexit']],
  ['rdpmc', ['rdpmc']],
  ['cmov', CONDITIONS.map((name) => `cmov${name}`)],
  ['fxsr', ['fxsave', 'fxrstor']],
  ['fences', ['lfence', 'mfence', 'sfence']],
  ['clfsh', ['clflush']],
]

/** Feature without which a row is an invalid opcode; null: every class has it. */
export function neededFeature({ mnemonic, modrm }: IsaRow): Feature | null {
  // A multi-byte NOP is also a call to the checker, which every class takes.
  if (mnemonic === 'nop' && modrm) return 'nopl'
  return NEEDS.find(([, mnemonics]) => mnemonics.includes(mnemonic))?.[0] ?? null
}

/** Whether there is more of an instruction than its encoding. */
export function isImplemented(mnemonic: string): boolean {
  return HANDLERS.has(mnemonic)
}

function guard(feature: Feature, handler: Handler): Handler {
  return (cpu, op) => {
    if (cpu.cls.features.has(feature)) return handler(cpu, op)
    cpu.fault(UD)
    cpu.remark = `the ${cpu.cls.name} has no ${op.row!.mnemonic}`
  }
}

/** Writes a result to the first operand. Its flags are set already; where the write stops they are those `before` again. */
function finish(cpu: Cpu, op: Op, result: number, before: number): void {
  if (op.a.kind !== MEM) return cpu.setRegister(op.a.value, op.a.size, result)
  const after = cpu.r[EFLAGS]
  cpu.r[EFLAGS] = before
  cpu.set(op, op.a, result)
  if (cpu.stop === 0) cpu.r[EFLAGS] = after
}

/** ADD to TEST: `kind` as flags.ts numbers them. */
const binary = (kind: number): Handler => (cpu, op) => {
  const writes = kind < ALU.cmp
  const a = writes ? cpu.getForUpdate(op, op.a) : cpu.get(op, op.a)
  if (cpu.stop !== 0) return
  const b = cpu.get(op, op.b)
  if (cpu.stop !== 0) return
  const before = cpu.r[EFLAGS]
  const result = alu(cpu.r, kind, a, b, op.a.size)
  if (writes) finish(cpu, op, result, before)
}

const unary = (compute: (r: Int32Array, a: number, size: number) => number): Handler => (cpu, op) => {
  const a = cpu.getForUpdate(op, op.a)
  if (cpu.stop !== 0) return
  const before = cpu.r[EFLAGS]
  finish(cpu, op, compute(cpu.r, a, op.a.size), before)
}

const shifter = (kind: number): Handler => (cpu, op) => {
  const count = cpu.get(op, op.b) & 31
  const a = cpu.getForUpdate(op, op.a)
  if (cpu.stop !== 0 || count === 0) return
  const before = cpu.r[EFLAGS]
  const result = shift(cpu.r, kind, a, count, op.a.size)
  if (cpu.is386 && kind >= 4) shift386(cpu.r, kind, a, result, count, op.a.size)
  finish(cpu, op, result, before)
}

const doubleShift = (left: boolean): Handler => (cpu, op) => {
  const bits = op.opSize * 8
  const count = cpu.get(op, op.c) & 31
  const a = cpu.getForUpdate(op, op.a)
  if (cpu.stop !== 0 || count === 0) return
  const b = cpu.get(op, op.b)
  const result = bits === 32 ? (left ? (a << count) | (b >>> (32 - count)) : (a >>> count) | (b << (32 - count))) : doubleShift16(left, a, b, count)
  const out = left ? (a >>> (bits - count)) & 1 : (a >>> (count - 1)) & 1
  cpu.set(op, op.a, result)
  if (cpu.stop !== 0) return
  const sign = signBit(op.opSize)
  setFlags(cpu.r, resultFlags(result, op.opSize) | out | (((a ^ result) & sign) !== 0 ? OF : 0), CF | PF | ZF | SF | OF | AF)
}

/** Words joined to a dword. */
function doubleShift16(left: boolean, a: number, b: number, count: number): number {
  // What a count above the width gives is undefined (SDM vol. 2B, SHLD).
  if (left) return count > 16 ? b : (((a << 16) | b) >>> (16 - count)) & 0xffff
  return (((b << 16) | a) >>> count) & 0xffff
}

/** BT, BTS, BTR, BTC: a register bit offset reaches beyond the operand in memory (SDM vol. 2A, BT). */
const bitTest = (change: ((value: number, bit: number) => number) | null): Handler => (cpu, op) => {
  if (op.lock) cpu.bus.locked = true
  const bits = op.opSize * 8
  const offset = cpu.get(op, op.b)
  const bit = 1 << (offset & (bits - 1))
  const signed = op.opSize === 4 ? offset : (offset << 16) >> 16
  const at = op.a.kind === MEM ? cpu.address(op) + (op.b.kind === REG ? (signed >> (op.opSize === 4 ? 5 : 4)) * op.opSize : 0) : 0
  const address = op.addrSize === 4 ? at | 0 : at & 0xffff
  const memory = change ? cpu.readForUpdate : cpu.readMemory
  const value = op.a.kind === MEM ? memory.call(cpu, op.seg, address, op.opSize) : cpu.get(op, op.a)
  if (cpu.stop !== 0) return
  if (change) {
    if (op.a.kind === MEM) cpu.writeMemory(op.seg, address, op.opSize, change(value, bit))
    else cpu.set(op, op.a, change(value, bit))
    if (cpu.stop !== 0) return
  }
  setFlags(cpu.r, (value & bit) !== 0 ? CF : 0, CF)
  if (cpu.is386) bitTest386(cpu.r, value, offset & (bits - 1), op.opSize)
}

const bitScan = (reverse: boolean): Handler => (cpu, op) => {
  const value = cpu.get(op, op.b)
  if (cpu.stop !== 0) return
  setFlags(cpu.r, value === 0 ? ZF : 0, ZF)
  if (value === 0) return
  cpu.set(op, op.a, reverse ? 31 - Math.clz32(value) : 31 - Math.clz32(value & -value))
}

/** Bits 32-63 of the product of two dwords. */
function highProduct(signed: boolean, a: number, b: number): number {
  const low = (a & 0xffff) * (b & 0xffff)
  const middle = (a >>> 16) * (b & 0xffff) + (low >>> 16)
  const other = (a & 0xffff) * (b >>> 16) + (middle & 0xffff)
  const high = (a >>> 16) * (b >>> 16) + (middle >>> 16) + (other >>> 16)
  return signed ? (high - (a < 0 ? b : 0) - (b < 0 ? a : 0)) | 0 : high | 0
}

/** A value of `size` bytes as the number that it stands for. */
function extended(signed: boolean, value: number, size: number): number {
  const unused = 32 - size * 8
  return signed ? (value << unused) >> unused : (value << unused) >>> unused
}

const multiply = (signed: boolean): Handler => (cpu, op) => {
  const r = cpu.r
  const size = op.a.size
  const b = cpu.get(op, op.a)
  if (cpu.stop !== 0) return
  const a = cpu.register(EAX, size)
  let low: number
  let high: number
  if (size === 4) {
    low = Math.imul(a, b)
    high = highProduct(signed, a, b)
    r[EAX] = low
    r[EDX] = high
  } else {
    const product = extended(signed, a, size) * extended(signed, b, size)
    const bits = size * 8
    low = mask(product, size)
    high = mask(product >> bits, size)
    if (size === 1) cpu.setRegister(EAX, 2, product)
    else {
      cpu.setRegister(EAX, 2, low)
      cpu.setRegister(EDX, 2, high)
    }
  }
  const fits = high === (signed && (low & signBit(size)) !== 0 ? mask(-1, size) : 0)
  setFlags(r, (fits ? 0 : CF | OF) | (r[EFLAGS] & (SF | ZF | AF | PF)))
}

const imul: Handler = (cpu, op) => {
  if (op.b.kind === 0) return multiply(true)(cpu, op)
  const a = cpu.get(op, op.c.kind === 0 ? op.a : op.b)
  const b = cpu.get(op, op.c.kind === 0 ? op.b : op.c)
  if (cpu.stop === 0) cpu.set(op, op.a, product(cpu.r, a, b, op.opSize))
}

const divide = (signed: boolean): Handler => (cpu, op) => {
  const size = op.a.size
  const divisor = extended(signed, cpu.get(op, op.a), size)
  if (cpu.stop !== 0) return
  if (divisor === 0) return cpu.fault(DE)
  const r = cpu.r
  // AX, DX:AX, or EDX:EAX where it is a dword extended.
  const low = size === 1 ? extended(signed, r[EAX], 2) : size === 2 ? extended(signed, (r[EDX] << 16) | (r[EAX] & 0xffff), 4) : extended(signed, r[EAX], 4)
  if (size === 4 && r[EDX] !== (signed ? r[EAX] >> 31 : 0)) return divideLong(cpu, signed, divisor)
  const quotient = Math.trunc(low / divisor)
  if (quotient !== extended(signed, quotient, size)) return cpu.fault(DE)
  setQuotient(cpu, size, quotient, low % divisor)
}

/** A dividend of 64 bits. */
function divideLong(cpu: Cpu, signed: boolean, divisor: number): void {
  const wide = (BigInt(cpu.r[EDX] >>> 0) << 32n) | BigInt(cpu.r[EAX] >>> 0)
  const dividend = signed ? BigInt.asIntN(64, wide) : wide
  const quotient = dividend / BigInt(divisor)
  if (quotient !== (signed ? BigInt.asIntN(32, quotient) : BigInt.asUintN(32, quotient))) return cpu.fault(DE)
  setQuotient(cpu, 4, Number(quotient), Number(dividend % BigInt(divisor)))
}

function setQuotient(cpu: Cpu, size: number, quotient: number, rest: number): void {
  if (size === 1) return cpu.setRegister(EAX, 2, (quotient & 0xff) | ((rest & 0xff) << 8))
  cpu.setRegister(EAX, size, quotient)
  cpu.setRegister(EDX, size, rest)
}

const extendMove = (signed: boolean): Handler => (cpu, op) => {
  const value = cpu.get(op, op.b)
  if (cpu.stop !== 0) return
  const shiftBy = 32 - op.b.size * 8
  cpu.set(op, op.a, signed ? (value << shiftBy) >> shiftBy : value)
}

const mov: Handler = (cpu, op) => {
  if (op.a.kind > SREG || op.b.kind > SREG) return moveSystem(cpu, op)
  if (op.a.kind === SREG || op.b.kind === SREG) return moveSegment(cpu, op)
  const value = cpu.get(op, op.b)
  if (cpu.stop === 0) cpu.set(op, op.a, value)
}

const cmpxchg: Handler = (cpu, op) => {
  const size = op.a.size
  const old = cpu.getForUpdate(op, op.a)
  if (cpu.stop !== 0) return
  const expected = cpu.register(EAX, size)
  const equal = mask(old, size) === mask(expected, size)
  // The destination is written in either case (SDM vol. 2A, CMPXCHG).
  cpu.compareFailed = !equal
  cpu.set(op, op.a, equal ? cpu.get(op, op.b) : old)
  if (cpu.stop !== 0) return
  if (!equal) cpu.setRegister(EAX, size, old)
  setFlags(cpu.r, subFlags(expected, old, 0, size))
}

const cmpxchg8b: Handler = (cpu, op) => {
  if (op.lock) cpu.bus.locked = true
  const r = cpu.r
  const linear = cpu.linear(op.seg, cpu.address(op), 8, true)
  if (cpu.stop !== 0) return
  const crosses = (linear & 0xfff) > 0xff8
  const physical = cpu.translate(linear, true)
  // Both pages must be writable before anything is read.
  if (crosses && cpu.stop === 0) cpu.translate(((linear & ~0xfff) + 0x1000) | 0, true)
  if (cpu.stop !== 0) return
  const low = crosses ? cpu.readLinear(linear, 4) : cpu.bus.read64(physical)
  const high = crosses ? cpu.readLinear((linear + 4) | 0, 4) : cpu.bus.high
  if (cpu.stop !== 0) return
  const equal = low === r[EAX] && high === r[EDX]
  cpu.compareFailed = !equal
  const [newLow, newHigh] = equal ? [r[EBX], r[ECX]] : [low, high]
  if (crosses) {
    cpu.writeLinear(linear, 4, newLow)
    cpu.writeLinear((linear + 4) | 0, 4, newHigh)
  } else {
    cpu.storeAlias = (linear ^ physical) & ~0xfff
    cpu.bus.write64(physical, newLow, newHigh)
  }
  if (cpu.stop !== 0) return
  if (!equal) {
    r[EAX] = low
    r[EDX] = high
  }
  setFlags(r, equal ? ZF : 0, ZF)
}

const xadd: Handler = (cpu, op) => {
  const size = op.a.size
  const old = cpu.getForUpdate(op, op.a)
  if (cpu.stop !== 0) return
  const added = cpu.get(op, op.b)
  if (op.a.kind === MEM) {
    cpu.set(op, op.a, mask(old + added, size))
    if (cpu.stop !== 0) return
    cpu.set(op, op.b, old)
  } else {
    cpu.set(op, op.b, old)
    cpu.set(op, op.a, mask(old + added, size))
  }
  setFlags(cpu.r, addFlags(old, added, 0, size))
}

const xchg: Handler = (cpu, op) => {
  // XCHG with memory is locked with or without the prefix.
  if (op.a.kind === MEM) cpu.bus.locked = true
  const a = cpu.getForUpdate(op, op.a)
  if (cpu.stop !== 0) return
  const b = cpu.get(op, op.b)
  cpu.set(op, op.a, b)
  if (cpu.stop === 0) cpu.set(op, op.b, a)
}

/** A multi-byte NOP, or a call to the checker where its displacement carries the tag. */
const nop: Handler = (cpu, op) => {
  if (op.modrm < 0) return
  if (op.mod !== 2 || op.rm !== 0 || op.disp >>> 16 !== GUEST_CALL_TAG || op.row!.alias) {
    if (!cpu.cls.features.has('nopl')) cpu.fault(UD)
    return
  }
  const r = cpu.r
  const result = cpu.bus.guestCall(op.disp & 0xffff, r[EAX], r[EDX], r[ECX])
  if (cpu.stop === 0) r[EAX] = result
}

// --- string instructions: one iteration an execution ---------------------------------------------------

type Step = (cpu: Cpu, op: Op, source: number, destination: number) => number | null

function stringOp(usesSource: boolean, usesDestination: boolean, compares: boolean, step: Step): Handler {
  return (cpu, op) => {
    const r = cpu.r
    const wide = op.addrSize
    if (op.rep !== 0 && cpu.register(ECX, wide) === 0) return
    const size = (op.row!.opcode[0] & 1) === 0 ? 1 : op.opSize
    const flags = step(cpu, op, cpu.register(ESI, wide), cpu.register(EDI, wide))
    if (cpu.stop !== 0) return
    const move = (r[EFLAGS] & DF) !== 0 ? -size : size
    if (usesSource) cpu.setRegister(ESI, wide, cpu.register(ESI, wide) + move)
    if (usesDestination) cpu.setRegister(EDI, wide, cpu.register(EDI, wide) + move)
    const count = op.rep === 0 ? 0 : mask(cpu.register(ECX, wide) - 1, wide)
    if (op.rep !== 0) cpu.setRegister(ECX, wide, count)
    const goesOn = count !== 0 && (!compares || ((flags! & ZF) !== 0) === (op.rep === 0xf3))
    // Flags are those of the last iteration: where one in between faults, they are still as before (SDM vol. 2B, REP).
    if (goesOn) cpu.repeat()
    else if (flags !== null) setFlags(r, flags)
  }
}
const elementSize = (op: Op) => ((op.row!.opcode[0] & 1) === 0 ? 1 : op.opSize)

const movs = stringOp(true, true, false, (cpu, op, source, destination) => {
  const value = cpu.readMemory(op.seg, source, elementSize(op))
  if (cpu.stop === 0) cpu.writeMemory(ES, destination, elementSize(op), value)
  return null
})
const stos = stringOp(false, true, false, (cpu, op, _source, destination) => {
  cpu.writeMemory(ES, destination, elementSize(op), cpu.register(EAX, elementSize(op)))
  return null
})
const lods = stringOp(true, false, false, (cpu, op, source) => {
  const value = cpu.readMemory(op.seg, source, elementSize(op))
  if (cpu.stop === 0) cpu.setRegister(EAX, elementSize(op), value)
  return null
})
const cmps = stringOp(true, true, true, (cpu, op, source, destination) => {
  // ES:EDI first, as parts were seen to: it shows in which of two page faults is taken.
  const b = cpu.readMemory(ES, destination, elementSize(op))
  const a = cpu.stop === 0 ? cpu.readMemory(op.seg, source, elementSize(op)) : 0
  return subFlags(a, b, 0, elementSize(op))
})
const scas = stringOp(false, true, true, (cpu, op, _source, destination) => {
  const b = cpu.readMemory(ES, destination, elementSize(op))
  return subFlags(cpu.register(EAX, elementSize(op)), b, 0, elementSize(op))
})

const flag = (bit: number, value: boolean): Handler => (cpu) => {
  cpu.r[EFLAGS] = value ? cpu.r[EFLAGS] | bit : cpu.r[EFLAGS] & ~bit
}

const HANDLERS = new Map<string, Handler>([
  ...Object.entries(ALU).map(([name, kind]): [string, Handler] => [name, binary(kind)]),
  ['inc', unary(inc)],
  ['dec', unary(dec)],
  ['neg', unary(neg)],
  ['not', unary((_r, a) => ~a)],
  ...['rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', 'sal', 'sar'].map((name, kind): [string, Handler] => [name, shifter(kind)]),
  ['shld', doubleShift(true)],
  ['shrd', doubleShift(false)],
  ['bt', bitTest(null)],
  ['bts', bitTest((value, bit) => value | bit)],
  ['btr', bitTest((value, bit) => value & ~bit)],
  ['btc', bitTest((value, bit) => value ^ bit)],
  ['bsf', bitScan(false)],
  ['bsr', bitScan(true)],
  ['mul', multiply(false)],
  ['imul', imul],
  ['div', divide(false)],
  ['idiv', divide(true)],
  ['movzx', extendMove(false)],
  ['movsx', extendMove(true)],
  ['mov', mov],
  ['lea', (cpu, op) => cpu.set(op, op.a, cpu.address(op))],
  ['xchg', xchg],
  ['bswap', (cpu, op) => {
    const v = cpu.register(op.a.value, 4)
    cpu.setRegister(op.a.value, 4, (v << 24) | ((v & 0xff00) << 8) | ((v >>> 8) & 0xff00) | (v >>> 24))
  }],
  ...CONDITIONS.flatMap((name, code): [string, Handler][] => [
    [`set${name}`, (cpu, op) => cpu.set(op, op.a, condition(cpu.r[EFLAGS], code) ? 1 : 0)],
    [`cmov${name}`, (cpu, op) => {
      const value = cpu.get(op, op.b)
      if (cpu.stop === 0 && condition(cpu.r[EFLAGS], code)) cpu.set(op, op.a, value)
    }],
  ]),
  ['ud2', invalid],
  ['cmpxchg', cmpxchg],
  ['cmpxchg8b', cmpxchg8b],
  ['xadd', xadd],
  ['cbw', (cpu, op) => cpu.setRegister(EAX, op.opSize, op.opSize === 4 ? (cpu.r[EAX] << 16) >> 16 : (cpu.r[EAX] << 24) >> 24)],
  ['cwd', (cpu, op) => cpu.setRegister(EDX, op.opSize, op.opSize === 4 ? cpu.r[EAX] >> 31 : (cpu.r[EAX] << 16) >> 31)],
  ['lahf', (cpu) => cpu.setRegister(4, 1, (cpu.r[EFLAGS] & 0xd5) | 2)],
  ['sahf', (cpu) => setFlags(cpu.r, cpu.register(4, 1), SF | ZF | AF | PF | CF)],
  ['clc', flag(CF, false)],
  ['stc', flag(CF, true)],
  ['cmc', (cpu) => { cpu.r[EFLAGS] ^= CF }],
  ['cld', flag(DF, false)],
  ['std', flag(DF, true)],
  ['nop', nop],
  ['pause', () => {}],
  ['lfence', () => {}],
  ['sfence', (cpu) => cpu.bus.orderStores()],
  ['mfence', (cpu) => cpu.bus.fence()],
  ['movs', movs],
  ['stos', stos],
  ['lods', lods],
  ['cmps', cmps],
  ['scas', scas],
  ['xlat', (cpu, op) => {
    const at = (cpu.register(EBX, op.addrSize) + (cpu.r[EAX] & 0xff)) | 0
    const value = cpu.readMemory(op.seg, op.addrSize === 4 ? at : at & 0xffff, 1)
    if (cpu.stop === 0) cpu.setRegister(EAX, 1, value)
  }],
  ...BCD,
  ...BRANCH,
  ...FAR,
  ...FPU,
  ...IO,
  ...MSR,
  ...SEGMENT,
  ...STACK,
  ...SYSTEM,
])

for (const [feature, mnemonics] of NEEDS)
  for (const mnemonic of mnemonics) HANDLERS.set(mnemonic, guard(feature, HANDLERS.get(mnemonic)!))
