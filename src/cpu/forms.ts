/**
 * The operations of blocks: each is what was decoded, and the *form* it is executed in. A form is an operation with a way to
 * reach its operands, for the instructions that programs are made of; runBlocks.ts has one line for each. Everything else has
 * the form GENERIC, which is its handler, and so has a form whose memory operand cannot be reached directly.
 *
 * A source that is a register or an immediate is `register b + value`, where one of the two is 0. An address is
 * `base + (index << scale) + disp`, where a register that is missing is ZERO.
 */
import type { CpuClass } from './classes.ts'
import { IMM, MEM, REG, SREG, type Op, type Operand } from './decode.ts'
import { DIRECT_READ, DIRECT_WRITE } from './directMemory.ts'
import { ALU } from './flags.ts'
import {
  GENERIC, NOP, MOV_R, MOV_RM, MOV_M, MOV_R8, MOV_R8M, MOV_M8, MOV_M16, LEA, ADD_R, ADD_RM, ADD_M, SUB_R, SUB_RM, SUB_M, AND_R, AND_RM,
  AND_M, OR_R, OR_RM, OR_M, XOR_R, XOR_RM, XOR_M, CMP_R, CMP_RM, CMP_M, TEST_R, TEST_M, ALU_R, ALU_RM, ALU_M, ALU_R8, ALU_R8M, ALU_M8,
  CMP_R8, CMP_R8M, CMP_M8, TEST_R8, TEST_M8, INC_R, INC_M, DEC_R, DEC_M, NEG_R, NOT_R, REPEAT, SHL_R, SHR_R, SAR_R, ROL_R, ROR_R, IMUL_R, IMUL_RM,
  IMUL_3, MOVZX_8, MOVZX_16, MOVZX_8M, MOVZX_16M, MOVSX_8, MOVSX_8M, MOVSX_16, MOVSX_16M, SET, CMOV, CDQ, PUSH, POP, LEAVE, JCC, CMP_JCC, TEST_JCC, DEC_JCC, JMP, JMP_M, JMP_R, CALL,
  RET, STACK,
} from './formNumbers.ts'
import { handlerOf } from './handlers.ts'
import { CONDITIONS } from './isa.ts'
import { EAX, EBP, ECX, ESP, ZERO } from './registers.ts'

const READS = DIRECT_READ
const WRITES = DIRECT_WRITE
const UPDATES = DIRECT_READ | DIRECT_WRITE

export class BlockOp {
  readonly op: Op
  form = GENERIC
  /** Bytes from the start of the block to it, and to the next one. */
  readonly start: number
  end: number
  /** Destination: register; for bytes the index in the registers' bytes. */
  a = 0
  /** Source: register plus value. */
  b = ZERO
  value = 0
  base = ZERO
  index = ZERO
  scale = 0
  disp = 0
  /** What a page must allow: DIRECT_READ, DIRECT_WRITE; 0: no memory operand. */
  need = 0
  /** Bits of an address that must be 0: size of the access - 1. */
  align = 3
  /** Bit of the segment. */
  segment = 0
  /** Number of the ALU operation. */
  kind = 0

  constructor(op: Op, start: number, cls: CpuClass) {
    this.op = op
    this.start = start
    this.end = start + op.length
    const row = op.row
    if (row === null || op.lock || op.handler !== handlerOf(row.mnemonic)) return
    if (op.rep !== 0) {
      if (STRINGS.has(row.mnemonic)) this.form = REPEAT
      return
    }
    const resolve = RESOLVE.get(row.mnemonic)
    if (resolve === undefined || (row.mnemonic.startsWith('cmov') && !cls.features.has('cmov'))) return
    // Its shifts leave other flags than those of later parts (flags386.ts).
    if (cls.family === 3 && SHIFTS.has(row.mnemonic)) return
    this.form = resolve(this, op)
    if (this.form === GENERIC) this.need = 0
  }

  /** The destination is a register. */
  target({ value, size }: Operand): void {
    this.a = registerIndex(value, size)
  }
  source({ kind, value, size }: Operand): void {
    if (kind === REG) this.b = registerIndex(value, size)
    else {
      this.b = size === 1 ? ZERO * 4 : ZERO
      this.value = size === 1 ? value & 0xff : value
    }
  }
  /** There is a memory operand; false: its address is not of 32 bits. */
  memory(op: Op, need: number, size: number): boolean {
    if (op.base >= 0) this.base = op.base
    if (op.index >= 0) this.index = op.index
    this.scale = op.scale
    this.disp = op.disp
    this.need = need
    this.align = size - 1
    this.segment = 1 << op.seg
    return op.addrSize === 4
  }
  /** It reads or writes the dword at `disp` from the register. */
  stack(register: number, disp: number, need: number): void {
    this.base = register
    this.disp = disp
    this.need = need
    this.segment = STACK
  }
}

/** Of a byte register: where its byte stands in the register block (AL CL DL BL AH CH DH BH). */
function registerIndex(register: number, size: number): number {
  if (size !== 1) return register
  return register < 4 ? register * 4 : (register - 4) * 4 + 1
}

/** The form, with the operation's fields filled in; GENERIC where there is none. */
type Resolve = (to: BlockOp, op: Op) => number

/** Forms of two operands: register by register or immediate, register by memory, memory by register or immediate. */
type Shapes = readonly [number, number, number]

/** @param need what the third shape needs of memory */
function shaped(to: BlockOp, op: Op, size: number, [r, rm, m]: Shapes, need: number): number {
  if (op.a.size !== size || op.a.kind === SREG || op.b.kind === SREG) return GENERIC
  if (op.a.kind === MEM) {
    if (op.b.kind !== REG && op.b.kind !== IMM) return GENERIC
    to.source(op.b)
    return to.memory(op, need, size) ? m : GENERIC
  }
  if (op.a.kind !== REG) return GENERIC
  to.target(op.a)
  if (op.b.kind === MEM) return to.memory(op, READS, size) ? rm : GENERIC
  if (op.b.kind !== REG && op.b.kind !== IMM) return GENERIC
  to.source(op.b)
  return r
}

const binary = (kind: number, dwords: Shapes, bytes: Shapes): Resolve => (to, op) => {
  to.kind = kind
  const need = kind === ALU.cmp || kind === ALU.test ? READS : UPDATES
  return shaped(to, op, op.a.size, op.a.size === 4 ? dwords : op.a.size === 1 ? bytes : [GENERIC, GENERIC, GENERIC], need)
}
const BYTES: Shapes = [ALU_R8, ALU_R8M, ALU_M8]
const CARRIED: Shapes = [ALU_R, ALU_RM, ALU_M]

const mov: Resolve = (to, op) => {
  switch (op.a.size) {
    case 4: return shaped(to, op, 4, [MOV_R, MOV_RM, MOV_M], WRITES)
    case 1: return shaped(to, op, 1, [MOV_R8, MOV_R8M, MOV_M8], WRITES)
    default: return op.a.kind === MEM ? shaped(to, op, 2, [GENERIC, GENERIC, MOV_M16], WRITES) : GENERIC
  }
}
const unary = (register: number, memory: number): Resolve => (to, op) => {
  if (op.a.size !== 4) return GENERIC
  if (op.a.kind === MEM) return to.memory(op, UPDATES, 4) ? memory : GENERIC
  to.target(op.a)
  return register
}
const shifted = (form: number): Resolve => (to, op) => {
  if (op.a.size !== 4 || op.a.kind !== REG) return GENERIC
  to.target(op.a)
  // The count is masked: what stands above CL does not matter.
  if (op.b.kind === REG) to.b = ECX
  else to.value = op.b.value
  return form
}
const imul: Resolve = (to, op) => {
  if (op.opSize !== 4 || op.b.kind === 0) return GENERIC
  if (op.c.kind === 0) return shaped(to, op, 4, [IMUL_R, IMUL_RM, GENERIC], READS)
  if (op.b.kind !== REG) return GENERIC
  to.target(op.a)
  to.b = op.b.value
  to.value = op.c.value
  return IMUL_3
}
const extended = (byte: number, word: number, byteM: number, wordM: number): Resolve => (to, op) => {
  if (op.a.size !== 4) return GENERIC
  const wide = op.b.size === 2
  to.target(op.a)
  if (op.b.kind === MEM) return to.memory(op, READS, op.b.size) ? (wide ? wordM : byteM) : GENERIC
  to.source(op.b)
  return wide ? word : byte
}
const push: Resolve = (to, op) => {
  if (op.opSize !== 4 || (op.a.kind !== REG && op.a.kind !== IMM)) return GENERIC
  to.source(op.a)
  to.stack(ESP, -4, WRITES)
  return PUSH
}
const pop: Resolve = (to, op) => {
  if (op.opSize !== 4 || op.a.kind !== REG) return GENERIC
  to.target(op.a)
  to.stack(ESP, 0, READS)
  return POP
}
const jmp: Resolve = (to, op) => {
  if (op.opSize !== 4) return GENERIC
  if (op.a.kind === MEM) return to.memory(op, READS, 4) ? JMP_M : GENERIC
  if (op.a.kind === REG) to.b = op.a.value
  else to.value = op.a.value
  return op.a.kind === IMM ? JMP : JMP_R
}
const call: Resolve = (to, op) => {
  if (op.opSize !== 4 || op.a.kind !== IMM) return GENERIC
  to.value = op.a.value
  to.stack(ESP, -4, WRITES)
  return CALL
}

const SHIFTS = new Set(['shl', 'sal', 'shr', 'sar'])
const RESOLVE = new Map<string, Resolve>([
  ['mov', mov],
  ['add', binary(ALU.add, [ADD_R, ADD_RM, ADD_M], BYTES)],
  ['sub', binary(ALU.sub, [SUB_R, SUB_RM, SUB_M], BYTES)],
  ['and', binary(ALU.and, [AND_R, AND_RM, AND_M], BYTES)],
  ['or', binary(ALU.or, [OR_R, OR_RM, OR_M], BYTES)],
  ['xor', binary(ALU.xor, [XOR_R, XOR_RM, XOR_M], BYTES)],
  ['adc', binary(ALU.adc, CARRIED, BYTES)],
  ['sbb', binary(ALU.sbb, CARRIED, BYTES)],
  ['cmp', binary(ALU.cmp, [CMP_R, CMP_RM, CMP_M], [CMP_R8, CMP_R8M, CMP_M8])],
  ['test', binary(ALU.test, [TEST_R, GENERIC, TEST_M], [TEST_R8, GENERIC, TEST_M8])],
  ['inc', unary(INC_R, INC_M)],
  ['dec', unary(DEC_R, DEC_M)],
  ['neg', unary(NEG_R, GENERIC)],
  ['not', unary(NOT_R, GENERIC)],
  ['shl', shifted(SHL_R)],
  ['sal', shifted(SHL_R)],
  ['shr', shifted(SHR_R)],
  ['sar', shifted(SAR_R)],
  ['rol', shifted(ROL_R)],
  ['ror', shifted(ROR_R)],
  ['imul', imul],
  ['movzx', extended(MOVZX_8, MOVZX_16, MOVZX_8M, MOVZX_16M)],
  ['movsx', extended(MOVSX_8, MOVSX_16, MOVSX_8M, MOVSX_16M)],
  ['lea', (to, op) => {
    if (op.a.size !== 4) return GENERIC
    to.target(op.a)
    const form = to.memory(op, READS, 4) ? LEA : GENERIC
    to.need = 0
    return form
  }],
  ['nop', (_to, op) => (op.modrm < 0 ? NOP : GENERIC)],
  ['cwd', (to, op) => {
    to.b = EAX
    return op.opSize === 4 ? CDQ : GENERIC
  }],
  ...CONDITIONS.flatMap((name, code): [string, Resolve][] => [
    [`set${name}`, (to, op) => {
      if (op.a.kind !== REG) return GENERIC
      to.target(op.a)
      to.kind = code
      return SET
    }],
    [`cmov${name}`, (to, op) => {
      to.kind = code
      return op.b.kind === REG ? shaped(to, op, 4, [CMOV, GENERIC, GENERIC], READS) : GENERIC
    }],
    [`j${name}`, (to, op) => {
      to.kind = code
      to.value = op.a.value
      return op.opSize === 4 ? JCC : GENERIC
    }],
  ]),
  ['push', push],
  ['pop', pop],
  ['leave', (to, op) => {
    to.stack(EBP, 0, READS)
    return op.opSize === 4 ? LEAVE : GENERIC
  }],
  ['jmp', jmp],
  ['call', call],
  ['ret', (to, op) => {
    to.value = op.a.kind === IMM ? op.a.value : 0
    to.stack(ESP, 0, READS)
    return op.opSize === 4 ? RET : GENERIC
  }],
])

/** Joins a comparison at the end of a block with the jump that goes by it. */
export function joinLast(ops: BlockOp[]): void {
  const jump = ops[ops.length - 1]
  const compare = ops[ops.length - 2]
  if (ops.length < 2 || jump.form !== JCC) return
  switch (compare.form) {
    case CMP_R: compare.form = CMP_JCC; break
    case TEST_R: compare.form = TEST_JCC; break
    case DEC_R: compare.form = DEC_JCC; break
    default: return
  }
  compare.kind = jump.kind
  compare.disp = jump.value
  compare.end = jump.end
  ops.pop()
}

/** What REP repeats, but for port I/O. */
const STRINGS = new Set(['movs', 'stos', 'lods', 'cmps', 'scas'])
/** Mnemonics whose instructions change nothing but general registers, status flags, DF and memory: they may stand in a block. */
const IN_BLOCK = new Set([
  ...Object.keys(ALU), 'inc', 'dec', 'neg', 'not', 'rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', 'sal', 'sar', 'shld', 'shrd',
  'bt', 'bts', 'btr', 'btc', 'bsf', 'bsr', 'mul', 'imul', 'div', 'idiv', 'movzx', 'movsx', 'mov', 'lea', 'xchg', 'bswap', 'cmpxchg', 'xadd',
  'cbw', 'cwd', 'lahf', 'sahf', 'clc', 'stc', 'cmc', 'cld', 'std', 'nop', 'movs', 'stos', 'lods', 'cmps', 'scas', 'xlat',
  'daa', 'das', 'aaa', 'aas', 'aam', 'aad', 'salc', 'push', 'pop', 'pusha', 'popa', 'enter', 'leave',
  ...CONDITIONS.flatMap((name) => [`set${name}`, `cmov${name}`]),
])
/** The same, but they end a block: they say where execution goes on. */
const LAST_IN_BLOCK = new Set(['jmp', 'call', 'ret', 'loop', 'loope', 'loopne', 'jcxz', ...CONDITIONS.map((name) => `j${name}`)])

/** Whether the operation may stand in a block, and whether a block ends with it. */
export function placeInBlock(op: Op): 'inside' | 'last' | 'outside' {
  const row = op.row
  if (row === null || op.lock || op.handler !== handlerOf(row.mnemonic)) return 'outside'
  if (op.rep !== 0) return STRINGS.has(row.mnemonic) ? 'last' : 'outside'
  const far = row.operands[0] === 'Ap' || row.operands[0] === 'Mp'
  // XCHG with memory is locked; multi-byte NOPs may call the checker; control and segment registers decide how blocks run.
  if (far || (row.mnemonic === 'xchg' && op.a.kind === MEM) || (row.mnemonic === 'nop' && op.modrm >= 0)) return 'outside'
  if (op.a.kind >= SREG && op.a.kind <= SREG + 2 && row.mnemonic !== 'push') return 'outside'
  if (row.mnemonic === 'mov' && op.b.kind > SREG) return 'outside'
  return LAST_IN_BLOCK.has(row.mnemonic) ? 'last' : IN_BLOCK.has(row.mnemonic) ? 'inside' : 'outside'
}
